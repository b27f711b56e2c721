"""Boards, pasts and presents as Hypothesis draws them."""

import uuid
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from accounts.models import User
from leaderboard import ranking, rebuild
from leaderboard.boards import Board
from scoreboard import ledger
from scoreboard.ledger import Entry
from scoreboard.models import Board as Rule
from scoreboard.models import ScoreHistory
from tests.support import past
from tests.support.boards import away, enter_or_leave, now
from tests.support.processes import eventually

DAYS = 12  # of the past
MINUTES = DAYS * 24 * 60
CROWD = 4
ZONES = [
    "UTC",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Africa/Cairo",
    "Europe/Paris",
    "Atlantic/Azores",
]
TYPES = ["LAP", "QUIZ"]
VALUES = ["", "eu", "EU", "us", "m/s"]
FIRST = 1000  # id of the first board: what is given may name boards before they are made, and ones that never are
WINDOWS = st.sampled_from(["all", "daily", "weekly", "monthly", "yearly", "days", "fixed"])
WHO = st.sampled_from([("", ""), ("", ""), ("region", "eu"), ("region", "*"), ("team", "*"), ("team", "us")])
MOMENTS = st.integers(1, MINUTES - 1)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    attribute, value = draw(WHO)
    return {
        "window": draw(WINDOWS),
        "zone": draw(st.sampled_from(ZONES)),
        "every_days": draw(st.integers(2, 9)),
        "starts_on": draw(st.dates(date(2026, 11, 1), date(2027, 1, 31))),
        "opens": draw(st.none() | MOMENTS),
        "closes": draw(st.none() | st.integers(MINUTES + 60, 2 * MINUTES)),
        "action_types": draw(st.sampled_from([[], [], ["LAP"], ["LAP", "GONE"], ["TIME"], ["TIME", "LAP"]])),
        "sources": draw(st.sampled_from([[], [], ["action"], ["award", "bonus"], ["adjustment", "action"]])),
        "attribute": attribute,
        "attribute_value": value,
        "entry": draw(st.sampled_from(["open", "open", "join"])),
        "value": draw(st.sampled_from(["sum", "sum", "best", "latest", "days"])),
        "order": draw(st.sampled_from(["high", "high", "low"])),
        "attempts": draw(st.sampled_from([None, None, 1, 2, 3])),
        "ties": draw(st.sampled_from(["earliest", "latest", "shared", "dense"])),
    }


EVENTS = st.lists(
    st.tuples(
        MOMENTS,
        st.integers(0, CROWD - 1),
        st.sampled_from(["action", "award", "award", "measure", "bonus", "adjust", "revert", "part", "region", "team"]),
        st.integers(1, 9),
        st.integers(0, 9),
    ),
    max_size=30,
)
PRESENT = st.lists(
    st.tuples(
        st.integers(0, CROWD - 1),
        st.sampled_from(
            [
                "action",
                "award",
                "measure",
                "bonus",
                "adjust",
                "revert",
                "part",
                "region",
                "team",
                "hide",
                "show",
                "enter",
            ]
        ),
        st.integers(1, 9),
        st.integers(0, 9),
    ),
    max_size=14,
)


def a_past(crowd: list[User], drawn: list[tuple[int, int, str, int, int]]) -> list[past.Event]:
    """In the order of time, each total at least 0, and no entry taken back twice."""
    start, events = now() - timedelta(days=DAYS), list[past.Event]()
    totals, left = dict.fromkeys((user.pk for user in crowd), 0), dict[int, int]()
    measured = set[int]()  # places of measures that are not taken back
    for minute, who, what, points, choice in sorted(drawn):
        user, at = crowd[who].pk, start + timedelta(minutes=minute, microseconds=len(events))
        delta, more = points, dict[str, Any]()
        if what in ("region", "team"):
            events.append(past.Event(at, user, name=what, value=VALUES[choice % len(VALUES)]))
            continue
        if what == "measure":
            delta, more = 0, {"action_type": "TIME", "measure": points - 5, "metadata": described(choice)}
        elif what in ("action", "award"):
            more = {"source": what, "action_type": TYPES[choice % 2], "metadata": described(choice)}
        elif what == "bonus":
            more = {"source": "bonus", "boards": named(choice)}
        elif what == "adjust":
            delta, more = points - 5, {"source": "adjustment", "boards": named(choice)}
        else:
            mine = [place for place, still in left.items() if still > 0 and events[place].user_id == user]
            mine += [place for place in sorted(measured) if events[place].user_id == user]
            if not mine:
                continue
            place = mine[choice % len(mine)]
            more = {"source": "correction", "reverses": place, "action_type": events[place].action_type}
            if place in measured:
                delta, more["measure"] = 0, events[place].measure
            else:
                delta = -left[place] if what == "revert" else -min(left[place], points)
        if (delta == 0 and "measure" not in more) or totals[user] + delta < 0:
            continue
        totals[user] += delta
        if what in ("action", "award", "bonus"):
            left[len(events)] = delta
        elif what == "measure":
            measured.add(len(events))
        elif "reverses" in more and more["reverses"] in measured:
            measured.remove(more["reverses"])
        elif "reverses" in more:
            left[more["reverses"]] += delta
        events.append(past.Event(at, user, delta, **more))
    return events


def described(choice: int) -> dict[str, Any] | None:
    return {"by": choice, "é": ["ü", {"x": 0.5}]} if choice % 3 else None


def named(choice: int) -> tuple[int, ...] | None:
    """The boards that a bonus or an adjustment names: mostly none, or some of three."""
    return tuple(FIRST + place for place in range(3) if choice >> place & 1) if choice > 4 else None


def play(crowd: list[User], drawn: list[tuple[int, str, int, int]]) -> None:
    for who, what, points, choice in drawn:
        user = User.objects.get(pk=crowd[who].pk)
        if what == "enter":
            for rule in Rule.objects.filter(entry=Rule.Entry.JOIN).order_by("pk")[choice % 3 : choice % 3 + 1]:
                enter_or_leave(rule, user)
            continue
        if what in ("hide", "show"):
            change: dict[str, Any] = {"is_hidden": what == "hide"}
        elif what == "region":
            change = {"region": VALUES[choice % len(VALUES)]}
        elif what == "team":
            change = {"attributes": {"team": VALUES[choice % len(VALUES)]}}
        else:
            naming = named(choice) if what in ("bonus", "adjust") else None
            ledger.announce(o.standing for o in ledger.record([an_entry(user, what, points, choice)], naming))
            continue
        User.objects.filter(pk=user.pk).update(**change)
        ledger.announce_players([user.pk])


def an_entry(user: User, what: str, points: int, choice: int) -> Entry:
    source = ScoreHistory.Source
    if what in ("revert", "part"):
        mine = list(ScoreHistory.objects.filter(user=user, source__in=["action", "award", "bonus"]).order_by("id"))
        gone = {row.reverses for row in ScoreHistory.objects.filter(user=user, reverses__isnull=False)}
        if rows := [row for row in mine if row.pk not in gone]:
            row = rows[choice % len(rows)]
            back = row.delta if what == "revert" else min(points, row.delta)
            more: dict[str, Any] = {"action_type": row.action_type, "reverses": row.pk, "value": row.value}
            return Entry(user.pk, uuid.uuid4(), source.CORRECTION, -back, **more)
    if what == "measure":
        return Entry(
            user.pk, uuid.uuid4(), source.AWARD, action_type="TIME", value=points - 5, metadata=described(choice)
        )
    if what in ("action", "award"):
        kind, metadata = TYPES[choice % 2], described(choice)
        return Entry(user.pk, uuid.uuid4(), source(what), points, action_type=kind, metadata=metadata)
    if what == "adjust":
        return Entry(user.pk, uuid.uuid4(), source.ADJUSTMENT, points - 5)
    return Entry(user.pk, uuid.uuid4(), source.BONUS, points)


def make_past(drawn: list[dict[str, Any]]) -> list[Rule]:
    """As if each had been there all the time, and no process had kept them."""
    made, start = list[Rule](), now() - timedelta(days=DAYS)
    for number, given_rule in enumerate(drawn):
        rule = dict(given_rule)
        opens, closes = (
            None if (m := rule.pop(key)) is None else start + timedelta(minutes=m) for key in ("opens", "closes")
        )
        if rule["window"] == "fixed":
            opens, closes = opens or start, closes or now() + timedelta(days=1)
        made.append(
            Rule.objects.create(
                pk=FIRST + number, slug=f"rule-{number}", title="Rule", opens_at=opens, closes_at=closes, **rule
            )
        )
        away(made[-1], max(start, opens) if opens else start)
    return made


def rebuilt(board: Board) -> None:
    """By this process or by the server, which may see first that it is lost."""
    rebuild.rebuild(board)
    eventually(lambda: ranking.epoch(board), "the board is there")
