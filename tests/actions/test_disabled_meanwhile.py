"""A player is disabled while a batch of theirs is being redeemed: each token is paid and spent, or neither."""

import pytest
from django.db import connection, transaction

from accounts.models import User
from actions import redemption, tokens
from actions.models import ActionToken
from actions.submission import Submission
from leaderboard.boards import Board
from scoreboard.models import UserScore
from tests.support.agreement import assert_agreement
from tests.support.people import outcome, submission
from tests.support.races import Meanwhile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unlimited")]

HOLD = 47_11
STOP_AFTER_CLAIM = f"""
CREATE FUNCTION stop_here() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared({HOLD}); RETURN NULL; END $$;
CREATE TRIGGER stop_here AFTER UPDATE ON action_tokens FOR EACH STATEMENT EXECUTE FUNCTION stop_here()
"""


def test_a_player_who_is_disabled_after_the_claim_loses_no_token(board: Board, alice: User) -> None:
    """In a batch that also has a repeat: what was claimed is then looked up once more."""
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    batch = [submission(minted), submission(minted)]

    def redeem() -> list[str]:
        admitted = [Submission(claims=tokens.verify(one.action_token)) for one in batch]
        redemption.commit(admitted)
        return [outcome(one) for one in admitted]

    with connection.cursor() as cursor:
        cursor.execute(STOP_AFTER_CLAIM)
        try:
            with transaction.atomic():
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [HOLD])
                redeeming = Meanwhile(redeem)
                redeeming.wait_until_blocked()
                User.objects.filter(pk=alice.pk).update(is_active=False)
            told = redeeming.outcome()
        finally:
            cursor.execute("DROP FUNCTION stop_here CASCADE")
    assert told == ["paid", "already-redeemed"]
    assert UserScore.objects.get(pk=alice.pk).total == 50
    assert ActionToken.objects.get(pk=minted.action_id).redeemed_at is not None
    assert_agreement(board)
