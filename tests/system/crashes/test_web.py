"""`kill -9` of `web`, its parent or those that serve, at random moments; and `web` hanging."""

import os
import random

import pytest

from tests.system.crashes.client import TIMEOUT
from tests.system.crashes.history import LOST
from tests.system.crashes.load import Load
from tests.system.crashes.proof import prove
from tests.system.crashes.site import Site

KILLS = int(os.environ.get("FAULT_KILLS", "6"))
SECONDS = float(os.environ.get("FAULT_SECONDS", "5"))


@pytest.mark.timeout(300 + 15 * KILLS)
def test_web_may_be_killed_at_any_moment(site: Site, running: Load) -> None:
    chance = random.Random()
    for _ in range(KILLS):
        running.for_seconds(chance.uniform(0, 0.4))
        site.kill_one_web_process(chance)
        running.goes_on(1)
    running.goes_on()
    prove(running)


@pytest.mark.long
def test_web_may_hang(site: Site, running: Load) -> None:
    stopped = site.processes("web")
    for process in stopped:
        process.suspend()
    running.hears(LOST)
    running.for_seconds(max(0.0, SECONDS - TIMEOUT))
    for process in stopped:
        process.resume()
    running.goes_on()
    prove(running)
