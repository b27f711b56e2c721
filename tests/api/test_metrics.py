"""Who may read /metrics, what is left of processes that were killed, and how many series one label may make."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from accounts.models import User
from api.metrics import MOST_NAMES, OTHERS, Names
from config import checks
from leaderboard.boards import Board
from tests.support.people import give
from tests.support.processes import PATIENCE, ROOT, environment

TOKEN = "0123456789abcdefghijklmnopqrstuvwxyz"
COUNT = """
import sys
from leaderboard.live import metrics
metrics.CONNECTIONS.labels("sse").inc(7)
metrics.EVICTIONS.labels("sse").inc(3)
print("counted", flush=True)
sys.stdin.read()
"""


def status(address: str = "127.0.0.1", **headers: str) -> int:
    return Client(REMOTE_ADDR=address).get("/metrics", headers=headers).status_code


@pytest.mark.django_db
def test_metrics_are_for_this_machine_and_for_whom_the_operator_lists(board: Board, settings: Settings) -> None:
    assert [status(), status("::1"), status("::ffff:127.0.0.1")] == [200] * 3
    assert [status("192.0.2.7"), status("2001:db8::1"), status(""), status("unix:")] == [403] * 4
    settings.METRICS_ALLOW = ["192.0.2.0/24", "2001:db8::/32"]
    assert [status("192.0.2.7"), status("2001:db8::1"), status()] == [200, 200, 403]


@pytest.mark.django_db
def test_a_proxy_on_the_same_machine_lets_nobody_in(board: Board, settings: Settings) -> None:
    """Whatever TRUSTED_PROXIES says: what a client adds to the header can only shut it out."""
    for proxies in (0, 1):
        settings.TRUSTED_PROXIES = proxies
        assert status(**{"X-Forwarded-For": "203.0.113.9"}) == 403
        assert status(**{"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}) == 403
        assert status(**{"X-Forwarded-For": ""}) == 403
        assert status(**{"X-Forwarded-For": "127.0.0.1:4711"}) == 200, "the operator's own, by nginx"


@pytest.mark.django_db
def test_the_token_opens_from_anywhere_and_no_other_does(board: Board, settings: Settings) -> None:
    assert status("192.0.2.7", Authorization="Bearer ") == 403, "none is set, so none opens"
    settings.METRICS_TOKEN = TOKEN
    assert status("192.0.2.7", Authorization=f"Bearer {TOKEN}") == 200
    assert status("192.0.2.7", Authorization=f"bearer {TOKEN}") == 200
    wrong = [
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer schl\N{LATIN SMALL LETTER U WITH DIAERESIS}ssel",
    ]
    assert [status("192.0.2.7", Authorization=one) for one in wrong] == [403] * 5
    before = REGISTRY.get_sample_value("scoreboard_auth_failures_total", {"reason": "metrics"}) or 0
    refused = Client(REMOTE_ADDR="192.0.2.7").get("/metrics")
    assert refused.json()["type"] == "/problems/forbidden"
    assert REGISTRY.get_sample_value("scoreboard_auth_failures_total", {"reason": "metrics"}) == before + 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("METRICS_ALLOW", ["10.0.0.0/33"], "METRICS_ALLOW: '10.0.0.0/33'"),
        ("METRICS_ALLOW", ["10.0.0.1/8"], "METRICS_ALLOW: 10.0.0.1/8"),
        ("METRICS_TOKEN", "short", "METRICS_TOKEN is shorter"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT is collector:4317"),
        ("WORKER_METRICS_PORT", 70_000, "WORKER_METRICS_PORT is 70000"),
    ],
)
def test_what_cannot_be_read_is_refused_at_start(settings: Settings, name: str, value: object, said: str) -> None:
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=said):
        checks.enforce()


@contextmanager
def counting(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process with seven viewers, which has closed three others."""
    process = subprocess.Popen(
        [sys.executable, "-c", COUNT],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
        yield process
        process.kill()


@pytest.mark.django_db
def test_what_a_killed_process_counted_stays_and_its_viewers_do_not(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    def shown() -> list[str]:
        lines = Client().get("/metrics").content.decode().splitlines()
        names = ('scoreboard_live_connections{transport="sse"} ', 'scoreboard_live_evictions_total{transport="sse"} ')
        return [line.removeprefix(name) for name in names for line in lines if line.startswith(name)]

    with counting(tmp_path) as one:
        with counting(tmp_path):
            assert shown() == ["14.0", "6.0"]
        assert shown() == ["7.0", "6.0"]
        one.kill()
        one.wait()
        assert shown() == ["6.0"]


@pytest.mark.django_db
def test_statements_are_timed_by_name_and_all_others_by_their_verb(board: Board, alice: User) -> None:
    def times(statement: str) -> float:
        return REGISTRY.get_sample_value("scoreboard_sql_seconds_count", {"statement": statement}) or 0

    before = {name: times(name) for name in ("ledger", "select", "other")}
    give(alice, 10, announced=False)
    User.objects.get(pk=alice.pk)
    with connection.cursor() as cursor:
        cursor.execute("VALUES (1)")
    after = {name: times(name) - before[name] for name in before}
    assert (after["ledger"], after["select"] >= 1, after["other"] >= 1) == (1, True, True)
    names = {
        sample.labels["statement"]
        for metric in REGISTRY.collect()
        if metric.name == "scoreboard_sql_seconds"
        for sample in metric.samples
    }
    assert names <= {"ledger", "redeem", "mint", "award", "select", "insert", "update", "delete", "other"}


def test_names_that_people_make_up_are_a_bounded_number_of_series() -> None:
    names = Names()
    assert [names(f"key {number}") for number in range(MOST_NAMES)] == [f"key {number}" for number in range(MOST_NAMES)]
    assert [names("one more"), names("key 0"), names("another")] == [OTHERS, "key 0", OTHERS]


def test_an_empty_folder_in_the_environment_is_none(tmp_path: Path) -> None:
    env = environment(PROMETHEUS_MULTIPROC_DIR="")
    subprocess.run([sys.executable, "-c", "import config.wsgi"], cwd=tmp_path, env=env, timeout=PATIENCE, check=True)
    assert list(tmp_path.iterdir()) == []
