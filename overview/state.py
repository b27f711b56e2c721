"""How the site is right now: what waits for a person, and what is broken."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from actions.models import ActionType, QueuedWork
from integrity.findings import Severity
from integrity.models import Flag
from leaderboard import catch_up, drift, ranking
from leaderboard.boards import GLOBAL
from leaderboard.live import headcount
from scoreboard import approvals

GOOD, WAITS, BAD = "good", "waits", "bad"
COUNTED = 1000  # more are "1000+": no list is counted to its end for a number


@dataclass(frozen=True, slots=True)
class Tile:
    """`state`: GOOD, WAITS (for a person) or BAD. `link`: where to act, for one who may; "" otherwise."""

    title: str
    figure: str
    note: str
    state: str
    link: str = ""


def tiles(request: HttpRequest) -> list[Tile]:
    """Those whose subject this user may see."""
    made = [tile(request) for right, tile in TILES if not right or request.user.has_perm(right)]
    return made


def up_to(found: QuerySet[Any]) -> int:
    return len(found.order_by().values_list("pk")[: COUNTED + 1])


def shown(number: int) -> str:
    return f"{COUNTED}+" if number > COUNTED else str(number)


def flags(request: HttpRequest) -> Tile:
    opened = Flag.objects.filter(state=Flag.State.OPEN)
    number, high = up_to(opened), up_to(opened.filter(severity=Severity.HIGH))
    note = f"{shown(high)} of high severity" if high else "none of high severity"
    link = reverse("admin:integrity_flag_changelist")
    return Tile("Open flags", shown(number), note, WAITS if number else GOOD, link)


def dead_work(request: HttpRequest) -> Tile:
    number = up_to(QueuedWork.objects.filter(state=QueuedWork.State.DEAD))
    waiting = up_to(QueuedWork.objects.filter(state=QueuedWork.State.QUEUED))
    link = reverse("admin:actions_queuedwork_changelist") + ("?state__exact=dead" if number else "")
    return Tile("Dead work", shown(number), f"{shown(waiting)} waiting in the queue", BAD if number else GOOD, link)


def second_person(request: HttpRequest) -> Tile:
    bonuses, types = up_to(approvals.waiting()), ActionType.objects.waiting().count()
    link = reverse("admin:scoreboard_bonus_changelist") + "?state__exact=waiting"
    if types and not bonuses:
        link = reverse("admin:actions_actiontype_changelist")
    words = f"{shown(bonuses)} bonuses, {types} action types"
    return Tile("Wait for approval", shown(bonuses + types), words, WAITS if bonuses + types else GOOD, link)


def projection(request: HttpRequest) -> Tile:
    try:
        catch_up.demand()
        if ranking.epoch(GLOBAL) is None:
            return Tile("Board", "Rebuilding", "boards come from SQL meanwhile", BAD)
        players = ranking.top(GLOBAL, 1).players
    except ranking.Lost:
        return Tile("Board", "Rebuilding", "boards come from SQL meanwhile", BAD)
    except ranking.Unavailable:
        return Tile("Board", "From SQL", "Redis does not answer; scores count all the same", BAD)
    return Tile("Board", "Live", f"players with a rank: {players:,}", GOOD, reverse("board"))


def drifted(request: HttpRequest) -> Tile:
    try:
        found = drift.last(GLOBAL)
    except ranking.Unavailable:
        return Tile("Drift", "Unknown", "Redis does not answer", WAITS)
    if found is None:
        return Tile("Drift", "Unknown", "nothing was compared yet; it is every night at 03:17 UTC", WAITS)
    note = f"of {found.compared:,} players, compared on {found.at:%-d %b at %H:%M} UTC"
    return Tile("Drift", str(found.drift), note, BAD if found.drift else GOOD)


def viewers(request: HttpRequest) -> Tile:
    try:
        return Tile("Viewers", f"{headcount.viewers():,}", "of live boards, right now", GOOD)
    except ranking.Unavailable:
        return Tile("Viewers", "Unknown", "Redis does not answer", WAITS)


# The permission without which a tile is absent → what makes it.
TILES: list[tuple[str, Callable[[HttpRequest], Tile]]] = [
    ("integrity.view_flag", flags),
    ("scoreboard.view_bonus", second_person),
    ("actions.view_queuedwork", dead_work),
    ("scoreboard.view_userscore", drifted),
    ("", projection),
    ("", viewers),
]
