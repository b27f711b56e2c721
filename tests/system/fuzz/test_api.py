"""Whatever a fuzzer makes of the schema: no 5xx, no answer it does not describe, nothing given away, nothing won.

Longer: `make fuzz`.
"""

import math
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leaderboard.boards import Board
from scoreboard.models import ScoreHistory
from tests.support.unlimited import UNLIMITED
from tests.system.deploy.nginx import Web
from tests.system.fuzz.accounts import assert_nothing_was_won
from tests.system.fuzz.broken import broken_site
from tests.system.fuzz.callers import OTHER_TAGS, TAGS, Caller, callers, described, populate
from tests.system.fuzz.schema import Run, fuzz
from tests.system.live.server import Server

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
AT_A_TIME = 2  # callers; each is a process of its own
# What schemathesis calls what tests/system/fuzz/broken.py does wrong.
FAULTS = ["Server error", "Undocumented status code", "Response violates schema", "Missing required response headers"]
FAULTS += ["API accepts invalid authentication", "Schema-violating request accepted", "nothing_leaks", "header server"]
NOBODY = "00000000-0000-4000-8000-000000000000"

Start = Callable[..., Server]


@pytest.fixture
def start(board: Board, tmp_path: Path) -> Iterator[Start]:
    """Starts the site; afterwards it must have met no defect."""
    servers: list[Web] = []

    def one_more(**changes: str) -> Server:
        servers.append(Web(tmp_path / f"web-{len(servers)}.log", **changes))
        return servers[-1]

    yield one_more
    for server in servers:
        server.close()
        log = server.log.read_text()
        for word in ("Traceback", "Internal Server Error", "panicked", '"status": 5', "internal-error"):
            assert word not in log


def assert_clean(runs: dict[str, Run]) -> None:
    for name, run in runs.items():
        assert run.cases > 50, (name, run.output)
        assert run.failures == [], f"{name}\n{run.output}"


def fuzz_all(start: Start, board: Board, folder: Path, crowd: list[Caller], ids: list[str], seconds: float) -> None:
    """All of them, AT_A_TIME; each for its share of the seconds."""
    url, turns = start(**UNLIMITED).http(""), math.ceil(len(crowd) / AT_A_TIME)

    def run(caller: Caller) -> Run:
        return fuzz(url, caller, described(caller, url, ids), folder, seconds=seconds / turns)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        runs = dict(zip([caller.name for caller in crowd], pool.map(run, crowd), strict=True))
    for name, one in runs.items():
        sys.stderr.write(f"{name}: {one.cases} cases of {one.operations} operations\n")
    assert_clean(runs)
    assert ScoreHistory.objects.filter(source=ScoreHistory.Source.ACTION).exists()  # it got as far as to scoring
    assert_nothing_was_won(board)


@pytest.mark.timeout(3600)
def test_no_call_answers_what_the_schema_does_not_say_or_gives_points_away(
    start: Start, board: Board, tmp_path: Path
) -> None:
    """Each call by the one caller it is there for."""
    ids = populate()
    fuzz_all(start, board, tmp_path, callers(TAGS), ids, 0.3 * SECONDS)
    assert ScoreHistory.objects.filter(source=ScoreHistory.Source.BONUS).exists()


@pytest.mark.timeout(3600)
@pytest.mark.long
def test_nor_does_a_call_of_another_caller(start: Start, board: Board, tmp_path: Path) -> None:
    ids = populate()
    fuzz_all(start, board, tmp_path, callers(OTHER_TAGS), ids, 0.3 * SECONDS)


@pytest.mark.timeout(3600)
@pytest.mark.long
def test_under_the_default_limits_refusals_are_as_the_schema_says(start: Start, board: Board, tmp_path: Path) -> None:
    url = start().http("")
    caller = Caller("limited", ("accounts",))
    run = fuzz(url, caller, described(caller, url, populate()), tmp_path, seconds=0.1 * SECONDS)
    assert_clean({"limited": run})
    assert_nothing_was_won(board)


@pytest.mark.long
def test_control_a_site_with_every_fault_is_caught(tmp_path: Path) -> None:
    stranger = Caller("stranger", ("moderation",))
    with broken_site() as url:
        run = fuzz(url, stranger, described(stranger, url, [NOBODY]), tmp_path)
    for fault in FAULTS:
        assert fault in run.output
