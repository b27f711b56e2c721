"""What is due to one endpoint: the next of the stream of changes, and whatever waits beside it (notices, replays).

The stream keeps its order: while a delivery fails, those behind it wait, in the history, where the mark stays.
"""

import random
import time
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus

import structlog
from django.db import transaction
from django.utils import timezone

from events import webhooks
from events.client import Answer, Client
from events.envelope import UPDATES
from events.metrics import EVENT_FAILURES, EVENTS
from events.models import Delivery, Endpoint, Mark

log = structlog.get_logger(__name__)

# Seconds before each attempt after the first: over three days in all. Each is lengthened by up to a fifth, so that
# what failed together does not come back together.
RETRIES = (5, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.2
TURN_SECONDS = 5.0  # then it is another endpoint's turn
BESIDE = 20  # notices and replays of one turn


def deliver(endpoint: Endpoint) -> None:
    """All that is due, as far as a turn goes. The caller holds the endpoint's lock."""
    turn_ends = time.monotonic() + TURN_SECONDS
    with Client() as client:
        for delivery in due(endpoint):
            if not Endpoint.objects.filter(pk=endpoint.pk, disabled_at=None).exists():
                return
            attempt(client, endpoint, delivery)
            if time.monotonic() > turn_ends:
                return


def due(endpoint: Endpoint) -> Iterator[Delivery]:
    waiting = Delivery.objects.filter(
        endpoint=endpoint, state=Delivery.State.WAITING, next_attempt_at__lte=timezone.now()
    )
    yield from waiting.filter(in_order=False).order_by("id")[:BESIDE]
    yield from waiting.filter(in_order=True)
    while UPDATES in endpoint.types and (delivery := next_of_stream(endpoint)) is not None:
        yield delivery


def next_of_stream(endpoint: Endpoint) -> Delivery | None:
    """Not saved yet; None while another one is waiting to be tried again, and when there is nothing to tell."""
    if Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.WAITING, in_order=True).exists():
        return None
    mark = Mark.of(endpoint.sink)
    ids = [entry.id for entry in mark.page(endpoint.batch)]
    if not ids:
        return None
    delivery = Delivery(
        endpoint=endpoint, message_id=webhooks.message_id(endpoint, ids), type=UPDATES, in_order=True, entries=ids
    )
    delivery.mark = mark
    return delivery


def attempt(client: Client, endpoint: Endpoint, delivery: Delivery) -> None:
    answer = webhooks.send(client, endpoint, delivery)
    delivery.attempts += 1
    delivery.status, delivery.error, delivery.milliseconds = answer.status, answer.error, answer.milliseconds
    delivery.attempted_at = timezone.now()
    if answer.accepted:
        EVENTS.labels("webhook").inc(delivery.events)
        delivery.state = Delivery.State.DELIVERED
    else:
        EVENT_FAILURES.labels("webhook").inc()
        log.warning("webhook_failed", webhook=str(endpoint.pk), status=answer.status, error=answer.error)
        put_off(endpoint, delivery, answer)
    settle(delivery)


def put_off(endpoint: Endpoint, delivery: Delivery, answer: Answer) -> None:
    """Until the next attempt; after the last one, or when the receiver says that it is gone, it is disabled."""
    if delivery.replay:
        delivery.state = Delivery.State.FAILED  # a person has asked for it, and looks
        return
    gone = answer.status == HTTPStatus.GONE
    if gone or delivery.attempts > len(RETRIES):
        said = "it answers 410, Gone" if gone else f"{delivery.attempts} attempts have failed in three days"
        webhooks.give_up(endpoint, f"{said}; the last: {answer.error or f'status {answer.status}'}")
        if not delivery.in_order:
            delivery.state = Delivery.State.FAILED
        return
    pause = RETRIES[delivery.attempts - 1] * (1 + JITTER * random.random())  # noqa: S311  # spreads, hides nothing
    delivery.next_attempt_at = timezone.now() + timedelta(seconds=pause)


def settle(delivery: Delivery) -> None:
    """Writes what has become of it and, for the stream, the mark, in one transaction."""
    with transaction.atomic():
        if delivery.pk is None:
            delivery.save(force_insert=True)
        elif not Delivery.objects.select_for_update().filter(pk=delivery.pk, state=Delivery.State.WAITING).exists():
            return  # skipped, or deleted with its endpoint, meanwhile
        else:
            delivery.save(force_update=True)
        if not delivery.in_order:
            return
        mark = delivery.mark or Mark.of(delivery.endpoint.sink)
        if delivery.state == Delivery.State.DELIVERED:
            mark.confirm(delivery.entries[-1])
        else:
            mark.keep()  # the window that it was read from
