"""Clocks set forward and back by an hour while everything runs, of the site's machine and of PostgreSQL's."""

import pytest

from tests.system.crashes.clocks import set_postgres_clock, set_site_clock
from tests.system.crashes.load import Load
from tests.system.crashes.proof import prove
from tests.system.crashes.site import Site

HOUR = 3600


@pytest.mark.long
def test_the_clock_of_the_site_may_be_set(site: Site, running: Load) -> None:
    """What Redis lacks after a crash, the sweep has to bring; it is by the clock that `beat` sends it."""
    for ahead in (HOUR, 0, -HOUR):
        set_site_clock(site, ahead)
        running.hears(400)  # players whose clock is another are refused, and nothing is written
        running.set_clocks(ahead)
        running.goes_on()
    without_redis(site, running)
    prove(running)


def test_the_clock_of_postgresql_may_be_set(site: Site, running: Load) -> None:
    """Tokens that it has issued in another hour are refused; new ones count."""
    for ahead in (HOUR, 0, -HOUR):
        set_postgres_clock(site, ahead)
        running.goes_on()
    without_redis(site, running)
    prove(running)


def without_redis(site: Site, running: Load) -> None:
    site.kill_redis()
    running.score_once()
    site.start_redis()
