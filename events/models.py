"""How far each sink has been told, which webhooks there are, and what was delivered to them."""

import uuid
from datetime import timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from events.addresses import refuse_url
from scoreboard import changes
from scoreboard.changes import Recorded

MAX_BATCH = 500
MAX_ENDPOINTS = 50


KEPT_FIELDS = ("cluster", "since", "until", "after")


class Moved(Exception):
    """The mark was moved by another process."""


class Mark(models.Model):
    """How far one sink has been told of the history: the window it is in, and the last entry of it that was confirmed.

    In the database that it speaks of: it comes back with it from a backup, and goes over with it to a stand-by.
    """

    sink = models.CharField(max_length=64, primary_key=True)
    cluster = models.CharField(max_length=32)
    since = models.TextField(help_text="The snapshot of which everything was confirmed.")
    until = models.TextField(blank=True, help_text="The snapshot up to which it is being told; empty between two.")
    after = models.BigIntegerField(help_text="The last entry confirmed.")
    moved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "event_marks"
        default_permissions = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.was = {name: getattr(self, name) for name in KEPT_FIELDS}

    def __str__(self) -> str:
        return f"{self.sink} after {self.after}"

    @staticmethod
    def of(sink: str) -> "Mark":
        """The sink's own; made now, with nothing before now in it, if there is none."""
        if (mark := Mark.objects.filter(pk=sink).first()) is not None:
            return mark
        after = changes.newest()  # before the snapshot: what is committed between the two is told
        cluster, since = changes.here()
        begun = {"cluster": cluster, "since": since, "after": after}
        return Mark.objects.get_or_create(pk=sink, defaults=begun)[0]

    def page(self, limit: int) -> list[Recorded]:
        """The next entries; none when the sink has been told everything. Writes nothing: `confirm` does, or `keep`."""
        cluster, until = changes.here()
        if cluster != self.cluster:
            self.rebase(cluster, until)
        if self.until and (found := changes.entries(self.since, self.until, self.after, limit)):
            return found
        since = self.until or self.since
        first = changes.first(since, until)
        if first is None:
            return []
        self.since, self.until, self.after = since, until, first - 1
        return changes.entries(since, until, self.after, limit)

    def rebase(self, cluster: str, until: str) -> None:
        """In another cluster, into which a dump was loaded, transactions have other numbers, and entries their ids.

        So it goes on by ids, from the first entry that may not have been confirmed; some are told again.
        """
        late = changes.first_open(self.until or self.since)
        self.cluster, self.since, self.until = cluster, "", until
        self.after = self.after if late is None else min(self.after, late - 1)

    def confirm(self, last: int) -> None:
        """The sink has confirmed the entries up to this one of the window it is in. Raises Moved."""
        self.after = last
        self.keep()

    def keep(self) -> None:
        """Writes it over what it was read as. Raises Moved when it is something else by now: this process has lost its
        lock, with its session, and another one goes on."""
        now = {name: getattr(self, name) for name in KEPT_FIELDS}
        if not Mark.objects.filter(pk=self.pk, **self.was).update(**now, moved_at=timezone.now()):
            raise Moved(self.sink)
        self.was = now

    def skip_to_now(self) -> None:
        """Nothing committed before now is told."""
        self.after, self.until = changes.newest(), ""
        self.cluster, self.since = changes.here()
        self.keep()


def validate_url(url: str) -> None:
    if refusal := refuse_url(url):
        raise ValidationError(refusal)


class Endpoint(models.Model):
    """One webhook of one receiver. `previous_secret` signs beside `secret` until `previous_until`."""

    class Type(models.TextChoices):
        UPDATES = "scoreboard.updates", "scoreboard.updates: each change of a score"
        NOTICE = "scoreboard.notice", "scoreboard.notice: what operators should know"
        PERIOD_CLOSED = "scoreboard.period_closed", "scoreboard.period_closed: final ranks of a board's period"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    url = models.CharField(max_length=500, validators=[validate_url], verbose_name="URL")
    types = ArrayField(models.CharField(max_length=40, choices=Type))
    batch = models.PositiveIntegerField(
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_BATCH)],
        help_text="Most events in one request. 1: each request is one event; more: each is a list of events.",
    )
    secret = models.CharField(max_length=64, editable=False)
    previous_secret = models.CharField(max_length=64, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, editable=False, related_name="+", db_index=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_because = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        db_table = "webhook_endpoints"
        verbose_name = "webhook"

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not self.types:
            raise ValidationError({"types": f"Expected one of {', '.join(Endpoint.Type.values)}, or more."})
        if self._state.adding and Endpoint.objects.count() >= MAX_ENDPOINTS:
            raise ValidationError(f"There are {MAX_ENDPOINTS} webhooks already.")

    @property
    def sink(self) -> str:
        """The name of its mark."""
        return f"webhook:{self.pk}"

    @property
    def secrets(self) -> list[str]:
        """Those that sign now, the newest first."""
        if self.previous_until is None or self.previous_until <= timezone.now():
            return [self.secret]
        return [self.secret, self.previous_secret]


class Delivery(models.Model):
    """One request to an endpoint, with all its attempts: the log. What was sent is not in it, but read from the history
    by `entries`; any other event has its `data`.

    `in_order`: part of the stream of changes, of which the next is not sent before this one has arrived.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILED = "failed"
        SKIPPED = "skipped"

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries", verbose_name="webhook")
    message_id = models.UUIDField(help_text="The header webhook-id.")
    type = models.CharField(max_length=40)
    in_order = models.BooleanField(default=False)
    entries = ArrayField(models.BigIntegerField(), default=list)
    data = models.JSONField(null=True)
    replay = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    status = models.PositiveIntegerField(null=True, help_text="Of the last answer.")
    error = models.CharField(max_length=300, blank=True)
    milliseconds = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    attempted_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(default=timezone.now)

    mark: Mark | None = None  # from which a new one of the stream was read, until it is written

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"], condition=Q(in_order=True, state="waiting"), name="webhook_deliveries_one_head"
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="webhook_deliveries_log"),
            models.Index(fields=["endpoint", "next_attempt_at"], condition=Q(state="waiting"), name="webhook_due"),
        ]

    def __str__(self) -> str:
        return f"{self.type} to {self.endpoint_id}"

    @property
    def events(self) -> int:
        """How many it carries."""
        return len(self.entries) or 1


KEPT = timedelta(days=30)
KEPT_OF_ONE = 1000


def purge() -> int:
    """Deletes what the log is not to keep: older than KEPT, or beyond the newest KEPT_OF_ONE of an endpoint; not what
    is still to be delivered, unless to one that has been disabled for as long."""
    over, before = Delivery.objects.exclude(state=Delivery.State.WAITING), timezone.now() - KEPT
    purged, _ = over.filter(created_at__lt=before).delete()
    given_up = Delivery.objects.filter(in_order=False, endpoint__disabled_at__lt=before)
    purged += given_up.filter(created_at__lt=before).delete()[0]
    for endpoint in Endpoint.objects.all():
        newest = Delivery.objects.filter(endpoint=endpoint).order_by("-id")
        limit: Any = newest.values_list("pk", flat=True)[KEPT_OF_ONE : KEPT_OF_ONE + 1]
        for pk in limit:
            purged += over.filter(endpoint=endpoint, pk__lte=pk).delete()[0]
    return purged
