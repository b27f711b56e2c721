"""What is looked for in bonuses: that givers give to each other, to one player above all, or far more than the others.
Pure functions."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from integrity.findings import Detector, Finding, Numbers, Severity, Thresholds

OTHERS = 2  # givers to compare one with: fewer say nothing about what is usual

Judged = Mapping[uuid.UUID, Mapping[str, datetime]]  # by user and detector, until when a person has decided


@dataclass(frozen=True, slots=True)
class Gift:
    """One paid bonus. `at`: Unix seconds. `to_staff`: its receiver is staff by now."""

    giver: uuid.UUID
    receiver: uuid.UUID
    points: int
    history_id: int
    at: float
    to_staff: bool = False


def find(gifts: Sequence[Gift], thresholds: Thresholds, judged: Judged) -> list[tuple[uuid.UUID, Finding]]:
    """(user, finding) of every pattern, at most one for each user and detector. `gifts`: in order of time."""
    if not thresholds.bonus_points:
        return []
    return [
        *rings(unjudged(gifts, judged, Detector.BONUS_RING), thresholds),
        *favourites(unjudged(gifts, judged, Detector.BONUS_FAVOURITE), thresholds),
        *lavish(unjudged(gifts, judged, Detector.BONUS_GIVER, of_giver=True), thresholds),
    ]


def unjudged(gifts: Iterable[Gift], judged: Judged, detector: Detector, *, of_giver: bool = False) -> list[Gift]:
    """Those that came after the last decision about their receiver, or their giver."""

    def until(user_id: uuid.UUID) -> float:
        decided = judged.get(user_id, {}).get(detector)
        return decided.timestamp() if decided else 0.0

    return [gift for gift in gifts if gift.at > until(gift.giver if of_giver else gift.receiver)]


def rings(gifts: Sequence[Gift], thresholds: Thresholds) -> list[tuple[uuid.UUID, Finding]]:
    """Receivers who are staff, who give bonuses themselves, or whose gifts come back to their giver."""
    given = by(gifts, lambda gift: gift.giver)
    found = []
    for receiver, received in by(gifts, lambda gift: gift.receiver).items():
        theirs = reached(receiver, given)
        circle = any(gift.giver in theirs for gift in received)
        if circle or receiver in given or received[-1].to_staff:
            numbers = {"points": total(received), "gifts": len(received), "days": thresholds.bonus_days}
            severity = Severity.HIGH if circle else Severity.LOW
            found.append((receiver, finding(Detector.BONUS_RING, severity, numbers, received)))
    return found


def reached(giver: uuid.UUID, given: Mapping[uuid.UUID, Sequence[Gift]]) -> set[uuid.UUID]:
    """All users who got points from this giver, or from one who did."""
    seen, ahead = set[uuid.UUID](), [giver]
    while ahead:
        for gift in given.get(ahead.pop(), ()):
            if gift.receiver not in seen:
                seen.add(gift.receiver)
                ahead.append(gift.receiver)
    return seen


def favourites(gifts: Sequence[Gift], thresholds: Thresholds) -> list[tuple[uuid.UUID, Finding]]:
    """The player who gets most of what one giver gives."""
    found: dict[uuid.UUID, list[Gift]] = defaultdict(list)
    shares: dict[uuid.UUID, float] = defaultdict(float)
    for given in by(gifts, lambda gift: gift.giver).values():
        for receiver, received in by(given, lambda gift: gift.receiver).items():
            share = total(received) / total(given)
            if total(received) >= thresholds.bonus_points and share > thresholds.bonus_share:
                found[receiver] += received
                shares[receiver] = max(share, shares[receiver])
    return [
        (
            receiver,
            finding(
                Detector.BONUS_FAVOURITE,
                Severity.MEDIUM,
                {"points": total(received), "percent": round(100 * shares[receiver]), "days": thresholds.bonus_days},
                sorted(received, key=lambda gift: gift.at),
            ),
        )
        for receiver, received in found.items()
    ]


def lavish(gifts: Sequence[Gift], thresholds: Thresholds) -> list[tuple[uuid.UUID, Finding]]:
    """Givers who give many times what the others give."""
    totals = {giver: total(given) for giver, given in by(gifts, lambda gift: gift.giver).items()}
    found = []
    for giver, given in by(gifts, lambda gift: gift.giver).items():
        others = [points for other, points in totals.items() if other != giver]
        if not thresholds.bonus_times or len(others) < OTHERS or totals[giver] < thresholds.bonus_points:
            continue
        usual = median(others)
        if totals[giver] > thresholds.bonus_times * usual:
            numbers = {"points": totals[giver], "usual": round(usual), "days": thresholds.bonus_days}
            receivers = tuple(sorted({str(gift.receiver) for gift in given}))
            # It rests on the receivers: the entries are theirs, and a revert would take from the giver.
            one = Finding(Detector.BONUS_GIVER, Severity.MEDIUM, numbers, given[0].at, given[-1].at, accounts=receivers)
            found.append((giver, one))
    return found


def by(gifts: Iterable[Gift], key: Callable[[Gift], uuid.UUID]) -> dict[uuid.UUID, list[Gift]]:
    sorted_out: dict[uuid.UUID, list[Gift]] = defaultdict(list)
    for gift in gifts:
        sorted_out[key(gift)].append(gift)
    return sorted_out


def total(gifts: Iterable[Gift]) -> int:
    return sum(gift.points for gift in gifts)


def finding(detector: Detector, severity: Severity, numbers: Numbers, gifts: Sequence[Gift]) -> Finding:
    ids = tuple(sorted(gift.history_id for gift in gifts))
    return Finding(detector, severity, numbers, gifts[0].at, gifts[-1].at, ids)
