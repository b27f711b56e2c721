"""Boards for tests: made as an organiser makes them, and recounted from the history by plain Python."""

import sys
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils import timezone

from accounts.models import User
from leaderboard import boards, finals, truth
from leaderboard.boards import Board
from leaderboard.ranking import Page
from scoreboard import entrants, ledger, periods
from scoreboard.ledger import Entry, Outcome
from scoreboard.models import AttributeHistory, BoardEntrant, BoardPeriod, ScoreHistory
from scoreboard.models import Board as Rule

Values = dict[uuid.UUID, list[tuple[int, str]]]  # of one attribute, each since which version of the total


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


def enter_or_leave(rule: Rule, user: User) -> None:
    """The other than what the player did last."""
    (entrants.leave if entrants.joined(rule.pk, user.pk) else entrants.join)(rule, user)


def current(slug: str) -> Board:
    return boards.get(slug)


@dataclass(frozen=True)
class Window:
    """A period, as `board_window` tells it."""

    key: str
    starts_at: datetime | None
    ends_at: datetime | None


def window_at(rule: Rule, moments: Sequence[datetime]) -> list[Window | None]:
    """Of this rule's row, the period that PostgreSQL says holds each of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.* FROM boards b, unnest(%s::timestamptz[]) WITH ORDINALITY AS m(at, ord),"
            " LATERAL board_window(b, m.at) w WHERE b.id = %s ORDER BY m.ord",
            [list(moments), rule.pk],
        )
        return [Window(*row) if row[0] else None for row in cursor.fetchall()]


@dataclass(frozen=True)
class Line:
    """One ranked player, as plain Python has it: `score` and `rank` as they are shown, `metadata` of the one entry."""

    user_id: uuid.UUID
    score: int
    reached_at: datetime
    metadata: dict[str, Any] | None = None
    rank: int = 0


def recounted(period: BoardPeriod, at: datetime | None = None) -> list[Line]:
    """Every visible player with a rank in this period, in order, from the history alone.

    Written out once more on purpose: a judge that shares the code of the accused proves nothing.
    """
    rule, entries = period.board, list(ScoreHistory.objects.filter(**upto(at)).order_by("id"))
    visible = everyone_visible()
    if rule.entry == Rule.Entry.JOIN:
        visible &= set(BoardEntrant.objects.filter(board_id=rule.pk).values_list("user_id", flat=True))
    said = AttributeHistory.objects.filter(name=rule.attribute).order_by("version") if rule.attribute else []
    values: Values = defaultdict(list)
    for each in said:
        values[each.user_id].append((each.version, each.value))
    taken_back: dict[int, list[ScoreHistory]] = defaultdict(list)
    for entry in entries:
        if entry.reverses is not None:
            taken_back[entry.reverses].append(entry)
    counted: dict[uuid.UUID, list[ScoreHistory]] = defaultdict(list)
    for entry in entries:
        if entry.user_id in visible and entry.reverses is None and belongs(rule, period, entry, values):
            counted[entry.user_id].append(entry)
    lines = [
        line
        for user_id, mine in counted.items()
        if (line := line_of(rule, user_id, attempted(rule, mine, taken_back), taken_back))
    ]
    late = -1 if rule.ties == "latest" else 1
    # user ids last, the greater first, as bytes: hence the two passes of a stable sort
    lines.sort(key=lambda line: line.user_id.bytes, reverse=True)
    lines.sort(
        key=lambda line: (line.score if rule.order == "low" else -line.score, late * microseconds(line.reached_at))
    )
    return ranked(lines, rule.ties)


def ranked(lines: Sequence[Line], ties: str = "earliest") -> list[Line]:
    """With their ranks, of all who are on the board, in order."""
    scores = [line.score for line in lines]
    distinct = list(dict.fromkeys(scores))
    ranks = {
        "shared": [scores.index(score) + 1 for score in scores],
        "dense": [distinct.index(score) + 1 for score in scores],
    }.get(ties, range(1, len(lines) + 1))
    return [replace(line, rank=rank) for line, rank in zip(lines, ranks, strict=True)]


def everyone_visible() -> set[uuid.UUID]:
    return set(User.objects.filter(is_active=True, is_hidden=False, opted_out=False).values_list("pk", flat=True))


def microseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def upto(at: datetime | None) -> dict[str, Any]:
    return {"created_at__lte": at} if at else {}


def belongs(rule: Rule, period: BoardPeriod, entry: ScoreHistory, values: Values) -> bool:
    if period.starts_at and entry.created_at < period.starts_at:
        return False
    if period.ends_at and entry.created_at >= period.ends_at:
        return False
    if period.counts_until and entry.created_at > period.counts_until:
        return False
    if rule.action_types and entry.action_type not in rule.action_types:
        return False
    if rule.sources and entry.source not in rule.sources:
        return False
    if entry.source not in ("action", "award") and not named(rule, entry):
        return False
    # A measure is no points: not even beside others of any type.
    if entry.value is not None and (rule.value == "sum" or not rule.action_types):
        return False
    return not rule.attribute or has_value(rule, period, entry, values)


def named(rule: Rule, entry: ScoreHistory) -> bool:
    """Whether what was given without a deed is given here."""
    if rule.value != "sum":
        return False
    return rule.window == "all" if entry.boards is None else rule.pk in entry.boards


def has_value(rule: Rule, period: BoardPeriod, entry: ScoreHistory, values: Values) -> bool:
    then = [value for since, value in values[entry.user_id] if since < entry.version][-1:] or [""]
    return then[0].lower() == period.part if rule.attribute_value == "*" else then[0] == rule.attribute_value


def attempted(
    rule: Rule, mine: Iterable[ScoreHistory], taken_back: dict[int, list[ScoreHistory]]
) -> Iterator[ScoreHistory]:
    """The player's entries until as many stand as there are attempts."""
    left = rule.attempts or sys.maxsize
    for entry in mine:
        if left == 0:
            return
        yield entry
        back = taken_back[entry.pk]
        partly = rule.value == "sum" and entry.delta + sum(each.delta for each in back) != 0
        left -= not back or partly


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
        return Line(user_id, worth(valid[-1]), valid[-1].created_at, valid[-1].metadata)
    if rule.value == "best":
        best = (min if rule.order == "low" else max)(worth(entry) for entry in valid)
        first = next(entry for entry in valid if worth(entry) == best)
        return Line(user_id, best, first.created_at, first.metadata)
    zone: tzinfo = ZoneInfo(rule.zone)
    days: dict[Any, datetime] = {}
    for entry in valid:
        days.setdefault(entry.created_at.astimezone(zone).date(), entry.created_at)
    return Line(user_id, len(days), max(days.values()))


def worth(entry: ScoreHistory) -> int:
    """What an entry shows on a board of single ones."""
    return entry.delta if entry.value is None else entry.value


def of_all_totals(at: datetime) -> list[Line]:
    """The same of the board of all totals, at a past moment."""
    totals: dict[uuid.UUID, tuple[int, datetime]] = {}
    for entry in ScoreHistory.objects.filter(value=None, **upto(at)).order_by("id"):
        totals[entry.user_id] = (entry.new_total, entry.created_at)
    visible = everyone_visible()
    lines = [Line(user, total, reached) for user, (total, reached) in totals.items() if total > 0 and user in visible]
    lines.sort(key=lambda line: line.user_id.bytes, reverse=True)
    return ranked(sorted(lines, key=lambda line: (-line.score, line.reached_at)))


def in_sql(board: Board) -> list[Line]:
    return lines_of(truth.top(board, 1000))


def lines_of(page: Page) -> list[Line]:
    """As they are shown."""
    return [Line(uuid.UUID(row.user_id), row.score, row.reached_at, row.metadata, row.rank) for row in page.rows]


def address(period: BoardPeriod) -> str:
    """As which the API knows its board."""
    return f"{period.board.slug}.{period.part}" if period.part else period.board.slug


def in_finals(period: BoardPeriod) -> list[Line]:
    """How a closed period came out, of those who are visible now."""
    board = boards.closed(address(period), period.key)
    assert board is not None
    return lines_of(finals.top(board, 1000))


def away(rule: Rule, since: datetime) -> None:
    """As if no process had kept the board since then: of its periods there is the one that held that moment."""
    [held] = window_at(rule, [since])
    assert held is not None
    parts = BoardPeriod.objects.filter(board=rule).values_list("part", flat=True).distinct()
    for part in list(parts):
        BoardPeriod.objects.filter(board=rule, part=part).delete()
        BoardPeriod.objects.create(board=rule, part=part, key=held.key, starts_at=held.starts_at, ends_at=held.ends_at)
    boards.forget()


def now() -> datetime:
    """PostgreSQL's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
        return at


def cut(rule: Rule, at: datetime) -> tuple[BoardPeriod, BoardPeriod]:
    """Cuts the board's current period in two, so that a test need not wait for midnight; the latter has its key."""
    ending, following = BoardPeriod.objects.filter(board=rule, closed_at=None).order_by("starts_at")[:2]
    following.key, following.starts_at, following.ends_at = ending.key, at, ending.ends_at
    ending.key, ending.ends_at = "before", at
    ending.save()
    following.save()
    boards.forget()
    return ending, following


def award(user: User, points: int = 1, action_type: str = "LAP", *, reverses: int | None = None) -> Outcome:
    """Points for a deed, which boards of any window count, or what takes back some of such an entry's; all are told."""
    source = ScoreHistory.Source.AWARD if reverses is None else ScoreHistory.Source.CORRECTION
    given = Entry(user.pk, uuid.uuid4(), source, delta=points, action_type=action_type, reverses=reverses)
    [outcome] = ledger.record([given])
    ledger.announce([outcome.standing])
    assert outcome.outcome == "recorded"
    return outcome


def take_back(outcome: Outcome, points: int | None = None) -> None:
    """All that was awarded, or so many of its points."""
    entry = ScoreHistory.objects.get(action_id=outcome.action_id)
    award(entry.user, -(points or entry.delta), entry.action_type, reverses=entry.pk)
