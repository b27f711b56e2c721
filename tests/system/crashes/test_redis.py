"""Redis killed, emptied, hanging, and on a full disk. Celery's queue is in it, too."""

import os
import signal
from typing import Any

import psutil
import pytest

from tests.support.processes import eventually
from tests.system.crashes.load import Load
from tests.system.crashes.proof import prove
from tests.system.crashes.site import Site

SECONDS = float(os.environ.get("FAULT_SECONDS", "5"))


def test_redis_may_be_killed(site: Site, running: Load) -> None:
    for _ in range(2):
        site.kill_redis()
        running.goes_on()
        running.score_once()
        site.start_redis()
        running.goes_on()
    prove(running)


@pytest.mark.long
def test_redis_may_be_emptied(site: Site, running: Load) -> None:
    running.score_once()
    with site.redis_client() as redis:
        redis.flushall()
    running.goes_on()
    prove(running)


@pytest.mark.long
def test_redis_may_hang(site: Site, running: Load) -> None:
    site.redis_process.send_signal(signal.SIGSTOP)
    running.score_once()
    running.for_seconds(SECONDS)
    running.goes_on()
    site.redis_process.send_signal(signal.SIGCONT)
    running.goes_on()
    prove(running)


@pytest.mark.long
def test_the_disk_under_redis_may_be_full(site: Site, running: Load) -> None:
    """No file of its may grow: the log of commands, without which it takes none that writes."""
    process = psutil.Process(site.redis_process.pid)
    process.rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
    with site.redis_client() as redis:
        about: Any = redis
        eventually(lambda: about.info("persistence")["aof_last_write_status"] == "err", "the log cannot be written")
    running.goes_on()
    running.score_once()
    running.goes_on()
    process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    running.goes_on()
    prove(running)
