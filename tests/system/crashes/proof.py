"""After a fault: everything that was acknowledged is in the ledger once, and the board is what the ledger says."""

import json
import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import psycopg
import redis

from tests.support.processes import eventually
from tests.system.crashes import boards, evidence
from tests.system.crashes.checker import violations
from tests.system.crashes.load import Load
from tests.system.crashes.site import Site

BUSY = 3  # the command's exit code

RESEND = """
from datetime import UTC, datetime, timedelta
from actions import queue
queue.resend(datetime.now(UTC) + timedelta(days=1))  # later than any clock of these tests
"""


def prove(load: Load) -> None:
    """To be called once everything runs again. Stops the load."""
    recovered = time.monotonic()
    load.stop()
    heal(load.site)
    seconds = time.monotonic() - recovered
    keep_promises(load.site)
    load.hear_promises()
    heal(load.site)
    found = broken(load)
    report(load, found, seconds)
    assert found == [], f"{len(found)} broken promises, for example\n" + "\n".join(found[:20])
    compared = eventually(lambda: compare(load.site), "no other reconcile is at work")
    assert compared.returncode == 0, compared.stdout + compared.stderr


def compare(site: Site) -> "subprocess.CompletedProcess[str] | None":
    """`reconcile_leaderboard --check`; None while another has the lock, as the sweep after a restart may."""
    done = site.manage("reconcile_leaderboard", "--check")
    return None if done.returncode == BUSY else done


def heal(site: Site) -> None:
    """Returns once the board is what SQL says, and each other board what the history says."""
    drift: list[str] = []

    def healed() -> bool:
        site.supervise()
        try:
            drift[:] = [*evidence.disagreements(evidence.truth(site), evidence.dump(site)), *boards.disagreements(site)]
        except (psycopg.OperationalError, redis.RedisError) as error:
            drift[:] = [repr(error)]  # not up yet
        return not drift

    try:
        eventually(healed, "the board is what SQL says")
    except AssertionError:
        raise AssertionError(f"{drift}\n{site.logs()}") from None


def keep_promises(site: Site) -> None:
    """Queued work whose message was lost with Redis or a worker is sent again after a minute; here, at once."""

    def waiting() -> bool:
        site.supervise()
        try:
            session = site.database()
        except psycopg.OperationalError:
            return True
        with session:
            return session.execute("SELECT 1 FROM queued_work WHERE state = 'queued'").fetchone() is not None

    if waiting():  # for whatever reason: what was not lost is found done, and done once
        sent = site.manage("shell", "--verbosity", "0", "-c", RESEND)
        assert sent.returncode == 0, sent.stderr
        eventually(lambda: not waiting(), "what was promised is done")


def broken(load: Load) -> list[str]:
    """Every promise the site did not keep to these clients."""
    ledger, totals = evidence.ledger(load.site, load.player_ids)
    return violations(load.history, ledger, totals)


def report(load: Load, found: list[str], healed: float) -> None:
    """Figures for docs/architecture.md, into the file that FAULT_REPORT names; after a failure every request too."""
    history = load.history
    line = {
        "test": os.environ["PYTEST_CURRENT_TEST"],
        "acknowledged": sum(told.status == 200 for told in history.told),
        "repeats": sum(told.status == 409 for told in history.told),
        "promised": sum(told.status == 202 for told in history.told),
        "answers": Counter(told.status for told in history.told),
        "reads": len(history.seen),
        "ended": load.site.ended,
        "broken": len(found),
        "healed": round(healed, 1),
    }
    if path := os.environ.get("FAULT_REPORT"):
        with Path(path).open("a") as file:
            file.write(f"{json.dumps(line)}\n")
        if found:
            history.save(Path(f"{path}.history"))
