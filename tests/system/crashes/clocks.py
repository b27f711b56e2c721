"""Clocks that a test sets while everything runs: that of the site's processes, and that of PostgreSQL.

The site's processes run with `stepped_clock/sitecustomize.py`, which sets all that tells Python the time of day;
PostgreSQL looks for `now()` and its like first where this module has put its own. Neither needs any right on
the machine.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.system.crashes.site import Site

PYTHON_CLOCK = Path(__file__).with_name("stepped_clock")

# pg_catalog is searched first unless the path names it.
POSTGRES_CLOCK = """
CREATE SCHEMA stepped;
CREATE TABLE stepped.clock (ahead interval NOT NULL);
INSERT INTO stepped.clock VALUES ('0');
CREATE FUNCTION stepped.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.clock_timestamp() + ahead FROM stepped.clock';
CREATE FUNCTION stepped.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT pg_catalog.statement_timestamp() + ahead FROM stepped.clock';
CREATE FUNCTION stepped.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT pg_catalog.now() + ahead FROM stepped.clock';
ALTER DATABASE scoreboard SET search_path = stepped, pg_catalog, public;
"""


def set_postgres_clock(site: "Site", ahead: int) -> None:
    """PostgreSQL's clock is this many seconds ahead of the machine's from now on."""
    with site.database() as session:
        session.execute("UPDATE stepped.clock SET ahead = make_interval(secs => %s)", [ahead])


def set_site_clock(site: "Site", ahead: int) -> None:
    """The same for web, worker and beat, within a tenth of a second."""
    partial = site.folder / "clock.partial"
    partial.write_text(str(ahead))
    partial.rename(site.folder / "clock")
