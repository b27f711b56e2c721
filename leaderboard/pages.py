"""The pages that show a board: the site's own, the one for iframes, and how to put a board on another site's page."""

import re
from typing import Any

import structlog
from csp.decorators import csp_replace
from django.conf import settings
from django.contrib import messages
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.pages import signed_in
from api.problems import Problem, note
from api.throttles import charge, charge_address, hit
from leaderboard import boards, choices, snapshots
from leaderboard.boards import Board, Visibility
from leaderboard.permissions import sees_hidden
from leaderboard.ranking import Page
from scoreboard import entrants
from scoreboard.models import Board as Rule

log = structlog.get_logger(__name__)

THEMES = ("auto", "light", "dark")
DEFAULT_LIMIT = 10
ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")  # one origin; never a pattern of many


def element(
    request: HttpRequest | None,
    board: Board,
    period: str | None = None,
    limit: int = DEFAULT_LIMIT,
    theme: str = "auto",
) -> dict[str, Any]:
    """What leaderboard/element.html needs: the element's attributes, and its first rows for those without script.

    `period`: as it was asked for; without one the element goes on to the next when the current one ends. `page` is None
    when the rows are not this visitor's to see, while the board is being filled, and while neither Redis nor PostgreSQL
    can be read.
    """
    allowed = board.public or (request is not None and signed_in(request) is not None)
    page = first_page(board) if allowed and board.ready else None
    return {
        "board": board,
        "heading": choices.heading(board),
        "period": board.period if period or board.closed_at else None,
        "limit": limit,
        "theme": theme,
        "page": page,
        "rows": snapshots.rows_data(board, page, page.rows[:limit]) if page else [],
        "allowed": allowed,
        "site_path": settings.SITE_PATH,
    }


def there(request: HttpRequest | None, board: Board) -> bool:
    """Whether this visitor is to know that there is such a board."""
    return board.visibility != Visibility.HIDDEN or (request is not None and sees_hidden(signed_in(request)))


def first_page(board: Board) -> Page | None:
    try:
        return snapshots.get(board).page
    except (OperationalError, InterfaceError) as error:
        log.warning("board_unavailable", board=board.slug, error=str(error).strip())
        return None


@require_safe
@cache_control(private=True, no_cache=True)
def board_page(request: HttpRequest) -> HttpResponse:
    """Query: `board`, default global, and `period`, default the current one. 404 for one that does not exist."""
    period = request.GET.get("period")
    board = asked_for(request, request.GET.get("board", boards.GLOBAL.slug), period)
    hidden = sees_hidden(signed_in(request))
    shown = element(request, board, period)
    context = {
        "account": signed_in(request),
        "menu": choices.menu(board, hidden=hidden),
        "parts": choices.parts(board, hidden=hidden),
        "periods": choices.periods(board, whole=hidden),
        "dates": choices.dates(board),
        "ends": board.ends_at and choices.moment(board.ends_at, board.zone),
        "over": board.ends_at is not None and board.ends_at <= boards.listing().now,
        "frozen": board.frozen_at and choices.moment(board.frozen_at, board.zone),
        "entry": entry(request, board),
        "corrected": [row for row in shown["rows"] if "late_corrections" in row],
        **shown,
    }
    return render(request, "leaderboard/board.html", context)


def entry(request: HttpRequest, board: Board) -> str | None:
    """What the visitor can do on a board that players join: `join` or `leave` it."""
    account, rule = signed_in(request), boards.rule(board.slug)
    if account is None or rule is None or rule.entry != rule.Entry.JOIN or board.closed_at:
        return None
    try:
        if entrants.joined(rule.pk, account.pk):
            return "leave"
    except (OperationalError, InterfaceError) as error:
        log.warning("entrants_unavailable", board=board.slug, error=str(error).strip())
        return None
    return "join" if account.role == User.Role.PLAYER else None


@require_POST
def enter(request: HttpRequest) -> HttpResponse:
    """Joins or leaves the board, as the form says, and shows it again."""
    board = asked_for(request, request.POST.get("board", ""), None)
    account = signed_in(request)
    if account is None:
        return redirect("sign-in")
    try:
        charge_address(request)
        hit(charge("user", str(account.pk)))
        rule = Rule.objects.filter(slug=boards.rule_slug(board.slug)).first()
        if rule is None:
            raise Http404("There is no such board.")
        (entrants.leave if request.POST.get("entry") == "leave" else entrants.join)(rule, account)
    except Problem as refusal:
        note(refusal)
        messages.error(request, refusal.sentence)
    return HttpResponseRedirect(f"{reverse('board')}?board={board.slug}")


def asked_for(request: HttpRequest, slug: str, period: str | None) -> Board:
    found = choices.find(slug, period)
    if found is None or found.visibility == Visibility.HIDDEN:
        # SQL is asked the same of both: the time that it takes tells nothing.
        seen = sees_hidden(signed_in(request))
        if found is not None and not seen and not found.closed_at:
            boards.closed(slug, period)
        if found is None or not seen:
            raise Http404("There is no such board.")
    return found


@require_safe
@xframe_options_exempt
def embed(request: HttpRequest, board: str) -> HttpResponseBase:
    """One board and nothing else, for an iframe on the sites of LEADERBOARD_FRAME_ANCESTORS.

    Query: `period`, default the current one; `limit` 1 to 100, `theme` auto, light or dark, `origin` of the page around
    it, which is asked for the reader's token if it may be. Any other value of these three becomes the default: an error
    page in another site's iframe helps no visitor. A board or a period that does not exist has no other to stand in for
    it: 404.
    """
    period = request.GET.get("period")
    theme = request.GET.get("theme", "auto")
    context = element(
        request,
        asked_for(request, board, period),
        period,
        limit_of(request.GET.get("limit", "")),
        theme if theme in THEMES else "auto",
    )
    context["asked"] = asked(request.GET.get("origin", ""))
    framed = csp_replace({"frame-ancestors": list(settings.LEADERBOARD_FRAME_ANCESTORS)})
    return framed(lambda request: render(request, "leaderboard/embed.html", context))(request)


def asked(origin: str) -> str:
    """The origin, if LEADERBOARD_FRAME_ANCESTORS names exactly this one; else "".

    `*` and patterns say who may show the board, and not whose word counts on who is looking at it.
    """
    named = origin in settings.LEADERBOARD_FRAME_ANCESTORS
    return origin if named and ORIGIN.fullmatch(origin) else ""


def limit_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        return DEFAULT_LIMIT
    return min(boards.VISIBLE_TOP, max(1, int(text)))


@require_safe
def embedding(request: HttpRequest) -> HttpResponse:
    """How to put a board on another page, with this site's address filled in. Query: `board`, default global."""
    board = asked_for(request, request.GET.get("board", boards.GLOBAL.slug), None)
    origin = f"{request.scheme}://{request.get_host()}"
    context = {
        "account": signed_in(request),
        "origin": origin,
        "site": origin + settings.SITE_PATH,
        "socket_origin": "ws" + origin.removeprefix("http"),
        "board": board,
        "heading": choices.heading(board),
        "boards": choices.everyone(hidden=sees_hidden(signed_in(request))),
        "limit": DEFAULT_LIMIT,
    }
    return render(request, "leaderboard/embedding.html", context)
