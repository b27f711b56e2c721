"""What reviewers decide: points back through the ledger, off the board at once, out of the site; each logged."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry

from accounts import sign_in
from accounts.models import User
from actions import redemption, tokens
from api.problems import Problem
from integrity import decisions
from integrity.decisions import decide
from leaderboard.boards import Board
from scoreboard.approvals import NotPossible
from tests.integrity.cases import burst, corrections, flagged, redeemed
from tests.support.agreement import assert_agreement, sql_rows
from tests.support.client import MINT, Api, assert_problem
from tests.support.people import bearer, player, submission, total
from tests.support.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("watched", "unlimited")]


# --- Hide, ban, dismiss -----------------------------------------------------------------------------


def test_hiding_takes_the_player_off_the_board_at_once(alice: User, bob: User, reviewer: User, watched: Board) -> None:
    flag = flagged(alice, redeemed(alice, 2))
    redeemed(bob, 1)
    decide(flag.pk, "hide", reviewer, "")
    assert [row.user_id for row in sql_rows()] == [str(bob.pk)]
    assert_agreement(watched)
    assert decide(flag.pk, "hide", reviewer, "") == "Was hidden already."


def test_a_banned_player_is_off_the_board_and_out_of_the_site(
    alice: User, reviewer: User, watched: Board, api: Api
) -> None:
    flag = flagged(alice, redeemed(alice, 2))
    refresh = sign_in.start(alice)["refresh"]
    headers, minted = bearer(alice), tokens.mint(alice.pk, "COMPLETE_TASK")
    assert decide(flag.pk, "ban", reviewer, "a farm") == "Banned, and hidden from the boards."
    assert sql_rows() == []
    assert_agreement(watched)
    assert not alice.sign_ins.filter(ended_at=None).exists()
    with pytest.raises(Problem, match="has ended"):
        sign_in.rotate(refresh)
    assert_problem(api.post(MINT, {"action_type": "COMPLETE_TASK"}, headers=headers), "not-authenticated")
    with pytest.raises(Problem, match="disabled"):
        redemption.redeem(alice.pk, submission(minted))
    assert decide(flag.pk, "ban", reviewer, "") == "Was banned already."


def test_a_ban_leaves_other_peoples_tokens_alone(alice: User, bob: User, reviewer: User) -> None:
    theirs = sign_in.start(bob)["refresh"]
    decide(flagged(alice, redeemed(alice, 1)).pk, "ban", reviewer, "")
    assert sign_in.rotate(theirs)["access"]


def test_a_dismissed_flag_leaves_everything_as_it_is(alice: User, reviewer: User, watched: Board) -> None:
    flag = flagged(alice, redeemed(alice, 2))
    assert decide(flag.pk, "dismiss", reviewer, "keen, not a cheat") == "Dismissed."
    flag.refresh_from_db()
    assert (flag.state, flag.decided_by, flag.note) == ("dismissed", reviewer, "keen, not a cheat")
    assert flag.decided_at
    assert (total(alice), len(sql_rows())) == (20, 1)


# --- States and records -----------------------------------------------------------------------------


def test_several_measures_confirm_one_flag_and_notes_add_up(alice: User, reviewer: User) -> None:
    flag = flagged(alice, redeemed(alice, 2))
    for measure, note in [("hide", "first look"), ("revert", ""), ("hide", ""), ("ban", "sure now")]:
        decide(flag.pk, measure, reviewer, note)
    flag.refresh_from_db()
    assert (flag.state, flag.measures, flag.note) == ("confirmed", "hide, revert, ban", "first look\nsure now")


@pytest.mark.parametrize("measure", list(decisions.MEASURES))
def test_what_was_dismissed_stays_dismissed(alice: User, reviewer: User, measure: str) -> None:
    flag = flagged(alice, redeemed(alice, 2))
    decide(flag.pk, "dismiss", reviewer, "")
    with pytest.raises(NotPossible, match="was dismissed"):
        decide(flag.pk, measure, reviewer, "")
    assert (total(alice), len(sql_rows())) == (20, 1)


def test_what_was_acted_upon_cannot_be_dismissed(alice: User, reviewer: User) -> None:
    flag = flagged(alice, redeemed(alice, 2))
    decide(flag.pk, "hide", reviewer, "")
    with pytest.raises(NotPossible, match="confirmed"):
        decide(flag.pk, "dismiss", reviewer, "")


@pytest.mark.parametrize("measure", list(decisions.MEASURES))
def test_nobody_decides_about_themselves(reviewer: User, measure: str) -> None:
    flag = flagged(reviewer, burst(reviewer, 2))  # from the time before they were staff
    with pytest.raises(NotPossible, match="yourself"):
        decide(flag.pk, measure, reviewer, "")


@pytest.mark.parametrize("measure", list(decisions.MEASURES))
def test_each_decision_is_in_the_admin_log_of_the_flag_and_of_the_player(
    alice: User, reviewer: User, measure: str
) -> None:
    flag = flagged(alice, redeemed(alice, 2))
    done = decide(flag.pk, measure, reviewer, "the note")
    logged = {(entry.object_id, entry.user_id, entry.get_change_message()) for entry in LogEntry.objects.all()}
    message = f"{done} (Too many points a minute): the note"
    assert logged == {(str(flag.pk), reviewer.pk, message), (str(alice.pk), reviewer.pk, message)}


def test_a_decision_that_fails_leaves_no_trace(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    flag = flagged(alice, redeemed(alice, 2))
    stranger = User(pk=uuid.uuid4())
    with pytest.raises(Exception, match="foreign key"):
        decide(flag.pk, "revert", stranger, "")
    flag.refresh_from_db()
    assert (flag.state, total(alice), corrections(alice)) == ("open", 20, [])


def test_decisions_of_two_reviewers_at_the_same_moment_are_one_after_the_other(alice: User, reviewer: User) -> None:
    """The second decision meets the first one's state: dismissed and acted upon exclude each other."""
    other = player("otto", role=User.Role.ADMIN, is_staff=True)
    flag = flagged(alice, redeemed(alice, 2))
    outcomes = at_once(2, lambda n: decide(flag.pk, ["hide", "dismiss"][n], [reviewer, other][n], ""))
    refused = [outcome for outcome in outcomes if isinstance(outcome, NotPossible)]
    assert len(refused) == 1
    alice.refresh_from_db()
    flag.refresh_from_db()
    assert (flag.state == "dismissed") == (not alice.is_hidden)
