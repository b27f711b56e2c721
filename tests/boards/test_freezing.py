"""A frozen board: nothing newer than the freeze on any way out, corrections at once, and the revealing step by step."""

import uuid

from accounts.models import User
from leaderboard import boards, reads, reconcile
from leaderboard.boards import Board
from scoreboard import freezing, ledger, periods
from scoreboard.ledger import Entry
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, ScoreHistory
from tests.support.boards import in_sql, make, recounted
from tests.support.people import player


def award(user: User, points: int, **more: object) -> ledger.Outcome:
    source = ScoreHistory.Source.CORRECTION if "reverses" in more else ScoreHistory.Source.AWARD
    entry = Entry(user.pk, uuid.uuid4(), source, delta=points, action_type="QUIZ", **more)  # type: ignore[arg-type]
    [outcome] = ledger.record([entry])
    ledger.announce([outcome.standing])
    assert outcome.outcome == "recorded"
    return outcome


def freeze(rule: Rule) -> Rule:
    """From this moment on."""
    rule.freeze_at = freezing.now()
    rule.save()
    periods.keep()
    boards.forget()
    return rule


def scores(board: Board) -> list[tuple[str, int]]:
    return [(row.username, row.score) for row in reads.top(board, 100).rows]


def test_a_frozen_board_stands_still_and_the_truth_goes_on(board: Board) -> None:
    alice, bob = player("alice"), player("bob")
    rule = make("final")
    award(alice, 10)
    freeze(rule)
    award(bob, 30)
    public, truth = boards.get("final"), boards.truth("final")
    for one in (public, truth):
        reconcile.reconcile(one)
    award(alice, 5)
    assert scores(public) == [("alice", 10)]
    assert scores(truth) == [("bob", 30), ("alice", 15)]
    assert public.frozen_at == rule.freeze_at
    assert in_sql(public) == recounted(BoardPeriod.objects.get(truth=False))
    assert in_sql(truth) == recounted(BoardPeriod.objects.get(truth=True))
