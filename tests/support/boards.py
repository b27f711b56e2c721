"""Boards for tests: made as an organiser makes them, and recounted from the history by plain Python."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.models import User
from leaderboard import boards, truth
from leaderboard.boards import Board
from scoreboard import ledger, periods
from scoreboard.ledger import Entry
from scoreboard.models import AttributeHistory, BoardPeriod, ScoreHistory
from scoreboard.models import Board as Rule


def make(slug: str, **rule: Any) -> Rule:
    """A rule as it is after its first filling."""
    made = Rule.objects.create(slug=slug, title=slug.title(), **rule)
    keep()
    return made


def keep() -> None:
    """What is due is done, and known to this process: also to a browser's test, which has a loop of Playwright's."""
    periods.keep()
    boards.forget()
    boards.refresh(at_once=True)


def end_period(slug: str) -> tuple[str, str]:
    """The current period of the board is over now, and closed; the next has begun. Returns their keys."""
    ending, following = BoardPeriod.objects.filter(board__slug=slug, closed_at=None).order_by("starts_at")[:2]
    now = timezone.now()
    BoardPeriod.objects.filter(pk=ending.pk).update(ends_at=now)
    BoardPeriod.objects.filter(pk=following.pk).update(starts_at=now)
    keep()
    return ending.key, following.key


def award(user: User, points: int) -> None:
    """A deed, which counts on every board that holds this moment."""
    [outcome] = ledger.record([Entry(user.pk, uuid.uuid4(), ScoreHistory.Source.AWARD, delta=points)])
    assert outcome.outcome == "recorded"
    ledger.announce([outcome.standing])


def current(slug: str) -> Board:
    return boards.get(slug)


@dataclass(frozen=True)
class Line:
    """One ranked player, as plain Python has it: `score` as it is shown."""

    user_id: uuid.UUID
    score: int
    reached_at: datetime


def recounted(period: BoardPeriod, at: datetime | None = None) -> list[Line]:
    """Everyone with a rank in this period, in order, from the history alone; hidden players are left in.

    Written out once more on purpose: a judge that shares the code of the accused proves nothing.
    """
    rule, entries = period.board, list(ScoreHistory.objects.filter(**upto(at)).order_by("id"))
    taken_back: dict[int, list[ScoreHistory]] = defaultdict(list)
    for entry in entries:
        if entry.reverses is not None:
            taken_back[entry.reverses].append(entry)
    counted: dict[uuid.UUID, list[ScoreHistory]] = defaultdict(list)
    for entry in entries:
        if entry.reverses is None and belongs(rule, period, entry):
            counted[entry.user_id].append(entry)
    lines = [line for user_id, mine in counted.items() if (line := line_of(rule, user_id, mine, taken_back))]
    late = -1 if rule.ties == "latest" else 1
    # user ids last, the greater first, as bytes: hence the two passes of a stable sort
    lines.sort(key=lambda line: line.user_id.bytes, reverse=True)
    lines.sort(
        key=lambda line: (line.score if rule.order == "low" else -line.score, late * line.reached_at.timestamp())
    )
    return lines


def upto(at: datetime | None) -> dict[str, Any]:
    return {"created_at__lte": at} if at else {}


def belongs(rule: Rule, period: BoardPeriod, entry: ScoreHistory) -> bool:
    if period.starts_at and entry.created_at < period.starts_at:
        return False
    if period.ends_at and entry.created_at >= period.ends_at:
        return False
    if rule.action_types and entry.action_type not in rule.action_types:
        return False
    if rule.sources and entry.source not in rule.sources:
        return False
    if entry.source not in ("action", "award") and not (rule.window == "all" and rule.value == "sum"):
        return False
    return not rule.attribute or has_value(rule, period, entry)


def has_value(rule: Rule, period: BoardPeriod, entry: ScoreHistory) -> bool:
    said = AttributeHistory.objects.filter(
        user_id=entry.user_id, name=rule.attribute, since__lte=entry.created_at
    ).order_by("since")
    value = [each.value for each in said][-1:] or [""]
    return value[0].lower() == period.part if rule.attribute_value == "*" else value[0] == rule.attribute_value


def line_of(
    rule: Rule, user_id: uuid.UUID, mine: Iterable[ScoreHistory], taken_back: dict[int, list[ScoreHistory]]
) -> Line | None:
    """The player's line; None for one with nothing to show."""
    if rule.value == "sum":
        score, reached = 0, datetime.min.replace(tzinfo=UTC)
        for entry in mine:
            for each in (entry, *taken_back[entry.pk]):
                score, reached = score + each.delta, max(reached, each.created_at)
        return Line(user_id, score, reached) if score > 0 else None
    valid = [entry for entry in mine if not taken_back[entry.pk]]
    if not valid:
        return None
    if rule.value == "latest":
        return Line(user_id, valid[-1].delta, valid[-1].created_at)
    if rule.value == "best":
        best = (min if rule.order == "low" else max)(entry.delta for entry in valid)
        first = next(entry for entry in valid if entry.delta == best)
        return Line(user_id, best, first.created_at)
    zone: tzinfo = ZoneInfo(rule.zone)
    days: dict[Any, datetime] = {}
    for entry in valid:
        days.setdefault(entry.created_at.astimezone(zone).date(), entry.created_at)
    return Line(user_id, len(days), max(days.values()))


def in_sql(board: Board) -> list[Line]:
    page = truth.top(board, 1000)
    return [Line(uuid.UUID(row.user_id), row.score, row.reached_at) for row in page.rows]
