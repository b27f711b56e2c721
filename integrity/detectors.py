"""What is looked for in one player's actions. Pure functions: events in, at most one finding out.

A rhythm or a rate must show in both times of an action, when its token was issued and when it was redeemed: a client
that collects actions offline and hands them in at once, or one that fetches tokens ahead, shows it in one of them only.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from statistics import median

from integrity import rhythm
from integrity.findings import Detector, Event, Finding, Numbers, Rule, Severity, Thresholds

MINUTE, HOUR = 60.0, 3600.0
INSTANT_SHARE = 0.9  # of a run: one slow answer does not make a bot honest

Clock = Callable[[Event], float]
REDEEMED: Clock = attrgetter("redeemed")
ISSUED: Clock = attrgetter("issued")


def find(
    events: Sequence[Event],
    rules: Mapping[str, Rule],
    thresholds: Thresholds,
    judged: Mapping[str, datetime] | None = None,
) -> list[Finding]:
    """Every pattern in one player's events, which come in order of redemption.

    `judged`: by detector, until when a person has already decided; it sees only what came later.
    """
    found = []
    for detector, look in DETECTORS.items():
        since = (judged or {}).get(detector, datetime.min.replace(tzinfo=UTC)).timestamp()
        finding = look([event for event in events if event.redeemed > since], rules, thresholds)
        if finding:
            found.append(finding)
    return found


def velocity(events: Sequence[Event], rules: Mapping[str, Rule], thresholds: Thresholds) -> Finding | None:
    """More points of one type within a minute than a person can earn."""
    worst, ids, times = None, list[int](), list[float]()
    for action_type, of_type in by_type(events).items():
        points = rules[action_type].points if action_type in rules else max(e.points for e in of_type)
        ceiling = thresholds.points_per_minute.get(action_type, points * thresholds.actions_per_minute)
        if not ceiling:
            continue
        redeemed, _ = dense(of_type, REDEEMED, ceiling)
        hot, peak = dense(sorted(redeemed, key=ISSUED), ISSUED, ceiling)
        if hot:
            ids += [event.history_id for event in hot]
            times += [event.redeemed for event in hot]
            worst = max(worst or (0.0, "", 0, 0), (peak / ceiling, action_type, peak, ceiling))
    if worst is None:
        return None
    ratio, action_type, peak, ceiling = worst
    severity = Severity.HIGH if ratio >= 2 else Severity.MEDIUM
    numbers: Numbers = {"action_type": action_type, "peak": peak, "ceiling": ceiling}
    return Finding(Detector.VELOCITY, severity, numbers, min(times), max(times), tuple(sorted(ids)))


def dense(events: Sequence[Event], clock: Clock, ceiling: int) -> tuple[list[Event], int]:
    """The events inside any minute with more points than `ceiling`, and the most points of any minute.

    `events` are in order of `clock`.
    """
    hot, peak, points, first, marked = list[Event](), 0, 0, 0, 0
    for position, event in enumerate(events):
        points += event.points
        while clock(event) - clock(events[first]) >= MINUTE:
            points -= events[first].points
            first += 1
        peak = max(peak, points)
        if points > ceiling:
            hot += events[max(first, marked) : position + 1]
            marked = position + 1
    return hot, peak


def regular(events: Sequence[Event], rules: Mapping[str, Rule], thresholds: Thresholds) -> Finding | None:
    """Intervals that vary less than a person's do, over a run of them."""
    lengths = (
        (thresholds.regular_run, thresholds.regular_cv),
        (thresholds.regular_long_run, thresholds.regular_long_cv),
    )
    steady = [
        found
        for run in rhythm.runs(events)
        for length, cv in lengths
        if length and (found := rhythm.steadiest(run, rules, length, cv))
    ]
    if not steady:
        return None
    best = min(steady, key=lambda found: found.deviation / found.allowed)
    moments = sorted({event for found in steady for event in found.events}, key=REDEEMED)
    sure = best.deviation <= best.allowed / 2 or len(moments) > 100
    numbers = {
        "intervals": len(moments) - 1,
        "mean_seconds": round(best.mean, 2),
        "deviation_seconds": round(best.deviation, 3),
        "allowed_seconds": round(best.allowed, 3),
    }
    return finding(Detector.REGULAR, Severity.HIGH if sure else Severity.MEDIUM, numbers, moments)


def instant(events: Sequence[Event], rules: Mapping[str, Rule], thresholds: Thresholds) -> Finding | None:
    """Redeemed the instant the server allows, again and again: the action was not done but waited out."""
    length = thresholds.instant_run
    if not length:
        return None
    needed = math.ceil(INSTANT_SHARE * length)
    for action_type, of_type in by_type(e for e in events if e.not_before > e.issued).items():
        moments = rhythm.moments(of_type)
        quick = [event.redeemed - event.not_before <= thresholds.instant_seconds for event in moments]
        inside = {
            position
            for start in range(len(moments) - length + 1)
            if sum(quick[start : start + length]) >= needed
            for position in range(start, start + length)
            if quick[position]
        }
        if inside:
            caught = [moments[position] for position in sorted(inside)]
            numbers: Numbers = {
                "action_type": action_type,
                "instant": len(caught),
                "redeemed": len(moments),
                "margin_seconds": round(median(e.redeemed - e.not_before for e in caught), 3),
            }
            return finding(
                Detector.INSTANT, Severity.HIGH if len(caught) >= 2 * length else Severity.MEDIUM, numbers, caught
            )
    return None


def tireless(events: Sequence[Event], rules: Mapping[str, Rule], thresholds: Thresholds) -> Finding | None:
    """Active in more hours of a day than a person who sleeps."""
    if not thresholds.tireless_hours:
        return None
    by_hour: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        by_hour[int(event.redeemed // HOUR)].append(event)
    hours = sorted(by_hour)
    first, most, span = 0, 0, range(0)
    for position, hour in enumerate(hours):
        while hour - hours[first] >= 24:
            first += 1
        if position - first + 1 > most:
            most, span = position - first + 1, range(first, position + 1)
    if most < thresholds.tireless_hours:
        return None
    active = [event for position in span for event in by_hour[hours[position]]]
    severity = Severity.HIGH if most >= 24 else Severity.MEDIUM
    return finding(Detector.TIRELESS, severity, {"hours": most}, active)


DETECTORS: Mapping[Detector, Callable[[Sequence[Event], Mapping[str, Rule], Thresholds], Finding | None]] = {
    Detector.VELOCITY: velocity,
    Detector.REGULAR: regular,
    Detector.INSTANT: instant,
    Detector.TIRELESS: tireless,
}


def finding(detector: Detector, severity: Severity, numbers: Numbers, events: Sequence[Event]) -> Finding:
    ids = tuple(sorted({event.history_id for event in events}))
    return Finding(detector, severity, numbers, events[0].redeemed, events[-1].redeemed, ids)


def by_type(events: Iterable[Event]) -> dict[str, list[Event]]:
    sorted_out: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        sorted_out[event.action_type].append(event)
    return sorted_out
