"""Endpoints by Standard Webhooks (standardwebhooks.com): made, rotated, switched; and one request to one of them."""

import base64
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from accounts.audit import WEBHOOK_DISABLED
from accounts.models import User
from api.refusals import Caller, Refusal, record
from events import closings, envelope
from events.client import Answer, Client
from events.encryption import sealed
from events.models import Delivery, Endpoint, Mark
from scoreboard import changes

log = structlog.get_logger(__name__)

SECRET_BYTES = 32
ROTATION_OVERLAP = timedelta(hours=24)
AGENT = "scoreboard-webhooks/1"


# --- what people do -----------------------------------------------------------------------------------


def create(name: str, url: str, types: Sequence[str], *, batch: int = 100, created_by: User | None = None) -> Endpoint:
    """Makes one; its first event is the next that happens. `secret` is to be shown now, and never again.

    Raises ValidationError.
    """
    endpoint = Endpoint(
        name=name, url=url, types=list(types), batch=batch, secret=fresh_secret(), created_by=created_by
    )
    endpoint.full_clean(exclude=["created_by"])
    with transaction.atomic():
        endpoint.save(force_insert=True)
        Mark.of(endpoint.sink)
    return endpoint


def rotate(endpoint: Endpoint) -> str:
    """A new secret, which is to be shown now; the old one signs beside it for ROTATION_OVERLAP."""
    with transaction.atomic():
        now = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        now.previous_secret, now.secret = now.secret, fresh_secret()
        now.previous_until = timezone.now() + ROTATION_OVERLAP
        now.save(update_fields=["secret", "previous_secret", "previous_until"])
    return now.secret


def fresh_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def disable(endpoint: Endpoint, because: str) -> None:
    """Nothing more is sent to it. Does nothing to one that is disabled."""
    Endpoint.objects.filter(pk=endpoint.pk, disabled_at=None).update(
        disabled_at=timezone.now(), disabled_because=because[:300]
    )


def give_up(endpoint: Endpoint, because: str) -> None:
    """Disables it because of how it answers, and has that told: in the audit log, and in admin."""
    disable(endpoint, because)
    said = f"The webhook {endpoint.name} was disabled: {because}"
    log.error("webhook_disabled", webhook=str(endpoint.pk), because=because)
    record(Refusal(WEBHOOK_DISABLED, str(endpoint.pk), said, Caller(), None, "", ""))


def enable(endpoint: Endpoint, *, skip: bool) -> None:
    """Sends to it again: what it has missed, too, or (`skip`) only what happens from now on."""
    with transaction.atomic():
        Endpoint.objects.filter(pk=endpoint.pk).update(disabled_at=None, disabled_because="")
        waiting = Delivery.objects.select_for_update().filter(endpoint=endpoint, state=Delivery.State.WAITING)
        if skip:
            waiting.update(state=Delivery.State.SKIPPED)
            Mark.of(endpoint.sink).skip_to_now()
        else:
            waiting.update(attempts=0, next_attempt_at=timezone.now())


def delete(endpoint: Endpoint) -> None:
    """With its log and its mark. Locked first: a delivery that is being noted is either deleted with it, or fails."""
    with transaction.atomic():
        for locked in Endpoint.objects.select_for_update().filter(pk=endpoint.pk):
            locked.delete()
        Mark.objects.filter(pk=endpoint.sink).delete()


def skip(delivery: Delivery) -> bool:
    """Gives up a delivery that fails, so that those behind it go on. Returns whether it was still waiting."""
    with transaction.atomic():
        waiting = Delivery.objects.select_for_update().filter(pk=delivery.pk, state=Delivery.State.WAITING).first()
        if waiting is None:
            return False
        Delivery.objects.filter(pk=waiting.pk).update(state=Delivery.State.SKIPPED)
        if waiting.in_order:
            Mark.of(waiting.endpoint.sink).confirm(waiting.entries[-1])
        return True


def replay(delivery: Delivery) -> Delivery:
    """Has the same events sent once more, under the same webhook-id, beside whatever else is sent."""
    copied = {name: getattr(delivery, name) for name in ("endpoint", "message_id", "type", "entries", "data")}
    return Delivery.objects.create(**copied, replay=True)


def try_out(endpoint: Endpoint) -> Delivery:
    """Has a notice sent to it alone, whatever types it takes."""
    sentence = "This webhook is being tried out. Nothing has happened."
    path = reverse("admin:events_endpoint_changelist")
    said = {"cause": "try-out", "count": 0, "sentence": sentence, "path": path}
    return Delivery.objects.create(endpoint=endpoint, message_id=uuid.uuid4(), type=Endpoint.Type.NOTICE, data=said)


# --- one request ----------------------------------------------------------------------------------------


def message_id(endpoint: Endpoint, ids: Sequence[int]) -> uuid.UUID:
    """The same for the same events, also from a process that knows of no earlier attempt; another for others."""
    return uuid.uuid5(endpoint.pk, ",".join(map(str, ids)))


def send(client: Client, endpoint: Endpoint, delivery: Delivery) -> Answer:
    """One attempt. What is sent is made anew: who the player is, and the rank, are as of now."""
    body = encoded(endpoint, events_of(delivery))
    single = endpoint.batch == 1
    headers: dict[bytes | str, bytes | str] = {
        "Content-Type": envelope.CONTENT_TYPE if single else envelope.BATCH_CONTENT_TYPE,
        "User-Agent": AGENT,
        **signed(endpoint, delivery, body),
    }
    return client.post(endpoint.url, body.encode(), headers)


def signed(endpoint: Endpoint, delivery: Delivery, body: str) -> dict[bytes | str, bytes | str]:
    now = timezone.now()
    message = f"msg_{delivery.message_id.hex}"
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message, now, body) for secret in endpoint.secrets),
    }


def events_of(delivery: Delivery) -> list[dict[str, Any]]:
    if delivery.entries:
        return envelope.updates(changes.these(delivery.entries))
    at, data = envelope.timestamp(delivery.created_at), delivery.data or {}
    if delivery.type == Endpoint.Type.PERIOD_CLOSED:
        at, data = data["closed_at"], closings.told(data)
    return [envelope.envelope(delivery.type, str(delivery.message_id), None, at, data)]


def encoded(endpoint: Endpoint, events: Sequence[dict[str, Any]]) -> str:
    """One event, for an endpoint that wants them one by one; a list, however many they are, for every other."""
    sent = [envelope.text(sealed(event)) for event in events]
    return sent[0] if endpoint.batch == 1 else f"[{','.join(sent)}]"
