"""The review queue as a signed-in reviewer uses it."""

import re
from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from accounts.models import User
from integrity.findings import Detector, Finding, Numbers, Severity
from integrity.models import Flag
from integrity.record import record
from scoreboard.models import ScoreHistory
from tests.integrity.past import played
from tests.support.admin_site import signed_in

QUEUE = "/admin/integrity/flag/"
DECIDE = f"{QUEUE}decide/"
LABELS = {
    "hide": "Hide the player",
    "revert": "Revert the flagged points",
    "ban": "Ban the player",
    "dismiss": "Dismiss the flag",
}


def flag(user: User, detector: Detector = Detector.VELOCITY, **fields: Any) -> Flag:
    """An open flag that rests on three real entries."""
    now = timezone.now()
    ids = played(user, [now.timestamp() - 30 + n for n in range(3)])
    numbers: Numbers = {"action_type": "COMPLETE_TASK", "peak": 400, "ceiling": 300, "hours": 23}
    finding = Finding(detector, Severity.HIGH, numbers, now.timestamp() - 30, now.timestamp(), tuple(ids))
    record(user.pk, [finding], now)
    made = Flag.objects.get(user=user, detector=detector, state=Flag.State.OPEN)
    if fields:
        Flag.objects.filter(pk=made.pk).update(**fields)
        made.refresh_from_db()
    return made


def page(flagged: Flag) -> str:
    return f"{QUEUE}{flagged.pk}/change/"


def decide(by: User, measure: str, flags: Iterable[Flag], *, confirmed: bool = True, note: str = "") -> Any:
    """Posts the measure; and then, if it is to be confirmed, what the page that asks holds in its hidden fields."""
    client = signed_in(by)
    body: dict[str, Any] = {"measure": measure, "flag": [one.pk for one in flags], "note": note}
    if confirmed:
        body |= {"confirmed": "yes"} | shown(client.post(DECIDE, {"measure": measure, "flag": body["flag"]}))
    return client.post(DECIDE, body, follow=True)


def shown(asked: Any) -> dict[str, str]:
    """The points that a page said would be taken back, by the field that says so."""
    return dict(re.findall(r'name="(points-\d+)" value="(\d+)"', asked.content.decode()))


def buttons(response: Any) -> list[str]:
    return [measure for measure, label in LABELS.items() if f"{label}…" in response.content.decode()]


def untouched(user: User, flagged: Flag) -> bool:
    user.refresh_from_db()
    flagged.refresh_from_db()
    return (user.is_active, user.is_hidden, flagged.state) == (True, False, "open") and not ScoreHistory.objects.filter(
        source="correction"
    ).exists()
