"""A board at any past instant is what a plain recount of the history up to then says."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from accounts.models import User
from leaderboard import boards, past
from leaderboard.boards import Board
from scoreboard import checkpoints, ledger, periods
from scoreboard.models import BoardCheckpoint, BoardPeriod, ScoreHistory, UserScore
from tests.boards.definitions import iso
from tests.boards.drawn import CROWD, EVENTS, PRESENT, a_past, make_past, play, rules
from tests.boards.every_rule import live_at_random, make_all_ready, make_every_rule
from tests.boards.freezing import SECRET, freeze, reveal_all
from tests.support.admin_site import admin, signed_in
from tests.support.boards import Line, address, award, lines_of, make, of_all_totals, ranked, recounted, take_back
from tests.support.client import Api, assert_problem
from tests.support.past import write
from tests.support.people import players
from tests.support.races import unfinished

TOP = "/api/v1/scoreboard/top"
KINDS: dict[str, dict[str, Any]] = {"all": {}, "low": {"order": "low"}, "latest": {"value": "latest", "ties": "latest"}}
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)


def lines(slug: str, at: datetime, *, truth: bool = False) -> list[Line]:
    return lines_of(past.top(past.find(slug, at, truth=truth), 1000, 0))


def shown(api: Api, query: str) -> list[tuple[str, int]]:
    answer = api.get(f"{TOP}?{query}")
    assert answer.status_code == 200, answer.content
    return [(row["username"], row["score"]) for row in answer.json()["data"]]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_any_instant_equals_a_plain_recount(board: Board, seed: int) -> None:
    chance, crowd = random.Random(seed), players(5)
    make_every_rule()
    live_at_random(chance, crowd, 30)
    make_all_ready()
    moments = list(ScoreHistory.objects.order_by("id").values_list("created_at", flat=True))
    now = periods.clock()
    instants = [chance.choice(moments) + timedelta(microseconds=chance.choice((-1, 0, 1, 500))) for _ in range(5)]
    for at in [*(min(at, now) for at in instants), now]:
        assert lines("global", at) == of_all_totals(at), at
        for period in BoardPeriod.objects.select_related("board"):
            slug = f"{period.board.slug}.{period.part}" if period.part else period.board.slug
            if (period.starts_at or FIRST) <= at < (period.ends_at or LAST):
                assert lines(slug, at) == recounted(period, at), (slug, at)


def agree(slug: str, at: datetime, expected: list[Line]) -> int:
    """Each page is that part of what is expected; how many of them a checkpoint told."""
    asked, told = past.find(slug, at), 0
    for limit, offset in ((1, 0), (3, 0), (2, 1), (1000, 0)):
        page = past.top(asked, limit, offset)
        assert lines_of(page) == expected[offset:][:limit]
        assert page.players == len(expected)
        told += past.near(asked, limit, offset) is not None
    return told


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_any_instant_equals_a_plain_recount_by_checkpoints(
    board: Board, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Of three players each, with corrections of what was before them, and players who are hidden later."""
    monkeypatch.setattr(past, "MOST_ENTRIES", 20)
    chance, crowd = random.Random(seed), players(9)
    live_at_random(chance, crowd, 30)
    make_every_rule()
    assert checkpoints.keep(entries=4, best=3) > 50
    live_at_random(chance, crowd, 20)
    make_all_ready()
    checkpoints.keep(entries=4, best=3)
    User.objects.filter(pk__in=[user.pk for user in crowd[:2]]).update(is_hidden=True)
    moments = list(ScoreHistory.objects.order_by("id").values_list("created_at", flat=True))
    now, told = periods.clock(), 0
    instants = [chance.choice(moments) + timedelta(microseconds=chance.choice((-1, 0, 1, 500))) for _ in range(3)]
    for at in [*(min(at, now) for at in instants), now]:
        told += agree("global", at, of_all_totals(at))
        for period in BoardPeriod.objects.select_related("board"):
            if (period.starts_at or FIRST) <= at < (period.ends_at or LAST):
                told += agree(address(period), at, recounted(period, at))
    assert told > 25


@given(st.lists(rules(), min_size=1, max_size=2), EVENTS, PRESENT, st.integers(1, 6), st.integers(1, 4), st.randoms())
@hypothesis_settings(
    max_examples=4,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_checkpoints_of_any_board_over_any_past_say_what_the_history_says(
    afresh: Callable[[], None],
    drawn: list[dict[str, Any]],
    before: list[tuple[int, int, str, int, int]],
    present: list[tuple[int, str, int, int]],
    entries: int,
    best: int,
    chance: random.Random,
) -> None:
    afresh()
    crowd = players(CROWD)
    written_past = a_past(crowd, before)
    write(written_past)
    make_past(drawn)
    periods.keep()
    checkpoints.keep(entries, best)
    play(crowd, present)
    boards.forget()
    checkpoints.keep(entries, best)
    moments = [event.at for event in written_past] + list(ScoreHistory.objects.values_list("created_at", flat=True))
    now = periods.clock()
    for at in (
        min(now, chance.choice(moments or [now]) + timedelta(microseconds=chance.choice((-1, 0, 1)))) for _ in range(6)
    ):
        agree("global", at, of_all_totals(at))
        for period in BoardPeriod.objects.select_related("board"):
            if (period.starts_at or FIRST) <= at < (period.ends_at or LAST):
                agree(address(period), at, recounted(period, at))


def test_no_checkpoint_is_made_while_an_earlier_entry_may_still_come(
    board: Board, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periods, "PATIENCE_SECONDS", 0.1)
    with unfinished(bob, 50):
        award(alice, 5)
        award(alice, 1)
        assert checkpoints.keep(entries=1, best=2) == 0
    at = periods.clock()
    assert checkpoints.keep(entries=1, best=2) == 3
    assert agree("global", at, of_all_totals(at)) == 4


@pytest.mark.parametrize("slug", ["global", "all", "low", "latest"])
def test_a_checkpoint_that_is_wrong_is_found_and_none_of_its_board_is_kept(board: Board, slug: str) -> None:
    rules = {name: make(name, **rule) for name, rule in KINDS.items()}
    live_at_random(random.Random(4), players(5), 15)
    checkpoints.keep(entries=3, best=2)
    mine = BoardCheckpoint.objects.filter(board_id=rules[slug].pk if slug in rules else 0)
    BoardCheckpoint.objects.exclude(pk__in=[one.pk for one in mine]).delete()
    assert len(mine) > 5
    assert [checkpoints.check() for _ in range(10)] == [True] * 10
    last = mine.order_by("at")[len(mine) - 1]
    mine.exclude(at=last.at).delete()
    mine.update(points=[points + 1 for points in last.points])
    assert not checkpoints.check()
    assert not BoardCheckpoint.objects.exists()
    assert checkpoints.check()
    assert checkpoints.keep(entries=3, best=2) > 5


def test_checkpoints_go_with_their_rule(board: Board) -> None:
    rule, crowd = make("all"), players(4)
    live_at_random(random.Random(3), crowd, 15)
    checkpoints.keep(entries=3, best=2)
    mine = BoardCheckpoint.objects.filter(board_id=rule.pk)
    assert mine.count() == BoardCheckpoint.objects.filter(board_id=0).count() > 5
    rule.title = "Another"
    rule.save()
    assert mine.exists()
    rule.value = "best"
    rule.save()
    assert not mine.exists()
    periods.keep()
    at = periods.clock()
    agree("all", at, recounted(BoardPeriod.objects.select_related("board").get(), at))
    checkpoints.keep(entries=3, best=2)
    rule.delete()
    assert set(BoardCheckpoint.objects.values_list("board_id", flat=True)) == {0}


def test_the_global_board_as_of_now_is_the_global_board(board: Board) -> None:
    live_at_random(random.Random(9), players(4), 10)
    totals = UserScore.objects.filter(total__gt=0).order_by("-total", "reached_at", "-user_id")
    assert lines("global", periods.clock()) == ranked([Line(one.user_id, one.total, one.reached_at) for one in totals])


def test_it_is_answered_with_the_period_that_held_the_instant(api: Api, board: Board, alice: User) -> None:
    make("weekly", window="weekly")
    award(alice, 5)
    then = periods.clock()
    award(alice, 3)
    answer = api.get(f"{TOP}?board=weekly&at={iso(then)}").json()
    assert [row["score"] for row in answer["data"]] == [5]
    assert (answer["board"]["period"], answer["at"]) == (boards.get("weekly").period, then.isoformat())
    assert (answer["epoch"], answer["seq"]) == (None, None)
    last_week = (then - timedelta(days=7)).astimezone(UTC)
    answer = api.get(f"{TOP}?board=weekly&at={iso(last_week)}").json()
    assert (answer["data"], answer["players"]) == ([], 0)
    year, week, _ = last_week.isocalendar()
    assert answer["board"]["period"] == f"{year}-W{week:02}"
    assert shown(api, f"board=global&at={iso(FIRST)}") == []


def test_a_correction_is_not_known_before_it_was_made(api: Api, board: Board, alice: User) -> None:
    make("all")
    wrong = award(alice, 5)
    before = periods.clock()
    take_back(wrong)
    assert shown(api, f"board=all&at={iso(before)}") == [("alice", 5)]
    assert shown(api, f"board=all&at={iso(periods.clock())}") == []


def test_hiding_counts_as_of_now_also_for_an_answer_that_is_kept(
    api: Api, board: Board, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "SETTLED", timedelta())
    award(alice, 5)
    award(bob, 9)
    asked = f"board=global&at={iso(periods.clock())}"
    assert shown(api, asked) == shown(api, asked) == [("bob", 9), ("alice", 5)]
    assert past._kept
    User.objects.filter(pk=bob.pk).update(is_hidden=True)
    User.objects.filter(pk=alice.pk).update(username="alicia")
    ledger.announce_players([bob.pk, alice.pk])
    assert shown(api, asked) == [("alicia", 5)]


def test_an_answer_is_kept_and_not_counted_again(
    api: Api, board: Board, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "SETTLED", timedelta())
    award(alice, 5)
    asked = f"board=global&at={iso(periods.clock())}"
    first = shown(api, asked)
    monkeypatch.setattr(past, "NEAR", "SELECT 1/0")
    assert shown(api, asked) == first == [("alice", 5)]


def test_the_public_sees_no_instant_after_a_freeze(api: Api, board: Board, alice: User) -> None:
    rule = make("final")
    award(alice, 5)
    freeze(rule)
    award(alice, SECRET)
    asked = f"board=final&at={iso(periods.clock())}"
    assert shown(api, asked) == [("alice", 5)]
    answer = api.get(f"{TOP}?{asked}").json()
    assert answer["at"] == answer["board"]["frozen_at"] == rule.freeze_at.isoformat()  # type: ignore[union-attr]
    staff = signed_in(admin()).get(f"{TOP}?{asked}&view=truth").json()
    assert [row["score"] for row in staff["data"]] == [SECRET + 5]
    reveal_all(rule)
    assert shown(api, asked) == [("alice", SECRET + 5)]


@pytest.mark.parametrize(
    "query",
    [
        "at=2026-11-26T12:00:00",
        "at=yesterday",
        "at=2999-01-01T00:00:00Z",
        "at=0001-01-01T00:00:00%2B14:00",
        "at=",
        "board=opened&at=2020-01-01T00:00:00Z",
        "at=1999-12-31T23:59:59Z",
        "board=paris&at=0001-01-01T00:00:00Z",
        "board=york&at=0001-01-01T00:00:00Z",
    ],
)
def test_an_instant_that_cannot_be_asked_for_is_refused(api: Api, board: Board, query: str) -> None:
    make("opened", opens_at=datetime(2026, 1, 1, tzinfo=UTC))
    make("paris", window="daily", zone="Europe/Paris")
    make("york", window="weekly", zone="America/New_York")
    assert_problem(api.get(f"{TOP}?{query}"), "invalid-request")


def test_an_unknown_board_or_part_has_no_past(api: Api, board: Board, fresh_limits: None) -> None:
    make("all")
    assert_problem(api.get(f"{TOP}?period=2026-W47&at=2026-11-01T00:00:00Z"), "not-found")
    for slug in ("nothing", "all.eu", "global.eu", "all."):
        assert_problem(api.get(f"{TOP}?board={slug}&at=2026-11-01T00:00:00Z"), "not-found")


def test_past_boards_have_a_limit_of_their_own(api: Api, board: Board, settings: Settings, fresh_limits: None) -> None:
    settings.LIMITS = {**settings.LIMITS, "as-of": "2/minute"}
    asked = f"{TOP}?at={iso(FIRST)}"
    assert [api.get(asked).status_code for _ in range(3)] == [200, 200, 429]
    assert api.get(TOP).status_code == 200
