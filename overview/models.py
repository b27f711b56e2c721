"""What people were told."""

from django.db import models
from django.db.models.functions import Now


class Notice(models.Model):
    """One message to the people who run the site: at most one of a cause within an hour.

    `upto`: how far its cause was looked at, for the next look. Kept for 90 days.
    """

    class Cause(models.TextChoices):
        FLAGS = "flags", "Suspicious play was flagged"
        DRIFT = "drift", "Board and database differed"
        DEAD_WORK = "dead-work", "Queued work is dead"
        PROJECTION = "projection", "Redis does not take the board"

    id = models.BigAutoField(primary_key=True)
    cause = models.CharField(max_length=16, choices=Cause)
    count = models.PositiveBigIntegerField(help_text="Of what: the sentence says.")
    sentence = models.TextField()
    path = models.CharField(max_length=200, help_text="Where to act, on this site.")
    upto = models.DateTimeField()
    made_at = models.DateTimeField(db_default=Now(), editable=False)
    tries = models.PositiveSmallIntegerField(default=0, help_text="To mail it.")
    mailed_at = models.DateTimeField(null=True, help_text="Empty: no addressees, or the mail server did not take it.")

    class Meta:
        db_table = "notices"
        default_permissions = ("view",)
        indexes = [models.Index(fields=["cause", "-id"], name="notices_latest")]

    def __str__(self) -> str:
        return f"{self.get_cause_display()} at {self.made_at:%Y-%m-%d %H:%M}"
