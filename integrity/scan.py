"""The watch's round: players who scored since the last one are looked at, a page of players at a time.

Each page is one transaction: the flags it raises and the watermark it moves commit together, so a round that dies is
continued by the next and nothing is counted twice. Two rounds at once: the second finds the watermark taken and leaves.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from integrity import bonuses, crowds, detectors, gather
from integrity.findings import Detector, Finding, Thresholds
from integrity.metrics import FLAGS
from integrity.models import Watermark
from integrity.record import record
from scoreboard import changes

PAGE = 200  # players of one transaction
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Round:
    """`players` were looked at; `opened`: new flags by detector; `finished`: no player is left to look at."""

    players: int = 0
    opened: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    finished: bool = False


def scan() -> Round:
    """One round, of at most WATCH_PLAYERS_PER_RUN players; the next continues where it ends."""
    done = Round()
    thresholds = Thresholds.from_settings()
    while not done.finished and done.players < settings.WATCH["players_per_run"]:
        if not look_at_page(done, thresholds):
            return done
    look_at_hour(done, thresholds)
    return done


def look_at_page(done: Round, thresholds: Thresholds) -> bool:
    """The next page of the pass under way, or the first of a new one; False when another round is at work."""
    with transaction.atomic():
        mark = Watermark.claim()
        if mark is None:
            return False
        now = changes.now()
        if mark.until is None or mark.source != now.source:
            begin(mark, now)
        page = gather.page(mark, PAGE)
        user_ids = [user_id for _, user_id in page]
        opened = look_at(user_ids, gather.horizon(mark), now.at, thresholds)
        if len(page) == PAGE:
            mark.at_transaction, mark.at_user = page[-1]
        else:
            end(mark)
        mark.save()
    note(done, opened)
    done.players += len(page)
    done.finished = len(page) < PAGE
    return True


def begin(mark: Watermark, now: changes.Mark) -> None:
    """A new pass. In another database than the last one (a restored backup, say) it begins with everybody."""
    if mark.source != now.source:
        mark.source, mark.since, mark.hour_fence = now.source, 0, None
    mark.until, mark.next_since, mark.began_at = now.next, now.oldest, now.at
    mark.at_transaction, mark.at_user = 0, uuid.UUID(int=0)


def end(mark: Watermark) -> None:
    mark.since, mark.until, mark.seen_until = mark.next_since, None, mark.began_at


def look_at(user_ids: Sequence[uuid.UUID], since: datetime, now: datetime, thresholds: Thresholds) -> list[str]:
    """Looks at these players' actions since then and at where they signed up from; returns the flags opened."""
    if not user_ids:
        return []
    groups = gather.address_groups(user_ids, now - timedelta(days=thresholds.address_days))
    concerned = {uuid.UUID(name) for group in groups for name in group.watched}
    judged = gather.judged([*user_ids, *(concerned - set(user_ids))])
    found: dict[uuid.UUID, list[Finding]] = defaultdict(list)
    rules = gather.rules()
    for user_id, events in gather.events(user_ids, since).items():
        found[user_id] += detectors.find(events, rules, thresholds, judged.get(user_id))
    for group in groups:
        for name, finding in crowds.crowded(group.accounts, thresholds, group.began, group.ended):
            if name in group.watched and unjudged(judged.get(uuid.UUID(name), {}), finding):
                found[uuid.UUID(name)].append(finding)
    return [detector for user_id, findings in found.items() for detector in record(user_id, findings, now)]


def unjudged(judged: Mapping[str, datetime], finding: Finding) -> bool:
    """Whether any of it is newer than the last decision."""
    return finding.detector not in judged or judged[finding.detector].timestamp() < finding.ended


def look_at_hour(done: Round, thresholds: Thresholds) -> None:
    """Compares everybody's gains of a whole hour, once, as soon as nothing more can be committed into it, and looks at
    the bonuses of the last days."""
    with transaction.atomic():
        mark = Watermark.claim()
        if mark is None:
            return
        now = changes.now()
        hour = next_hour(mark, now)
        if hour is None:
            mark.save()
            return
        opened = [*outliers_of(hour, now.at, thresholds), *in_bonuses(now.at, thresholds)]
        mark.hour, mark.hour_fence = hour + HOUR, None
        mark.save()
    note(done, opened)


def next_hour(mark: Watermark, now: changes.Mark) -> datetime | None:
    """The hour that is complete and not compared yet, if there is one. A worker that was away catches up, an hour each
    round, as far back as WATCH_HOURS."""
    last = now.at.replace(minute=0, second=0, microsecond=0) - HOUR
    earliest = last - (settings.WATCH["hours"] - 1) * HOUR
    if mark.hour is None:
        mark.hour = last
    elif mark.hour < earliest:
        mark.hour, mark.hour_fence = earliest, None
    if mark.hour > last:
        return None
    if mark.hour_fence is None:
        mark.hour_fence = now.next
    return mark.hour if now.oldest >= mark.hour_fence else None


def in_bonuses(now: datetime, thresholds: Thresholds) -> list[str]:
    gifts = gather.gifts(now - timedelta(days=thresholds.bonus_days)) if thresholds.bonus_points else []
    judged = gather.judged([user_id for gift in gifts for user_id in (gift.giver, gift.receiver)])
    found = bonuses.find(gifts, thresholds, judged)
    return [detector for user_id, finding in found for detector in record(user_id, [finding], now)]


def outliers_of(hour: datetime, now: datetime, thresholds: Thresholds) -> list[str]:
    if not thresholds.outlier_z:
        return []
    with connection.cursor() as cursor:
        # One aggregate over an hour of everybody's history: longer than a request may take.
        cursor.execute("SET LOCAL statement_timeout = '120s'")
    population, gains = gather.gains(hour, thresholds)
    judged = gather.judged(list(gains))
    opened = []
    events = gather.events(list(gains), hour)
    for user_id, gain in gains.items():
        ids = [event.history_id for event in events.get(user_id, ()) if event.redeemed < (hour + HOUR).timestamp()]
        finding = crowds.outlier(gain, population, thresholds, hour.timestamp(), ids)
        if unjudged(judged.get(user_id, {}), finding):
            opened += record(user_id, [finding], now)
    return opened


def note(done: Round, opened: Sequence[str]) -> None:
    """Counts what was opened, once it is committed."""
    for detector in opened:
        done.opened[detector] += 1
        FLAGS.labels(Detector(detector).value).inc()
