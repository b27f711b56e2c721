"""A site of real processes, on a copy of a database that was set up once."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import ROOT, eventually
from tests.system.crashes.boards import BOARDS
from tests.system.crashes.clocks import POSTGRES_CLOCK
from tests.system.crashes.load import Load, load
from tests.system.crashes.site import Site, folder


@pytest.fixture(scope="session")
def migrated() -> Iterator[Path]:
    """PostgreSQL's files with the schema in them."""
    with folder() as path:
        site = Site(path)
        site.start_postgres()
        try:
            subprocess.run([sys.executable, "manage.py", "prepare"], cwd=ROOT, env=site.environment, check=True)
            made = site.manage("shell", "--verbosity", "0", "-c", BOARDS)
            assert made.returncode == 0, made.stderr
            with site.database() as session:
                session.execute(POSTGRES_CLOCK)
        finally:
            site.close()
        yield path / "postgres"


@contextmanager
def whole_site(migrated: Path) -> Iterator[Site]:
    with folder() as path:
        shutil.copytree(migrated, path / "postgres")
        site = Site(path)
        try:
            site.start_redis()
            site.start_postgres()
            site.start()
            eventually(site.serves, "web answers")
            yield site
        finally:
            site.close()


@pytest.fixture(scope="session")
def shared_site(migrated: Path) -> Iterator[Site]:
    """Everything runs, and `web` answers."""
    with whole_site(migrated) as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """To be broken, one way after another. Nothing may meet a defect by that."""
    yield shared_site
    shared_site.mend()
    assert "Internal Server Error" not in shared_site.logs(), shared_site.logs()


@pytest.fixture
def spoiled_site(migrated: Path) -> Iterator[Site]:
    """One of the control's own, from which it takes a guard away."""
    with whole_site(migrated) as site:
        yield site


@pytest.fixture
def running(site: Site) -> Iterator[Load]:
    """Players redeem, read and repeat."""
    eventually(lambda: serving(site), "web answers")
    with load(site) as running:
        running.goes_on()
        yield running


def serving(site: Site) -> bool:
    """What the test before this one has left behind may end by itself only now."""
    site.supervise()
    return site.serves()
