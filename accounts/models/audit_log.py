"""What was refused, and why."""

from django.db import models

from accounts.models.keys import ApiKey
from accounts.models.user import User


class AuditLog(models.Model):
    """What was refused: one line for the repeats of one caller and reason within a minute. Written by `audit` alone.

    Without foreign keys in the database: a batch must not fail for a token that names a user who is gone. `subject` is
    the user whom it concerned, `request_id` and `detail` are those of the first refusal.
    """

    DETAIL = 200

    id = models.UUIDField(primary_key=True, editable=False)
    kind = models.CharField(max_length=40, help_text="The problem's slug.")
    reason = models.CharField(max_length=40, help_text="Why more exactly; the label of scoreboard_auth_failures_total.")
    user = models.ForeignKey(User, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    api_key = models.ForeignKey(
        ApiKey, models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    address = models.CharField(max_length=64, help_text="A keyed hash.")
    subject = models.ForeignKey(User, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    action_type = models.CharField(max_length=50)
    request_id = models.CharField(max_length=64)
    detail = models.CharField(max_length=DETAIL)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    count = models.BigIntegerField()

    class Meta:
        db_table = "audit_log"
        verbose_name = "refusal"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.kind} at {self.first_at:%Y-%m-%d %H:%M}"
