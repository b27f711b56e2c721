"""Boards of every kind of rule, entries at random for them, and the check that all equal a plain recount."""

import random
import uuid
from collections.abc import Sequence
from typing import Any

from accounts.models import User
from leaderboard import boards, ranking
from leaderboard.boards import Board
from scoreboard import ledger, periods
from scoreboard.ledger import Entry
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, ScoreHistory
from tests.support.boards import Line, enter_or_leave, in_sql, lines_of, make, recounted

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


def make_every_rule() -> list[Rule]:
    return [make(f"rule-{number}", **rule) for number, rule in enumerate(RULES)]


def live_at_random(chance: random.Random, crowd: Sequence[User], rounds: int) -> None:
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
        board = boards.listing().boards[period.pk]
        assert in_sql(board) == recounted(period), (period.board.slug, period.part)
    for board in boards.everyone():
        if ranking.epoch(board):
            assert in_redis(board) == in_sql(board), board


def make_all_ready() -> None:
    """Parts of boards that new values have opened."""
    periods.keep()
    boards.forget()
