"""Redemption: a token is paid once, for ever; every refusal says why, and costs nothing."""

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from actions import redemption, tasks, tokens
from actions.models import ActionToken, ActionType
from actions.tokens import Minted
from api.problems import Problem
from leaderboard.boards import Board
from scoreboard.models import MAX_TOTAL, ScoreHistory, UserScore
from tests.support.agreement import assert_agreement
from tests.support.client import UPDATE, Api, assert_problem
from tests.support.people import give, grow_older, outcome, submission, update_body

pytestmark = pytest.mark.usefixtures("board", "unlimited", "quiet_log")


@pytest.fixture
def minted(board: Board, alice: User) -> Minted:
    return tokens.mint(alice.pk, "WIN_MATCH")


def total(user: User) -> int:
    score = UserScore.objects.filter(user=user).first()
    return score.total if score else 0


def test_a_redeemed_token_pays_its_points_and_the_answer_has_the_rank(
    api: Api, board: Board, alice: User, bob: User, minted: Minted
) -> None:
    give(bob, 60)
    answer = api.post(UPDATE, update_body(minted), alice, headers={"X-Request-ID": "request-4711"})
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "data": {"action_id": str(minted.action_id), "new_score": 50, "rank": 2, "score_delta": 50},
    }
    row = ScoreHistory.objects.get(user=alice)
    assert (row.action_id, row.source, row.action_type, row.delta) == (minted.action_id, "action", "WIN_MATCH", 50)
    assert row.request_id == "request-4711"
    redeemed_at = ActionToken.objects.get(pk=minted.action_id).redeemed_at
    assert redeemed_at is not None
    assert minted.expires_at > row.created_at >= redeemed_at
    assert_agreement(board)


def test_a_repeat_is_told_the_first_outcome_and_changes_nothing(
    api: Api, board: Board, alice: User, minted: Minted
) -> None:
    first = api.post(UPDATE, update_body(minted), alice).json()["data"]
    give(alice, 7)
    for _ in range(3):
        document = assert_problem(api.post(UPDATE, update_body(minted), alice), "already-redeemed")
        original = document["original"]
        assert (original["new_score"], original["score_delta"]) == (first["new_score"], first["score_delta"])
        assert datetime.fromisoformat(original["redeemed_at"]) == ScoreHistory.objects.earliest("id").created_at
    assert (total(alice), ScoreHistory.objects.filter(user=alice).count()) == (57, 2)
    assert_agreement(board)


@pytest.mark.parametrize("gone", ["expired", "purged"])
def test_a_repeat_is_told_the_first_outcome_long_after(api: Api, alice: User, minted: Minted, gone: str) -> None:
    api.post(UPDATE, update_body(minted), alice)
    grow_older(timedelta(seconds=25 * 3600))
    if gone == "purged":
        assert tasks.purge_tokens() == 1
    document = assert_problem(api.post(UPDATE, update_body(minted), alice), "already-redeemed")
    assert document["original"]["new_score"] == 50
    assert total(alice) == 50


def test_an_expired_token_is_gone_and_the_purge_waits_a_day(api: Api, alice: User, minted: Minted) -> None:
    grow_older(timedelta(seconds=301))
    assert_problem(api.post(UPDATE, update_body(minted), alice), "token-expired")
    assert tasks.purge_tokens() == 0
    grow_older(timedelta(seconds=24 * 3600))
    assert tasks.purge_tokens() == 1
    assert total(alice) == 0


def test_a_purged_token_that_was_never_redeemed_stays_unpaid(api: Api, alice: User, minted: Minted) -> None:
    ActionToken.objects.all().delete()
    assert_problem(api.post(UPDATE, update_body(minted), alice), "token-invalid")
    assert total(alice) == 0


def test_the_purge_takes_all_of_any_number_and_nothing_else(alice: User, minted: Minted) -> None:
    now = timezone.now()
    old = now - timedelta(days=2)
    ActionToken.objects.bulk_create(
        ActionToken(
            user=alice, action_type="X", points=1, issued_at=old, not_before=old, expires_at=old, purge_after=old
        )
        for _ in range(25)
    )
    assert tasks.purge_tokens(chunk=10) == 25
    assert list(ActionToken.objects.values_list("pk", flat=True)) == [minted.action_id]


def test_too_early_says_when_and_the_token_stays_good(api: Api, alice: User) -> None:
    ActionType.objects.filter(pk="COMPLETE_TASK").update(min_seconds=60)
    minted = tokens.mint_own(alice.pk, "COMPLETE_TASK")
    answer = api.post(UPDATE, update_body(minted), alice)
    assert_problem(answer, "too-early")
    assert 50 <= int(answer["Retry-After"]) <= 60
    assert total(alice) == 0
    grow_older(timedelta(seconds=60))
    assert api.post(UPDATE, update_body(minted), alice).status_code == 200


@pytest.fixture
def stopped_clock() -> Iterator[None]:
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("away", [-300.5, 300.5, -1e9, 1e9, -1e15, 1e15, 0])
def test_a_clock_too_far_away_is_refused(api: Api, alice: User, minted: Minted, away: float) -> None:
    timestamp = time.time() + away if away else 0
    document = assert_problem(api.post(UPDATE, update_body(minted, timestamp=timestamp), alice), "invalid-request")
    assert list(document["errors"]) == ["timestamp"]
    assert total(alice) == 0


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("away", [-299.5, 299.5])
def test_a_clock_within_five_minutes_is_not(api: Api, alice: User, minted: Minted, away: float) -> None:
    assert api.post(UPDATE, update_body(minted, timestamp=time.time() + away), alice).status_code == 200
    assert total(alice) == 50


def test_whole_seconds_will_do(api: Api, alice: User, minted: Minted) -> None:
    assert api.post(UPDATE, update_body(minted, timestamp=int(time.time())), alice).status_code == 200


def test_a_total_that_would_leave_its_range_is_refused_and_the_token_stays_good(
    api: Api, board: Board, alice: User, minted: Minted
) -> None:
    give(alice, MAX_TOTAL - 49)
    assert_problem(api.post(UPDATE, update_body(minted), alice), "score-out-of-range")
    assert total(alice) == MAX_TOTAL - 49
    give(alice, -1)
    answer = api.post(UPDATE, update_body(minted), alice)
    assert answer.json()["data"]["new_score"] == MAX_TOTAL
    assert_agreement(board)


def test_a_player_disabled_after_minting_is_refused_everywhere(api: Api, alice: User, minted: Minted) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert_problem(api.post(UPDATE, update_body(minted), alice), "not-authenticated")
    assert total(alice) == 0


def test_a_hidden_player_scores_and_has_no_rank(api: Api, board: Board, alice: User, minted: Minted) -> None:
    User.objects.filter(pk=alice.pk).update(is_hidden=True)
    data = api.post(UPDATE, update_body(minted), alice).json()["data"]
    assert (data["new_score"], data["rank"]) == (50, None)
    assert_agreement(board)


def test_a_token_whose_row_lost_its_mark_is_not_paid_again(api: Api, alice: User, minted: Minted) -> None:
    """The history's UNIQUE (user, action) is the last word, whatever the token's row says."""
    api.post(UPDATE, update_body(minted), alice)
    ActionToken.objects.filter(pk=minted.action_id).update(redeemed_at=None)
    document = assert_problem(api.post(UPDATE, update_body(minted), alice), "already-redeemed")
    assert document["original"]["new_score"] == 50
    assert total(alice) == 50
    assert ActionToken.objects.get(pk=minted.action_id).redeemed_at is not None


# --- Several at once --------------------------------------------------------------------------------


def test_each_of_many_is_judged_alone_in_its_place(board: Board, alice: User, bob: User) -> None:
    good = [tokens.mint(alice.pk, "WIN_MATCH") for _ in range(3)]
    stranger = tokens.mint(bob.pk, "WIN_MATCH")
    late, ghost = tokens.mint(alice.pk, "WIN_MATCH"), tokens.mint(alice.pk, "WIN_MATCH")
    grow_older(timedelta(seconds=301), pk=late.action_id)
    ActionToken.objects.filter(pk=ghost.action_id).delete()
    handed_in = [
        submission(good[0]),
        submission(stranger),
        submission(good[1]),
        submission(late),
        submission(good[0]),
        submission(good[2], timestamp=0.0),
        submission(ghost),
        submission(good[2], action_id=uuid.uuid4()),
        submission(good[2]),
        submission(good[2]),
    ]
    redemption.redeem_all(alice.pk, handed_in)
    assert [outcome(one) for one in handed_in] == [
        "paid",
        "token-invalid",
        "paid",
        "token-expired",
        "already-redeemed",
        "invalid-request",
        "token-invalid",
        "token-invalid",
        "paid",
        "already-redeemed",
    ]
    assert [one.new_score for one in handed_in if not one.refusal] == [50, 100, 150]
    refusals = [one.refusal for one in handed_in if isinstance(one.refusal, Problem)]
    originals = [refusal.extra["original"] for refusal in refusals if refusal.kind == "already-redeemed"]
    assert [original["new_score"] for original in originals] == [50, 150]
    assert total(alice) == 150
    assert total(bob) == 0
    assert_agreement(board)


def test_many_that_reach_the_end_of_the_range_are_paid_while_they_fit(board: Board, alice: User) -> None:
    give(alice, MAX_TOTAL - 60)
    big, small = tokens.mint(alice.pk, "WIN_MATCH"), tokens.mint(alice.pk, "COMPLETE_TASK")
    twice = tokens.mint(alice.pk, "WIN_MATCH")
    handed_in = [submission(one) for one in (big, twice, twice, small)]
    redemption.redeem_all(alice.pk, handed_in)
    assert [outcome(one) for one in handed_in] == ["paid", "score-out-of-range", "score-out-of-range", "paid"]
    assert total(alice) == MAX_TOTAL
    assert_agreement(board)


def test_nothing_handed_in_is_nothing_done(board: Board, alice: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        redemption.redeem_all(alice.pk, [])
    assert len(queries) == 0


def test_one_statement_redeems_one_token_or_a_hundred(board: Board, alice: User) -> None:
    for count in (1, 100):
        handed_in = [submission(tokens.mint(alice.pk, "DAILY_LOGIN")) for _ in range(count)]
        with CaptureQueriesContext(connection) as queries:
            redemption.redeem_all(alice.pk, handed_in)
        assert [outcome(one) for one in handed_in] == ["paid"] * count
        assert len(queries) == 1
    assert total(alice) == 505
