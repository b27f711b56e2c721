"""The first page of admin: true figures of today beside the same weekday, each for those who may see it."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts import api_keys
from accounts.models import ApiKey, AuditLog, User
from actions.models import QueuedWork
from leaderboard import boards, drift, ranking
from leaderboard.boards import Board
from leaderboard.drift import Report
from leaderboard.live import headcount
from overview import charts, figures, state
from tests.integrity.cases import flagged
from tests.overview.past import scored
from tests.support.admin_site import admin, signed_in
from tests.support.people import give, player

pytestmark = pytest.mark.django_db
INDEX = "/admin/"
NOON = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)  # a Wednesday
WEEK = timedelta(days=7)


def tile(answer: Any, title: str) -> state.Tile:
    found: list[state.Tile] = [tile for tile in answer.context["tiles"] if tile.title == title]
    return found[0]


def test_today_is_compared_with_the_same_span_of_the_same_weekday(alice: User, bob: User) -> None:
    key, _ = api_keys.issue("shop", [ApiKey.Scope.AWARD])
    scored(alice, NOON - timedelta(hours=2), 5)
    scored(alice, NOON - timedelta(minutes=1), 7, kind="TASK", key=key.pk)
    scored(bob, NOON - timedelta(minutes=2), -3, source="adjustment", kind="")
    scored(alice, NOON - WEEK - timedelta(hours=3), 11)
    scored(bob, NOON - WEEK - timedelta(hours=3), 13)
    # Not in either: later than the span, yesterday, and the other days between.
    for at in (NOON, NOON - timedelta(hours=13), NOON - WEEK + timedelta(seconds=1), NOON - WEEK - timedelta(hours=13)):
        scored(bob, at, 1000)
    found = figures.compare(NOON)
    assert found.whole
    assert found.weekday == "Wednesday"
    assert (found.today.players, found.before.players) == (1, 2)
    assert (found.today.points, found.before.points) == (9, 24)
    assert dict(found.today.hours) == {10: 5, 12: 4}
    assert dict(found.today.types) == {"QUIZ": 5, "TASK": 7, "adjustments": -3}
    assert dict(found.today.keys) == {"shop": 7, "tokens, no key": 5, "adjustments": -3}
    assert dict(found.before.types) == {"QUIZ": 24}


def test_refusals_are_counted_by_reason_with_their_repeats(db: None) -> None:
    for number, (ago, count) in enumerate([(timedelta(hours=1), 40), (timedelta(hours=2), 2), (WEEK, 5)]):
        at = NOON - ago
        AuditLog.objects.create(
            id=f"00000000-0000-4000-8000-00000000000{number}",
            kind="forbidden", reason="password", first_at=at, last_at=at - timedelta(seconds=1), count=count,
        )  # fmt: skip
    found = figures.compare(NOON)
    assert (found.today.refusals, found.before.refusals) == ({"password": 42}, {"password": 5})


def test_what_takes_too_long_is_left_out_and_the_page_opens(
    client: Client, monkeypatch: pytest.MonkeyPatch, redis_of_its_own: None
) -> None:
    monkeypatch.setattr(figures, "PLAYERS", "SELECT count(*) FROM pg_sleep(60), generate_series(1, 2) -- %(since)s")
    monkeypatch.setattr(figures, "QUERY_SECONDS", 0.05)
    answer = signed_in(admin()).get(INDEX)
    assert answer.status_code == 200
    assert "too much to sum up" in answer.content.decode()


def test_the_history_is_read_once_a_minute_however_many_look(redis_of_its_own: None) -> None:
    site = signed_in(admin())
    site.get(INDEX)
    with CaptureQueriesContext(connection) as queries:
        site.get(INDEX)
    assert [query["sql"] for query in queries if "score_history" in query["sql"]] == []


def test_the_window_is_found_by_the_brin_index(alice: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        cursor.execute(f"EXPLAIN {figures.SUMS}", {"since": NOON, "until": NOON})
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "score_history_created" in plan, plan


def test_what_waits_and_what_is_broken_is_said_with_the_place_to_act(board: Board, alice: User, bob: User) -> None:
    give(alice, 5)
    flagged(alice, [])
    QueuedWork.objects.create(
        user=alice, submissions=[], accepted_at=NOON, sent_at=NOON, state=QueuedWork.State.DEAD, finished_at=NOON
    )
    ranking.command("hset", headcount.key(), "a:1", f"7:{10**10}")
    ranking.command("hset", headcount.key(), "b:1", "9:1000")  # ended long ago
    ranking.command("hset", headcount.key(), "c:1", "nonsense")
    ranking.command("hset", headcount.key(), "d:1", "9" * 5000 + ":" + "9" * 5000)
    site = signed_in(admin())
    answer = site.get(INDEX)
    assert (tile(answer, "Open flags").figure, tile(answer, "Open flags").state) == ("1", state.WAITS)
    assert (tile(answer, "Dead work").figure, tile(answer, "Dead work").state) == ("1", state.BAD)
    assert (tile(answer, "Board").figure, tile(answer, "Drift").figure) == ("Live", "Unknown")
    assert tile(answer, "Viewers").figure == "7"
    for link in (tile(answer, "Open flags").link, tile(answer, "Dead work").link):
        assert f'href="{link}"' in answer.content.decode()
        assert site.get(link).context["cl"].result_count == 1
    drift.remember(boards.GLOBAL, Report("global", compared=3, found={"stale": 2}))
    answer = site.get(INDEX)
    assert (tile(answer, "Drift").figure, tile(answer, "Drift").state) == ("2", state.BAD)


def test_without_redis_the_page_says_so(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    site = signed_in(admin())

    def away(*_: Any, **__: Any) -> Any:
        raise ranking.Unavailable("away")

    monkeypatch.setattr(ranking, "command", away)
    monkeypatch.setattr(ranking, "run", away)
    answer = site.get(INDEX)
    assert (tile(answer, "Board").state, tile(answer, "Viewers").figure) == (state.BAD, "Unknown")


def test_each_sees_what_they_may(redis_of_its_own: None, settings: Settings) -> None:
    ada = signed_in(admin()).get(INDEX).content.decode()
    mo = signed_in(player("mo", role=User.Role.MODERATOR)).get(INDEX).content.decode()
    for text in ("Open flags", "Dead work", "Drift", "Points by key", "Refusals by reason", "/exports/audit.csv"):
        assert text in ada
        assert text not in mo
    for text in ("Viewers", "Find a player"):
        assert text in ada
        assert text in mo


@pytest.fixture
def content(alice: User, redis_of_its_own: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page of an admin at noon, with a chart of what a key with a name of markup gave."""
    monkeypatch.setattr(figures.lately, "call", lambda _: figures.compare(NOON))
    key, _ = api_keys.issue("<img src=x onerror=alert(1)>", [ApiKey.Scope.AWARD])
    scored(alice, NOON - timedelta(hours=1), 5, key=key.pk)
    return str(signed_in(admin()).get(INDEX).content.decode())


def test_nothing_on_the_page_needs_what_the_policy_forbids(content: str) -> None:
    markup = content.replace("&lt;img src=x onerror=alert(1)&gt;", "")
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", markup)


def test_a_name_with_markup_stays_text_in_a_chart(content: str) -> None:
    assert "&lt;img src=x onerror=alert(1)&gt;" in content
    assert "<img src=x" not in content


def test_a_chart_shows_the_greatest_and_the_rest_together() -> None:
    today = {f"t{number}": number for number in range(12)}
    lines = figures.side_by_side(Counter(today), Counter({"t0": 100}))
    assert lines[0] == ("t11", 11, 0)
    assert lines[-1] == ("others", 3 + 2 + 1 + 0, 100)
    assert len(lines) == 9


@pytest.mark.parametrize(
    ("value", "ceiling"), [(0, 10), (1, 10), (11, 12), (101, 120), (1010, 1200), (9001, 10_000), (2**53, 10**16)]
)
def test_the_axis_ends_at_a_round_number(value: int, ceiling: int) -> None:
    assert charts.nice(value) == ceiling


def test_a_negative_hour_has_no_column_and_its_number() -> None:
    drawn = charts.columns([("00:00", -5, 0), ("01:00", 10, -1)], ["00:00", "01:00", "02:00"])
    assert [column["height"] for column in drawn["columns"]] == [0, charts.HEIGHT]
    assert drawn["lines"][0] == ("00:00", "-5", "0")
