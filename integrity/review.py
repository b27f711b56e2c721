"""What a reviewer is shown of a flag: its evidence in words, the entries it rests on, the accounts, other flags."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import User
from integrity.decisions import compensation_id, revertible
from integrity.findings import SENTENCES, Severity
from integrity.models import Flag, FlaggedEntry
from scoreboard.models import ScoreHistory

SHOWN = 50  # entries, accounts


@dataclass(frozen=True, slots=True)
class Finding:
    """One of the two findings that `evidence` keeps, for reading."""

    title: str
    sentence: str
    severity: str
    began: datetime
    ended: datetime
    entries: int
    numbers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One flagged history row. `reverted`: some flag took it back."""

    entry: ScoreHistory
    reverted: bool


@dataclass(frozen=True, slots=True)
class Review:
    """Everything on the page of one flag."""

    total: int
    times: int
    findings: list[Finding]
    lines: list[Line]
    entries: int
    revertible: int
    accounts: list[User]
    others: list[Flag]


def review(flag: Flag) -> Review:
    """Reads it all; a few statements, however much evidence there is."""
    names = flag.evidence["latest"].get("accounts", [])
    return Review(
        total=flag.user.score.total if hasattr(flag.user, "score") else 0,
        times=flag.evidence["times"],
        findings=findings(flag),
        lines=lines(flag),
        entries=FlaggedEntry.objects.filter(flag=flag).count(),
        revertible=revertible(flag),
        accounts=list(User.objects.filter(pk__in=names).select_related("score").order_by("date_joined")[:SHOWN]),
        others=list(Flag.objects.filter(user=flag.user).exclude(pk=flag.pk).order_by("-updated_at")[:SHOWN]),
    )


def findings(flag: Flag) -> list[Finding]:
    strongest, latest = flag.evidence["strongest"], flag.evidence["latest"]
    found = [finding(flag, "Strongest", strongest)]
    return found if strongest == latest else [*found, finding(flag, "Latest", latest)]


def finding(flag: Flag, title: str, data: Mapping[str, Any]) -> Finding:
    began, ended = (datetime.fromisoformat(text) for text in data["window"])
    return Finding(
        title=title,
        sentence=SENTENCES[flag.detector].format(**data["numbers"]),
        severity=Severity(data["severity"]).label,
        began=began,
        ended=ended,
        entries=data.get("entries", 0),
        numbers={name.replace("_", " "): value for name, value in data["numbers"].items()},
    )


def lines(flag: Flag) -> list[Line]:
    """The newest flagged rows."""
    newest = FlaggedEntry.objects.filter(flag=flag).order_by("-history_id").select_related("history")[:SHOWN]
    entries = [flagged.history for flagged in newest]
    made = {compensation_id(entry.pk): entry.pk for entry in entries}
    reverted = ScoreHistory.objects.filter(user_id=flag.user_id, action_id__in=made)
    taken = {made[action_id] for action_id in reverted.values_list("action_id", flat=True)}
    return [Line(entry, entry.pk in taken) for entry in entries]
