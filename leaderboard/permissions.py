"""Who may look at a board, and who may change one."""

from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.authentication import BackEnd
from accounts.key_views import demand
from accounts.models import ApiKey
from leaderboard import boards
from leaderboard.boards import GLOBAL, Board, Visibility
from scoreboard import named_boards

READERS = (ApiKey.Scope.READ,)  # what a key must have to see boards that are not public
RIGHTS = {"POST": "scoreboard.add_board", "PUT": "scoreboard.change_board", "DELETE": "scoreboard.delete_board"}


class BoardIsPublicOrSignedIn(BasePermission):
    """Anyone while the board is public, else signed-in users, and keys with one of the view's `readers`.

    Of a hidden board everybody is let through to hear that there is none (`demand_sight`), as of one that is not there.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        asked = cast(Any, view)
        if settings.LEADERBOARD_PUBLIC and asked.visibility != Visibility.SIGNED_IN:
            return True
        if isinstance(request.user, BackEnd):
            demand(request.user.key, *asked.readers)
        return bool(request.user and request.user.is_authenticated)


class MayEditBoards(BasePermission):
    """A key with the scope `boards`; or a user with the right to do the same in admin."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.user, BackEnd):
            demand(request.user.key, ApiKey.Scope.BOARDS)
            return True
        return request.user.is_authenticated and request.user.has_perm(RIGHTS.get(request.method or "", ""))


def seen_by(slug: str) -> str:
    """Who sees the board with this slug. One that is not there, or paused, is as a hidden one: else headers, limits and
    time would tell the two apart."""
    rule = boards.rule(slug)
    if slug == GLOBAL.slug or (rule and not rule.paused and rule.visibility != Visibility.HIDDEN):
        return boards.visibility(slug)
    if rule:
        boards.refresh(at_once=True)  # as `boards.rule` does for one that is not there
    return Visibility.HIDDEN


def sees_hidden(user: Any, readers: Sequence[ApiKey.Scope] = READERS) -> bool:
    """Whether hidden boards are there for this caller; None is a visitor."""
    return named_boards.sees_hidden(user, readers)


def demand_sight(visibility: str, request: Request, readers: Sequence[ApiKey.Scope] = READERS) -> None:
    """Raises Problem not-found of a hidden board, NotAuthenticated of one for the signed-in, unless it is the
    caller's to see. Of a public one nobody is asked who they are."""
    if visibility == Visibility.HIDDEN and not sees_hidden(request.user, readers):
        raise boards.no_such_board()
    if visibility == Visibility.SIGNED_IN and not request.user.is_authenticated:
        raise NotAuthenticated


def board_for(request: Request, slug: str, period: str | None = None, *, truth: bool = False) -> Board:
    """The board with this slug if this caller may see it, or its `truth`. Raises as `boards.get`, `demand_sight` do."""
    demand_sight(boards.visibility(slug), request)
    board = (boards.truth if truth else boards.get)(slug, period)
    demand_sight(board.visibility, request)  # as it was read now
    return board
