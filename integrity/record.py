"""Findings become flags: one open flag for each player and detector, to which new evidence is added."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from integrity.findings import Finding
from integrity.models import Flag, FlaggedEntry

SHOWN_IDS = 100  # of one finding in `evidence`, for people to read; all are in flagged_entries


def record(user_id: uuid.UUID, findings: Iterable[Finding], now: datetime) -> list[str]:
    """Opens a flag for each finding, or adds to the open one what it does not rest on yet; the same evidence again
    changes nothing. Returns the detectors whose flags are new.

    Inside the transaction that holds the watermark and the player's flags, so no other scan opens one meanwhile.
    """
    open_flags = {flag.detector: flag for flag in Flag.objects.filter(user_id=user_id, state=Flag.State.OPEN)}
    opened = []
    for finding in findings:
        flag = open_flags.get(finding.detector)
        if flag is None:
            flag = open_flag(user_id, finding, now)
            opened.append(str(finding.detector))
        elif is_new(flag, finding):
            add(flag, finding, now)
        else:
            continue
        FlaggedEntry.objects.bulk_create(
            [FlaggedEntry(flag=flag, history_id=history_id) for history_id in finding.history_ids],
            ignore_conflicts=True,
        )
    return opened


def open_flag(user_id: uuid.UUID, finding: Finding, now: datetime) -> Flag:
    data = finding_data(finding)
    return Flag.objects.create(
        user_id=user_id,
        detector=finding.detector,
        severity=finding.severity,
        evidence={"strongest": data, "latest": data, "times": 1},
        opened_at=now,
        updated_at=now,
        evidence_until=moment(finding.ended),
    )


def is_new(flag: Flag, finding: Finding) -> bool:
    """Whether the finding rests on anything that the flag does not rest on already."""
    if finding.history_ids:
        known = FlaggedEntry.objects.filter(flag=flag, history_id__in=finding.history_ids).count()
        return known < len(finding.history_ids)
    return not set(finding.accounts) <= set(flag.evidence["latest"].get("accounts", ()))


def add(flag: Flag, finding: Finding, now: datetime) -> None:
    data = finding_data(finding)
    strongest = flag.evidence["strongest"]
    flag.evidence = {
        # Of two equally severe ones the later rests on more.
        "strongest": data if data["severity"] >= strongest["severity"] else strongest,
        "latest": data,
        "times": flag.evidence["times"] + 1,
    }
    flag.severity = max(flag.severity, finding.severity)
    flag.updated_at = now
    flag.evidence_until = max(flag.evidence_until, moment(finding.ended))
    flag.save(update_fields=["evidence", "severity", "updated_at", "evidence_until"])


def finding_data(finding: Finding) -> dict[str, Any]:
    """A finding as JSON."""
    data: dict[str, Any] = {
        "severity": finding.severity.value,
        "numbers": dict(finding.numbers),
        "window": [moment(finding.began).isoformat(), moment(finding.ended).isoformat()],
    }
    if finding.accounts:
        data["accounts"] = list(finding.accounts)
    else:
        data["history_ids"] = list(finding.history_ids[:SHOWN_IDS])
        data["entries"] = len(finding.history_ids)
    return data


def moment(unix_seconds: float) -> datetime:
    return datetime.fromtimestamp(unix_seconds, UTC)
