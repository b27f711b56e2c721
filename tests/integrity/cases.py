"""Cases of the watch: players with a past, and flags that rest on it."""

from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import User
from actions import redemption, tokens
from integrity import scan
from integrity.findings import Detector, Finding, Numbers, Severity
from integrity.models import Flag, Watermark
from integrity.record import record
from scoreboard.models import ScoreHistory
from tests.integrity.past import every, played
from tests.support.people import submission
from tests.support.processes import eventually


def burst(user: User, count: int = 40, ago: float = 60.0) -> list[int]:
    """A second between two of them, the last one so many seconds ago."""
    return played(user, every(1.0, count, ago=ago))


def flags(user: User) -> list[tuple[str, str]]:
    """(detector, state) of each, oldest first."""
    return list(Flag.objects.filter(user=user).order_by("pk").values_list("detector", "state"))


def redeemed(user: User, count: int) -> list[int]:
    """Tokens really minted and redeemed; their history ids."""
    for _ in range(count):
        redemption.redeem(user.pk, submission(tokens.mint(user.pk, "COMPLETE_TASK")))
    return list(ScoreHistory.objects.filter(user=user).order_by("-id").values_list("id", flat=True)[:count])


def flagged(user: User, history_ids: list[int], detector: Detector = Detector.VELOCITY) -> Flag:
    """An open flag of this player that rests on these rows."""
    numbers: Numbers = {"action_type": "COMPLETE_TASK", "peak": 400, "ceiling": 300, "hours": 24}
    now = timezone.now()
    finding = Finding(
        detector, Severity.HIGH, numbers, now.timestamp() - 60, now.timestamp(), tuple(sorted(history_ids))
    )
    record(user.pk, [finding], now)
    return Flag.objects.get(user=user, detector=detector, state=Flag.State.OPEN)


def last_hour() -> datetime:
    """The last whole hour, which is the next that the watch compares."""
    scan.scan()
    hour = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    Watermark.objects.update(hour=hour, hour_fence=None)
    return hour


def rounds(hour: datetime) -> None:
    """As many as it takes until the hour is compared: other databases of this server may have transactions open."""

    def compared() -> bool:
        scan.scan()
        return (Watermark.objects.get().hour or hour) > hour

    eventually(compared, "the hour is compared")


def corrections(user: User) -> list[ScoreHistory]:
    return list(ScoreHistory.objects.filter(user=user, source="correction").order_by("id"))
