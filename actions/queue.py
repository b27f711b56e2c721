"""Queued redemption (`Prefer: respond-async`, QUEUE_WHEN_BUSY): accepted now, judged as of now, paid exactly once.

The row in `queued_work` is the promise. The broker carries its id: RabbitMQ by CELERY_BROKER_URL, else Redis. A message
that is lost is sent again by `resend`; one that arrives twice finds the row finished, or waits for its lock.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from accounts.models import User
from actions import batch, dead_letters, redemption
from actions.judged import announce
from actions.metrics import QUEUE_DEAD, QUEUE_SENDS
from actions.models import QueuedWork
from actions.submission import Submission
from actions.tokens import Claims
from api import broker
from api.problems import Problem
from api.refusals import Caller
from api.request_ids import current_request_id

log = structlog.get_logger(__name__)

TASK = "actions.tasks.redeem_queued"
SEE = """
SELECT action_tokens_see(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s)
"""
RESEND_AFTER = timedelta(seconds=60)  # longer than three quick retries take
KEPT = timedelta(days=7)  # how long a finished row answers at its status URL
RESEND_AT_ONCE = 500
# What one user may have in the table. Entries that are refused cost their sender nothing, and a token that is spent
# already can be handed in for ever.
WAITING = 500  # rows
ANSWERS = 1000  # rows; the oldest finished ones are forgotten first
REFUSAL_BYTES = 256  # of what a refusal says beyond its kind
FORGET = """
DELETE FROM queued_work
 WHERE user_id = %(user)s AND state = 'done'
   AND accepted_at < (SELECT accepted_at FROM queued_work WHERE user_id = %(user)s
                       ORDER BY accepted_at DESC OFFSET %(kept)s - 1 LIMIT 1)
"""


def accept(user_id: uuid.UUID, submissions: Sequence[Submission]) -> QueuedWork:
    """Writes the promise and hands it to the broker. The promise holds even if the broker is away.

    The submissions are admitted or refused. Raises OperationalError when PostgreSQL is away, Problem rate-limited when
    too much of the user's is waiting already; then nothing was accepted.
    """
    waiting = QueuedWork.objects.filter(user_id=user_id, state=QueuedWork.State.QUEUED)
    if len(waiting.values_list("pk")[:WAITING]) == WAITING:
        seconds = str(int(RESEND_AFTER.total_seconds()))
        sentence = f"{WAITING} requests of yours are waiting already; try again in {seconds} s."
        raise Problem("rate-limited", sentence, headers={"Retry-After": seconds})
    with transaction.atomic():
        see([one.claims for one in submissions if one.claims and one.claims.separate and not one.refusal])
        work = QueuedWork.objects.create(
            user_id=user_id,
            submissions=[stored(one) for one in submissions],
            request_id=current_request_id(),
            # PostgreSQL's clock: it has set the tokens' times, and by this one they will be judged.
            accepted_at=Now(),
            sent_at=Now(),
        )
    send(work.pk, work.request_id)
    return work


def see(claims: Sequence[Claims]) -> None:
    """Makes the rows of a separate signer's tokens that are met for the first time."""
    if claims:
        with connection.cursor() as cursor:
            cursor.execute(SEE, [*redemption.columns(claims), settings.APPROVE_TYPE_POINTS])


def stored(one: Submission) -> dict[str, Any]:
    """A submission as kept in the row: the claims of a token that was found good, or the refusal of any other.

    The token itself is not kept: its key may be rotated out while the work waits.
    """
    if one.refusal or one.claims is None:
        problem = batch.problem_of(one.refusal)
        refusal = {"kind": problem.kind, "detail": problem.sentence, "extra": problem.extra}
        if len(json.dumps(refusal, default=str)) > REFUSAL_BYTES:
            refusal |= {"detail": "Hand it in without respond-async to hear what is wrong with it.", "extra": {}}
        return {"action_id": one.name, "refusal": refusal}
    claims = {**asdict(one.claims), "action_id": str(one.claims.action_id)}
    del claims["user_id"]
    return {"action_id": one.name, "claims": claims}


def restored(work: QueuedWork, item: dict[str, Any]) -> Submission:
    """The submission that `stored` has kept."""
    one = Submission(name=item["action_id"], request_id=work.request_id, caller=Caller(work.user_id))
    if "refusal" in item:
        one.refusal = Problem(**item["refusal"])
    else:
        claims = item["claims"]
        one.claims = Claims(**{**claims, "action_id": uuid.UUID(claims["action_id"]), "user_id": work.user_id})
        one.action_type = one.claims.action_type
    return one


def send(work_id: uuid.UUID, request_id: str) -> None:
    """Hands one id to the broker; a broker that is away is logged, counted, and tried again by `resend`.

    The worker's log lines, whatever becomes of the work, carry the id of the request that was answered with 202.
    """
    try:
        broker.hand_over(TASK, str(work_id), request_id=request_id, declare=dead_letters.needed)
        QUEUE_SENDS.labels("sent").inc()
    except broker.BrokerAway as error:
        QUEUE_SENDS.labels("failed").inc()
        log.warning("queue_send_failed", work=str(work_id), error=str(error))


def process(work_id: uuid.UUID) -> None:
    """Judges the submissions as of their acceptance and finishes the row, in one transaction, then tells the board.

    Does nothing to work that is finished. Whatever it raises leaves everything as it was.
    """
    with transaction.atomic():
        work = QueuedWork.objects.select_for_update().filter(pk=work_id, state=QueuedWork.State.QUEUED).first()
        if work is None:
            return
        submissions = [restored(work, item) for item in work.submissions]
        redemption.spend([one for one in submissions if one.refusal is None], as_of=work.accepted_at)
        finish(work, submissions)
    # Announced after the commit, like every score; the ranks are added to the stored answer as a courtesy.
    announce(submissions)
    if any(one.rank for one in submissions):
        finish(work, submissions)
    with connection.cursor() as cursor:
        cursor.execute(FORGET, {"user": work.user_id, "kept": ANSWERS})


def finish(work: QueuedWork, submissions: Sequence[Submission]) -> None:
    """Stores the results, in the place of what they were made from."""
    results = [batch.result(one) for one in submissions]
    QueuedWork.objects.filter(pk=work.pk).update(
        submissions=[],
        results=json.loads(JSONRenderer().render(results)),  # the same text as in an answer given at once
        state=QueuedWork.State.DONE,
        finished_at=timezone.now(),
        error="",
    )


def failed(work_id: uuid.UUID, error: str, *, final: bool) -> None:
    """Notes a failed attempt; the final one makes the work dead, for an admin to look at and replay."""
    changes: dict[str, Any] = {"error": error[:2000]}
    if final:
        changes |= {"state": QueuedWork.State.DEAD, "finished_at": timezone.now()}
        QUEUE_DEAD.inc()
    QueuedWork.objects.filter(pk=work_id, state=QueuedWork.State.QUEUED).update(attempts=F("attempts") + 1, **changes)


def replay(work: QueuedWork) -> bool:
    """Sends dead work once more, judged as of its first acceptance. Returns whether it was dead."""
    revived = QueuedWork.objects.filter(pk=work.pk, state=QueuedWork.State.DEAD).update(
        state=QueuedWork.State.QUEUED, attempts=0, finished_at=None, sent_at=Now()
    )
    if revived:
        transaction.on_commit(lambda: send(work.pk, work.request_id))
    return bool(revived)


def resend(now: datetime | None = None) -> int:
    """Sends again what was accepted long ago and is still waiting: its message was lost, or the broker was away."""
    late = QueuedWork.objects.filter(state=QueuedWork.State.QUEUED, sent_at__lt=(now or Now()) - RESEND_AFTER)
    found = dict(late.order_by("sent_at").values_list("pk", "request_id")[:RESEND_AT_ONCE])
    QueuedWork.objects.filter(pk__in=found).update(sent_at=now or Now())
    for work_id, request_id in found.items():
        send(work_id, request_id)
    return len(found)


def purge(now: datetime | None = None) -> int:
    """Deletes answers older than KEPT. Dead work stays until an admin decides."""
    done = QueuedWork.objects.filter(state=QueuedWork.State.DONE, finished_at__lt=(now or timezone.now()) - KEPT)
    return done.delete()[0]


def status(work_id: uuid.UUID, user: User) -> QueuedWork | None:
    """The user's own queued work, or None."""
    return QueuedWork.objects.filter(pk=work_id, user_id=user.pk).first()
