"""What was found, who decided what about it, and how far the watch has come."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.models import User
from integrity.findings import SENTENCES, Detector, Severity
from scoreboard.models import ScoreHistory


class Flag(models.Model):
    """One suspicion against one player, for a person to judge. Nothing is taken from anybody by a flag itself.

    `evidence`: {"strongest": finding, "latest": finding, "times": how often there was something new}, a finding being
    {"severity", "numbers", "window": [ISO time, ISO time], "history_ids": [at most 100], "accounts"}. All entries it
    rests on are in `flagged_entries`.
    """

    class State(models.TextChoices):
        OPEN = "open"
        CONFIRMED = "confirmed"
        DISMISSED = "dismissed"

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.PROTECT, related_name="flags", verbose_name="player")
    detector = models.CharField(max_length=16, choices=Detector)
    severity = models.CharField(max_length=16, choices=Severity)
    evidence = models.JSONField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    opened_at = models.DateTimeField()
    updated_at = models.DateTimeField(help_text="When evidence was last added.")
    evidence_until = models.DateTimeField(help_text="The end of the newest evidence.")
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    decided_at = models.DateTimeField(null=True)
    measures = models.CharField(max_length=100, blank=True, help_text="What was done: hide, revert, ban, dismiss.")
    note = models.TextField(blank=True)

    class Meta:
        db_table = "flags"
        default_permissions = ("view",)
        permissions = [
            ("decide_flag", "Can decide flags"),
            ("ban_player", "Can ban players because of a flag"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["user", "detector"], condition=Q(state="open"), name="flags_one_open"),
            models.CheckConstraint(
                condition=Q(state="open", decided_at__isnull=True) | Q(~Q(state="open"), decided_at__isnull=False),
                name="flags_decided",
            ),
        ]
        indexes = [models.Index(fields=["state", "-severity", "-updated_at"], name="flags_queue")]

    def __str__(self) -> str:
        return f"Flag {self.pk}: {self.get_detector_display()}"

    @property
    def sentence(self) -> str:
        """The strongest finding in words."""
        return SENTENCES[self.detector].format(**self.evidence["strongest"]["numbers"])


class FlaggedEntry(models.Model):
    """One history row that a flag rests on: what a revert takes back."""

    id = models.BigAutoField(primary_key=True)
    flag = models.ForeignKey(Flag, models.CASCADE, related_name="entries", db_index=False)
    history = models.ForeignKey(ScoreHistory, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        db_table = "flagged_entries"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["flag", "history"], name="flagged_entries_once")]

    def __str__(self) -> str:
        return f"{self.history_id} of flag {self.flag_id}"


class Watermark(models.Model):
    """How far the watch has come: one row, locked by the scan at work.

    A pass looks at everybody whose standing was changed by a transaction from `since` on and before `until`, in the
    order (transaction, player), page by page. The next pass begins at `next_since`, the oldest transaction that was
    still open when this one began: a commit can be late but is never missed.
    """

    id = models.SmallAutoField(primary_key=True)
    source = models.CharField(max_length=64, blank=True, help_text="Which database the numbers belong to.")
    since = models.BigIntegerField(default=0)
    until = models.BigIntegerField(null=True, help_text="Empty between two passes.")
    next_since = models.BigIntegerField(default=0)
    at_transaction = models.BigIntegerField(default=0)
    at_user = models.UUIDField(default=uuid.UUID(int=0))
    began_at = models.DateTimeField(null=True, help_text="When the pass under way began.")
    seen_until = models.DateTimeField(null=True, help_text="When the last finished pass began.")
    hour = models.DateTimeField(null=True, help_text="Start of the next hour to be compared across players.")
    hour_fence = models.BigIntegerField(
        null=True, help_text="When every transaction below this is over, the hour is complete."
    )

    class Meta:
        db_table = "watch_watermark"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.source}:{self.since}"

    @staticmethod
    def claim() -> "Watermark | None":
        """The row, locked until the end of the transaction; None when another run is at work."""
        row = Watermark.objects.select_for_update(skip_locked=True).filter(pk=1)
        if (mark := row.first()) or Watermark.objects.exists():
            return mark
        Watermark.objects.bulk_create([Watermark(pk=1)], ignore_conflicts=True)
        return row.all().first()
