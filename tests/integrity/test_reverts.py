"""Points taken back through the ledger: exactly those that were flagged, once, never more than there are."""

from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from integrity.decisions import decide
from integrity.findings import Detector
from leaderboard.boards import Board
from scoreboard import ledger
from scoreboard.approvals import NotPossible
from scoreboard.models import ScoreHistory
from tests.integrity.cases import corrections, flagged, redeemed
from tests.support.agreement import assert_agreement
from tests.support.people import entry, give, total
from tests.support.races import Meanwhile, at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("watched", "unlimited")]


def test_a_revert_takes_back_the_flagged_points_and_no_others(alice: User, reviewer: User, watched: Board) -> None:
    honest = redeemed(alice, 3)
    bad = redeemed(alice, 5)
    give(alice, 1000)
    flag = flagged(alice, bad)
    assert decide(flag.pk, "revert", reviewer, "a bot") == "50 points of 5 entries taken back."
    assert total(alice) == 1030
    made = corrections(alice)
    assert [entry.delta for entry in made] == [-10] * 5
    assert {entry.actor_id for entry in made} == {reviewer.pk}
    assert [entry.reason for entry in made] == [f"Reverts entry {pk}: a bot" for pk in sorted(bad)]
    assert not any(str(pk) in entry.reason for pk in honest for entry in made)
    assert_agreement(watched)


def test_reverting_twice_takes_nothing_more(alice: User, reviewer: User) -> None:
    flag = flagged(alice, redeemed(alice, 5))
    give(alice, 1000)
    decide(flag.pk, "revert", reviewer, "")
    assert decide(flag.pk, "revert", reviewer, "") == "There was nothing to take back."
    assert total(alice) == 1000


def test_what_two_flags_rest_on_is_taken_back_once(alice: User, reviewer: User) -> None:
    ids = redeemed(alice, 6)
    first, second = flagged(alice, ids[:4]), flagged(alice, ids[2:], Detector.TIRELESS)
    give(alice, 1000)
    decide(first.pk, "revert", reviewer, "")
    assert decide(second.pk, "revert", reviewer, "") == "20 points of 2 entries taken back."
    assert total(alice) == 1000


def test_sixteen_reverts_at_the_same_moment_are_one(alice: User, reviewer: User) -> None:
    flag = flagged(alice, redeemed(alice, 5))
    give(alice, 1000)
    done = at_once(16, lambda _: decide(flag.pk, "revert", reviewer, ""))
    assert sorted(str(sentence) for sentence in done) == [
        "50 points of 5 entries taken back.",
        *["There was nothing to take back."] * 15,
    ]
    assert (total(alice), len(corrections(alice))) == (1000, 5)


def test_a_revert_beside_play_neither_loses_nor_invents_a_point(alice: User, reviewer: User) -> None:
    flag = flagged(alice, redeemed(alice, 20))

    def act(number: int) -> Any:
        return decide(flag.pk, "revert", reviewer, "") if number == 0 else redeemed(alice, 5)

    outcomes = at_once(8, act)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert total(alice) == 7 * 5 * 10


def test_a_revert_never_takes_more_than_there_is(alice: User, reviewer: User, watched: Board) -> None:
    flag = flagged(alice, redeemed(alice, 5))
    give(alice, target=25)
    assert decide(flag.pk, "revert", reviewer, "") == "25 points of 3 entries taken back."
    assert total(alice) == 0
    assert [entry.delta for entry in corrections(alice)] == [-10, -10, -5]
    assert_agreement(watched)


def test_a_flag_without_entries_has_nothing_to_revert(alice: User, reviewer: User) -> None:
    flag = flagged(alice, [], Detector.ADDRESS)
    with pytest.raises(NotPossible, match="rests on no entries"):
        decide(flag.pk, "revert", reviewer, "")
    flag.refresh_from_db()
    assert flag.state == "open"


def test_what_nobody_earned_by_acting_is_not_taken_back(alice: User, reviewer: User) -> None:
    give(alice, 100)
    bonus = ScoreHistory.objects.get(user=alice)
    flag = flagged(alice, [bonus.pk])
    assert decide(flag.pk, "revert", reviewer, "") == "There was nothing to take back."
    assert total(alice) == 100


def test_a_total_that_sinks_while_a_revert_waits_is_what_the_revert_takes_from(alice: User, reviewer: User) -> None:
    """Entries made for the total of before would be refused by the ledger, and points would stay that should not."""
    flag = flagged(alice, redeemed(alice, 5))
    with transaction.atomic():
        ledger.record([entry(alice, target=25)])
        revert = Meanwhile(lambda: decide(flag.pk, "revert", reviewer, ""))
        revert.wait_until_blocked()
    assert revert.outcome() == "25 points of 3 entries taken back."
    assert total(alice) == 0
