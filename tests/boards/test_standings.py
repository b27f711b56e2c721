"""Every board equals a plain recount of the history: in SQL, in Redis, and after each way by which it came about."""

import random
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from accounts.models import User
from leaderboard import boards, ranking, rebuild, reconcile, sweep, truth
from leaderboard.boards import Board
from scoreboard import ledger, periods
from scoreboard.ledger import Entry
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, BoardStanding, ScoreHistory
from tests.support.boards import Line, enter_or_leave, in_sql, lines_of, make, recounted
from tests.support.client import Api
from tests.support.people import players, site_key

RULES: list[dict[str, Any]] = [
    {"window": "all"},
    {"window": "weekly", "zone": "Pacific/Auckland"},
    {"window": "daily", "value": "best"},
    {"window": "daily", "value": "best", "order": "low", "action_types": ["LAP"]},
    {"window": "monthly", "value": "latest", "ties": "latest"},
    {"window": "weekly", "value": "best", "order": "low", "action_types": ["TIME"]},
    {"window": "daily", "value": "days", "action_types": ["TIME", "LAP"]},
    {"window": "all", "action_types": ["TIME", "LAP"]},
    {"window": "yearly", "value": "days", "zone": "America/New_York"},
    {"window": "yearly", "value": "days", "ties": "shared"},
    {"window": "daily", "value": "best", "ties": "dense"},
    {"window": "daily", "value": "latest", "order": "low", "ties": "dense"},
    {"window": "days", "every_days": 3, "starts_on": "2026-01-01", "sources": ["award"]},
    {"window": "all", "attribute": "region", "attribute_value": "eu"},
    {"window": "weekly", "attribute": "region", "attribute_value": "*"},
    {"window": "all", "attempts": 3},
    {"window": "daily", "value": "best", "attempts": 2},
    {"window": "monthly", "value": "latest", "attempts": 4, "action_types": ["LAP"]},
    {"window": "yearly", "value": "days", "attempts": 1},
    {"window": "all", "entry": "join"},
    {"window": "daily", "entry": "join", "value": "best", "attempts": 2, "attribute": "region", "attribute_value": "*"},
]


def in_redis(board: Board) -> list[Line]:
    return lines_of(ranking.top(board, 1000))


def make_all() -> list[Rule]:
    return [make(f"rule-{number}", **rule) for number, rule in enumerate(RULES)]


def live(chance: random.Random, crowd: Sequence[User], rounds: int) -> None:
    """Deeds, bonuses, corrections of some of them, and players who move, join and leave."""
    known = [*Rule.objects.values_list("pk", flat=True)]
    for _ in range(rounds):
        for rule in Rule.objects.filter(entry=Rule.Entry.JOIN):
            if chance.random() < 0.4:
                enter_or_leave(rule, chance.choice(crowd))
        entries = [some_entry(chance, chance.choice(crowd)) for _ in range(chance.randint(1, 6))]
        some = chance.sample(known, chance.randint(0, min(3, len(known)))) if chance.random() < 0.5 else None
        ledger.announce(outcome.standing for outcome in ledger.record(entries, some))
        if chance.random() < 0.3:
            mover = chance.choice(crowd)
            User.objects.filter(pk=mover.pk).update(region=chance.choice(["", "eu", "us", "EU"]))
            ledger.announce_players([mover.pk])


def some_entry(chance: random.Random, user: User) -> Entry:
    earlier = (
        ScoreHistory.objects.filter(user=user, reverses=None, source__in=["action", "award", "bonus"])
        .order_by("?")
        .first()
    )
    if earlier and chance.random() < 0.2:
        return Entry(
            user.pk,
            uuid.uuid5(earlier.action_id, "reversed"),
            ScoreHistory.Source.CORRECTION,
            delta=-earlier.delta,
            action_type=earlier.action_type,
            reverses=earlier.pk,
            value=earlier.value,
        )
    if chance.random() < 0.25:
        value = chance.randint(-9, 9)
        metadata = {"track": value} if value % 2 else None
        return Entry(
            user.pk, uuid.uuid4(), ScoreHistory.Source.AWARD, action_type="TIME", value=value, metadata=metadata
        )
    source = chance.choice(["action", "award", "award", "bonus", "bonus"])
    kind = chance.choice(["LAP", "QUIZ"]) if source != "bonus" else ""
    return Entry(user.pk, uuid.uuid4(), ScoreHistory.Source(source), delta=chance.randint(1, 9), action_type=kind)


def assert_all_agree() -> None:
    boards.forget()
    for period in BoardPeriod.objects.exclude(filled_at=None).select_related("board"):
        board = boards.by_id(period.pk)
        assert board is not None
        assert in_sql(board) == recounted(period), (period.board.slug, period.part)
    for board in boards.everyone():
        if ranking.epoch(board):
            assert in_redis(board) == in_sql(board), board


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))])
def test_live_entries_corrections_and_moves(board: Board, seed: int) -> None:
    chance, crowd = random.Random(seed), players(5)
    make_all()
    for one in boards.everyone():
        reconcile.reconcile(one)
    live(chance, crowd, 25)
    make_all_ready()
    live(chance, crowd, 10)
    assert BoardStanding.objects.filter(shown=True).exists()
    assert_all_agree()
    for one in boards.everyone():
        rebuild.rebuild(one)  # parts on which nobody has scored are not there yet
        assert reconcile.reconcile(one, check=True).drift == 0


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_boards_made_later_are_filled_from_the_history(board: Board, seed: int) -> None:
    chance, crowd = random.Random(seed), players(5)
    live(chance, crowd, 25)
    make_all()
    assert_all_agree()
    live(chance, crowd, 10)
    assert_all_agree()


def test_an_edited_rule_counts_points_already_given_and_leaves_no_ghost(board: Board) -> None:
    crowd = players(3)
    rule = make("laps", action_types=["LAP"])
    before = boards.get("laps")
    live(random.Random(5), crowd, 20)
    assert in_sql(before)
    rule.action_types, rule.value = ["QUIZ"], "best"
    rule.save()
    periods.keep()
    assert_all_agree()
    after = boards.get("laps")
    assert after.id != before.id
    assert boards.by_id(before.id) is None
    live(random.Random(6), crowd, 10)
    assert_all_agree()
    rule.delete()
    boards.forget()
    live(random.Random(7), crowd, 5)
    assert boards.find("laps") is None
    assert not BoardPeriod.objects.exists()
    periods.purge_stray()
    assert not BoardStanding.objects.exists()


def make_all_ready() -> None:
    """Parts of boards that new values have opened."""
    periods.keep()
    boards.forget()


def test_viewers_of_a_board_are_not_told_of_what_changed_on_others(board: Board) -> None:
    """The sweep writes every line of the player anew, under the version that the other board has raised."""
    [user] = players(1)
    make("best", value="best")
    best = boards.get("best")
    reconcile.reconcile(best)
    award(user, 9)
    before = ranking.meta(best, "seq")
    award(user, 5)
    assert sweep.sweep(best).seen == 1
    assert ranking.meta(best, "seq") == before
    assert in_redis(best) == in_sql(best)
    award(user, 10)
    assert ranking.meta(best, "seq") != before


def award(user: User, delta: int) -> None:
    ledger.announce(
        outcome.standing
        for outcome in ledger.record([Entry(user.pk, uuid.uuid4(), ScoreHistory.Source.AWARD, delta=delta)])
    )


def test_an_award_counts_by_the_region_that_comes_with_it(board: Board) -> None:
    """Also for a player who is made by it, and for one who has moved; a repeat moves no player."""
    make("region", attribute="region", attribute_value="*")
    api, key = Api(), site_key()
    deed = {"player": "42", "action_type": "COMPLETE_TASK"}
    for number, region in (("1", "eu"), ("2", "us"), ("1", "asia")):
        answer = api.post("/api/v1/awards", {**deed, "id": number, "attributes": {"region": region}}, headers=key)
        assert answer.status_code in (200, 201), answer.content
    make_all_ready()
    assert [row.score for row in truth.top(boards.get("region.eu"), 5).rows] == [10]
    assert [row.score for row in truth.top(boards.get("region.us"), 5).rows] == [10]
    assert boards.find("region.asia") is None
    assert User.objects.get(external_id="42").region == "us"
    assert_all_agree()
