"""What proves that something was done, once: tokens, awards, and the queued work that is to spend tokens."""

import uuid
from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import User
from actions.models.catalogue import Grant

LONGEST_KEPT = timedelta(days=2)  # a token that counts against no limit: a day after it has expired


class ActionToken(models.Model):
    """What is spent: a signature alone never scores. Deleted once it has expired and counts against no limit any more.

    The points and the type are those of the moment of minting; a later change of the catalogue does not touch them.
    Neither user nor type is a foreign key in SQL: the mint statement reads both rows, and a key-share lock on
    the type's one row by every mint would be the hottest spot of the database.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    action_type = models.CharField(max_length=50)
    points = models.PositiveIntegerField()
    issued_at = models.DateTimeField()
    not_before = models.DateTimeField(help_text="Sooner than this no honest player is done.")
    expires_at = models.DateTimeField()
    redeemed_at = models.DateTimeField(null=True)
    granted_by = models.CharField(
        max_length=8, choices=Grant, db_default=Grant.BACK_END, help_text="Whose word it was issued on."
    )
    issued_by = models.UUIDField(null=True, help_text="The API key that asked for it.")
    purge_after = models.DateTimeField(db_default=Now() + LONGEST_KEPT)

    class Meta:
        db_table = "action_tokens"
        indexes = [
            models.Index(fields=["purge_after"], name="action_tokens_purge"),
            # What a player granted themselves lately: the limits of action_mint.
            models.Index(
                fields=["user", "issued_at"], condition=Q(granted_by=Grant.PLAYER), name="action_tokens_own_grants"
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Award(models.Model):
    """One deed that a back end told of: what makes a repeat pay nothing, for ever, whichever key of the provider tells.

    `key` is the SHA-256 of the site's own id of the deed. The id itself goes when the player is erased: it may name the
    player. What the award did is in the history, under `action_id`. No foreign keys, as in ActionToken.
    """

    action_id = models.UUIDField(primary_key=True)
    provider = models.CharField(max_length=32)
    key = models.BinaryField(max_length=32)
    external_id = models.CharField(max_length=255, blank=True, help_text="The site's own id of the deed.")
    user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False, related_name="+")
    action_type = models.CharField(max_length=50)
    points = models.PositiveIntegerField(null=True, help_text="As asked for; empty: the type's.")
    value = models.BigIntegerField(null=True, help_text="Of a measure.")
    issued_by = models.UUIDField(help_text="The API key that told.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "awards"
        constraints = [models.UniqueConstraint(fields=["provider", "key"], name="awards_once")]

    def __str__(self) -> str:
        return f"{self.provider}: {self.external_id or self.action_id}"


class QueuedWork(models.Model):
    """Submissions accepted with 202. This row is the durable promise; the broker only carries its id.

    A worker spends the tokens and finishes the row in one transaction, so that a redelivery finds it done.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        DONE = "done"
        DEAD = "dead"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.ForeignKey(User, models.PROTECT, db_index=False, related_name="+")
    # [{"action_id", "claims": {…}} | {"action_id", "refusal": {…}}]: what could be refused at once was.
    submissions = models.JSONField()
    request_id = models.CharField(max_length=64, blank=True)
    accepted_at = models.DateTimeField()
    sent_at = models.DateTimeField(help_text="When the broker was last handed the id.")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, help_text="What the last failed attempt said.")
    results = models.JSONField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "queued_work"
        verbose_name_plural = "queued work"
        indexes = [
            models.Index(fields=["sent_at"], condition=Q(state="queued"), name="queued_work_waiting"),
            models.Index(fields=["finished_at"], name="queued_work_finished"),
            models.Index(fields=["accepted_at"], condition=Q(state="dead"), name="queued_work_dead"),
            models.Index(fields=["user", "accepted_at"], name="queued_work_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"
