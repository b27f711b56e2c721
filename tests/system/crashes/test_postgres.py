"""PostgreSQL killed, hanging, without a connection to give, and slow on one row."""

import os
import random
from contextlib import suppress

import psutil
import psycopg

from devsite.postgres import DATABASE, USER
from tests.support.processes import eventually
from tests.system.crashes.client import TIMEOUT
from tests.system.crashes.history import LOST
from tests.system.crashes.load import Load
from tests.system.crashes.proof import prove
from tests.system.crashes.site import Site

SECONDS = float(os.environ.get("FAULT_SECONDS", "5"))
LOCK_SECONDS = 5.0

OURS = "application_name = 'scoreboard' AND pid <> pg_backend_pid()"


def test_postgresql_may_be_killed(site: Site, running: Load) -> None:
    for _ in range(2):
        running.for_seconds(random.uniform(0, 0.5))
        site.kill_postgres()
        running.hears(503)
        site.start_postgres()
        running.goes_on()
    prove(running)


def test_one_session_of_postgresql_may_be_killed_which_ends_all(site: Site, running: Load) -> None:
    """PostgreSQL cannot know what a killed process did to the memory they share, and starts over."""
    # By what it calls itself, as a namespace of its own may hide what number PostgreSQL knows it by.
    eventually(lambda: kill_one(site), "one is killed")
    running.goes_on()
    prove(running)


def kill_one(site: Site) -> bool:
    """Kills a session that serves the site, unless it ends by itself at this moment: a task's lasts no longer."""
    with suppress(psutil.NoSuchProcess):
        one = random.choice(site.postgres_processes())
        if f" {USER} {DATABASE} " in " ".join(one.cmdline()):
            one.kill()
            return True
    return False


def test_postgresql_may_hang(site: Site, running: Load) -> None:
    stopped = site.postgres_processes()
    for process in stopped:
        with suppress(psutil.NoSuchProcess):  # a session has ended meanwhile
            process.suspend()
    running.hears(LOST)
    running.for_seconds(max(0.0, SECONDS - TIMEOUT))
    for process in reversed(stopped):
        with suppress(psutil.NoSuchProcess):
            process.resume()
    running.goes_on()
    prove(running)


def test_postgresql_may_have_no_connection_left(site: Site, running: Load) -> None:
    taken: list[psycopg.Connection[tuple[object, ...]]] = []
    try:
        eventually(lambda: all_taken(site, taken), "every connection is taken")
        running.hears(503, 10)
    finally:
        for one in taken:
            one.close()
    running.goes_on()
    prove(running)


def all_taken(site: Site, taken: "list[psycopg.Connection[tuple[object, ...]]]") -> bool:
    """Takes what there is, ends the site's sessions, takes their places; whether the site has none left."""
    while True:
        try:
            taken.append(site.database())
        except psycopg.OperationalError:
            break
    ended = taken[0].execute(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OURS}").fetchone()
    return ended == (0,)


def test_a_row_that_somebody_holds_costs_nobody_else(site: Site, running: Load) -> None:
    held = running.players[0].user_id
    eventually(lambda: running.history.highest(held) > 0, "the player has a row")
    with site.database() as session:
        session.execute("BEGIN")
        session.execute("SELECT 1 FROM user_scores WHERE user_id = %s FOR UPDATE", [held])
        running.for_seconds(LOCK_SECONDS)
        running.goes_on(but=held)
        session.execute("COMMIT")
    running.goes_on()
    prove(running)
