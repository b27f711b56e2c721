"""What was accepted is paid as of then, whatever happens while it waits, and never twice."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.db.models import F
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from actions import queue, tasks, tokens
from actions.models import ActionToken, ActionType, Grant, QueuedWork
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory
from tests.support.agreement import assert_agreement
from tests.support.client import UPDATE, Api, assert_problem
from tests.support.people import grow_older, total, update_body
from tests.support.queued import BATCH, PREFER, fresh, queued, results, status
from tests.support.races import at_once, none_failed
from tests.support.signer import Signer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]


def days_pass() -> None:
    """Everything that is there is three days old."""
    ago = timedelta(days=3)
    grow_older(ago)
    QueuedWork.objects.update(accepted_at=F("accepted_at") - ago, sent_at=F("sent_at") - ago)


def test_a_token_that_expires_while_it_waits_is_paid(api: Api, alice: User) -> None:
    action = fresh(alice)
    work = queued(api, alice, action)
    ActionToken.objects.update(expires_at=work.accepted_at + timedelta(milliseconds=1))
    assert_problem(api.post(UPDATE, action, alice), "token-expired")
    assert [result["status"] for result in results(api, alice, work)] == [200]
    assert total(alice) == 50


def test_one_that_had_expired_before_is_not(api: Api, alice: User) -> None:
    work = queued(api, alice, fresh(alice))
    ActionToken.objects.update(expires_at=work.accepted_at)
    assert [result["status"] for result in results(api, alice, work)] == [410]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_web_server_whose_clock_is_off_accepts_as_of_postgresqls(api: Api, alice: User, hours: int) -> None:
    """PostgreSQL set the token's times: by another clock it would be expired, or too early."""
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        work = queued(api, alice, update_body(minted))
    assert abs(work.accepted_at - minted.issued_at) < timedelta(minutes=30)
    assert [result["status"] for result in results(api, alice, work)] == [200]
    assert queue.resend() == 0


def test_waiting_makes_nothing_less_early(api: Api, alice: User) -> None:
    ActionType.objects.filter(slug="WIN_MATCH").update(min_seconds=60)
    work = queued(api, alice, fresh(alice))
    ActionToken.objects.update(not_before=work.accepted_at + timedelta(milliseconds=1))
    assert [result["status"] for result in results(api, alice, work)] == [425]


@pytest.mark.parametrize("dead", [False, True])
@pytest.mark.parametrize("meanwhile", [{}, {"points": 60}, {"points": 40}, {"enabled": False}], ids=str)
def test_work_that_waits_for_days_is_paid_as_it_was_accepted(
    api: Api, alice: User, dead: bool, meanwhile: dict[str, Any]
) -> None:
    """Longer than tokens are kept, and through a change of the catalogue."""
    paid, waiting, another = fresh(alice), fresh(alice), fresh(alice)
    assert api.post(UPDATE, paid, alice).status_code == 200
    work = queued(api, alice, paid, waiting)
    if dead:
        queue.failed(work.pk, "broken", final=True)
    days_pass()
    assert tasks.purge_tokens() == 1
    assert not ActionToken.objects.filter(pk=another["action_id"]).exists()
    if meanwhile:
        ActionType.objects.filter(slug="WIN_MATCH").update(**meanwhile)
    if dead:
        work.refresh_from_db()
        assert queue.replay(work)
    assert [(result["status"], result.get("score_delta")) for result in results(api, alice, work)] == [
        (409, None),
        (200, 50),
    ]
    assert total(alice) == 100
    assert tasks.purge_tokens() == 2
    again = queued(api, alice, waiting)
    assert [result["status"] for result in results(api, alice, again)] == [409]


def test_a_purge_compares_no_token_with_each_that_waits() -> None:
    """Whatever the statistics say: with two thousand batches in the queue that took longer than a statement may."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {tasks.PURGE}", [5000])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "hashed SubPlan" in plan, plan


def test_a_separate_signers_token_is_paid_as_it_was_accepted(api: Api, alice: User, settings: Settings) -> None:
    signer = Signer()
    settings.ACTION_TOKEN_KEYS = [signer.setting]
    ActionType.objects.filter(slug="WIN_MATCH").update(granted_by="signer")
    work = queued(api, alice, signer.body(alice))
    days_pass()
    ActionType.objects.filter(slug="WIN_MATCH").update(enabled=False)
    assert tasks.purge_tokens() == 0
    assert [result["status"] for result in results(api, alice, work)] == [200]


def test_a_separate_signers_token_that_the_catalogue_does_not_allow_gets_no_row(
    api: Api, alice: User, settings: Settings
) -> None:
    """Not when it is accepted, and not because the catalogue allows it by the time it is judged."""
    signer = Signer()
    settings.ACTION_TOKEN_KEYS = [signer.setting]
    ActionType.objects.filter(slug="WIN_MATCH").update(granted_by="signer")
    work = queued(api, alice, signer.body(alice, points=60))
    ActionType.objects.filter(slug="WIN_MATCH").update(max_points=60)
    assert [result["status"] for result in results(api, alice, work)] == [403]
    assert not ActionToken.objects.exists()


@pytest.mark.parametrize("granted_by", Grant.values)
def test_a_token_whose_row_never_was_is_refused_here_too(api: Api, alice: User, granted_by: str) -> None:
    """Its signature is good: made with the site's own key, or revoked by taking its row away."""
    before, meanwhile = fresh(alice), fresh(alice)
    ActionType.objects.update(granted_by=granted_by, cooldown=1)
    ActionToken.objects.filter(pk=before["action_id"]).delete()
    work = queued(api, alice, before, meanwhile)
    ActionToken.objects.filter(pk=meanwhile["action_id"]).delete()
    assert [result["status"] for result in results(api, alice, work)] == [403, 403]
    assert total(alice) == 0


def test_a_key_that_is_rotated_out_while_it_waits_does_not_matter(api: Api, alice: User, settings: Settings) -> None:
    work = queued(api, alice, fresh(alice))
    settings.ACTION_TOKEN_KEYS = [Signer().setting]
    assert [result["status"] for result in results(api, alice, work)] == [200]


def test_a_player_disabled_while_it_waits_is_not_paid(api: Api, alice: User) -> None:
    work = queued(api, alice, fresh(alice))
    User.objects.filter(pk=alice.pk).update(is_active=False)
    queue.process(work.pk)
    work.refresh_from_db()
    assert work.state == "done"
    assert work.results is not None
    assert [result["status"] for result in work.results] == [401]
    assert total(alice) == 0


def test_a_message_that_comes_twice_pays_once(api: Api, alice: User, board: Board) -> None:
    work = queued(api, alice, fresh(alice), fresh(alice))
    said = results(api, alice, work)
    finished = status(api, alice, work)["finished_at"]
    assert results(api, alice, work) == said
    assert status(api, alice, work)["finished_at"] == finished
    assert total(alice) == 100
    assert_agreement(board)


def test_sixteen_deliveries_at_one_moment_pay_once(api: Api, alice: User, board: Board) -> None:
    work = queued(api, alice, *(fresh(alice) for _ in range(20)))
    none_failed(at_once(16, lambda _: queue.process(work.pk)))
    assert total(alice) == 20 * 50
    assert ScoreHistory.objects.count() == 20
    said = status(api, alice, work)["results"]
    assert [result["status"] for result in said] == [200] * 20
    assert {result["rank"] for result in said} == {1}
    assert_agreement(board)


def test_the_same_action_queued_and_handed_in_is_paid_once(api: Api, alice: User) -> None:
    action = fresh(alice)
    works = [queued(api, alice, action) for _ in range(4)]

    def either(number: int) -> Any:
        return queue.process(works[number].pk) if number < 4 else Api().post(UPDATE, action, alice).status_code

    outcomes = none_failed(at_once(8, either))
    statuses = [status(api, alice, work)["results"][0]["status"] for work in works] + outcomes[4:]
    assert sorted(statuses) == [200] + [409] * 7
    assert total(alice) == 50


def test_a_message_about_nothing_does_nothing() -> None:
    queue.process(uuid.uuid4())
    assert not ScoreHistory.objects.exists()


def test_lost_messages_are_sent_again_and_others_are_not(
    api: Api, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[uuid.UUID] = []
    monkeypatch.setattr(queue, "send", lambda work_id, request_id: sent.append(work_id))
    late, early, done = (queued(api, alice, fresh(alice)) for _ in range(3))
    queue.process(done.pk)
    old = timezone.now() - queue.RESEND_AFTER - timedelta(seconds=1)
    QueuedWork.objects.filter(pk__in=[late.pk, done.pk]).update(sent_at=old)
    sent.clear()
    assert queue.resend() == 1
    assert sent == [late.pk]
    assert queue.resend() == 0, "it has just been sent"
    assert QueuedWork.objects.get(pk=early.pk).state == "queued"


def test_old_answers_are_forgotten_and_promises_are_not(api: Api, alice: User) -> None:
    done, recent, waiting, dead = (queued(api, alice, fresh(alice)) for _ in range(4))
    queue.process(done.pk)
    queue.process(recent.pk)
    queue.failed(dead.pk, "broken", final=True)
    long_ago = timezone.now() - queue.KEPT - timedelta(seconds=1)
    QueuedWork.objects.exclude(pk=recent.pk).update(finished_at=long_ago, accepted_at=long_ago)
    assert queue.purge() == 1
    assert set(QueuedWork.objects.values_list("pk", flat=True)) == {recent.pk, waiting.pk, dead.pk}


def test_a_batch_in_which_nothing_is_left_to_judge_is_answered_at_once(api: Api, alice: User) -> None:
    """Keeping refusals for a week would let anyone fill the disk."""
    answer = api.post(BATCH, {"actions": [{}, {"x" * 5000: 1}, "nonsense"]}, alice, PREFER)
    assert answer.status_code == 200
    assert [result["status"] for result in answer.json()["data"]["results"]] == [400, 400, 400]
    assert not QueuedWork.objects.exists()


def test_a_refusal_does_not_repeat_what_was_sent(api: Api, alice: User) -> None:
    body = {"actions": [{f"{n}{'x' * 500}": 1 for n in range(200)}]}
    answer = api.post(BATCH, body, alice)
    [result] = answer.json()["data"]["results"]
    assert len(result["errors"]) == 10
    assert len(answer.content) < 2000
