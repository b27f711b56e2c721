"""Fixtures for every folder of tests, and what a whole run owes: no test left out, nothing left in Redis."""

import os

import pytest
from _pytest.terminal import TerminalReporter
from django.conf import settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis

from accounts import attributes
from api import redis_client
from leaderboard import boards, catch_up, rebuild
from tests.support.programs import NOT_HERE

pytest_plugins = ["tests.support.fixtures"]

# A run says something of the code, not of its luck or of a busy machine: the same examples each time, however long
# they take. For others: make test ARGS="--hypothesis-profile=default …".
hypothesis.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
hypothesis.load_profile("repeatable")

# Files that start whole sites or take long otherwise, the longest first. Begun last, one would keep a parallel run
# waiting for it alone.
LONGEST = (
    "tests/system/fuzz/test_api.py",
    "tests/devsite/test_make_run.py",
    "tests/system/browser/",
    "tests/config/test_managed_",
    "tests/system/",
    "tests/sdk/",
    "tests/devsite/",
    "tests/config/test_checks.py",
    "tests/actions/test_queue_worker.py",
    "tests/events/test_relay.py",
    "tests/actions/test_without_",
    "tests/leaderboard/test_sweep.py",
    "tests/leaderboard/test_consistency.py",
    "tests/leaderboard/test_reconcile",
    "tests/actions/test_key_rotation.py",
)

_left_out: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(
        key=lambda item: next((rank for rank, name in enumerate(LONGEST) if item.nodeid.startswith(name)), len(LONGEST))
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """A rebuild or a sweep that a test set off in the background ends while there still is a database for it; and no
    test knows the attributes that another one declared."""
    attributes.read.cache_clear()
    boards.forget()
    with rebuild._building, catch_up._sweeping:
        pass


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped or hasattr(report, "wasxfail"):
        leave_out(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        leave_out(report)


def leave_out(report: pytest.TestReport | pytest.CollectReport) -> None:
    """SKIPS_ALLOWED: 1 whatever is left out, 0 nothing, otherwise what needs a program that cannot be had here."""
    allowed = os.environ.get("SKIPS_ALLOWED")
    if allowed != "1" and (allowed == "0" or NOT_HERE not in str(report.longrepr)):
        _left_out.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that left tests out is not green, unless it was asked for."""
    if _left_out and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if _left_out:
        terminalreporter.section("left out, which fails the run unless SKIPS_ALLOWED=1", red=True)
        for name in _left_out:
            terminalreporter.line(name)


def pytest_unconfigure() -> None:
    """This run's keys, and only these: others may be using the same Redis."""
    if not (settings.configured and settings.REDIS_KEY_PREFIX):
        return
    connection = redis_client.connection()
    for key in connection.scan_iter(f"{settings.REDIS_KEY_PREFIX}*", count=1000):
        connection.delete(key)
