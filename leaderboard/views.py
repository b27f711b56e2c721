"""The REST shell of the boards: parse, read, answer. Pages are in pages.py."""

import uuid
from collections.abc import Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.http import HttpResponse, HttpResponseNotModified
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.authentication import PLAYER, PLAYER_AUTH, AccountSessionAuthentication, ApiKeyAuthentication
from accounts.exports import MayExport
from accounts.key_views import found
from accounts.models import ApiKey, User
from accounts.players import Reference
from api.client_address import client_address
from api.openapi import envelope, problems
from api.problems import Problem
from api.responses import ok
from api.throttles import charge, hit
from api.views import ApiView
from leaderboard import boards, past, reads, snapshots, tiers
from leaderboard.boards import GLOBAL, Board, Visibility
from leaderboard.permissions import READERS, BoardIsPublicOrSignedIn, board_for, demand_sight, seen_by
from leaderboard.reads import PlayerStanding
from leaderboard.serializers import (
    TRUTH,
    AroundQuery,
    BoardQuery,
    OwnStandingSerializer,
    PlayerStandingSerializer,
    RowSerializer,
    TopQuery,
    ViewQuery,
    WhichBoardSerializer,
)
from leaderboard.snapshots import Snapshot

# While the board is public anyone may see it; on a private one, 401.
OPEN_OR_SIGNED_IN: Any = [{}, *PLAYER_AUTH, {"apiKey": []}]
PAGE_MEMBERS: dict[str, serializers.Field[Any, Any, Any, Any]] = {
    "last_updated": serializers.DateTimeField(),
    "epoch": serializers.CharField(allow_null=True, help_text="Null while SQL stands in for Redis."),
    "seq": serializers.IntegerField(allow_null=True),
    "players": serializers.IntegerField(),
    "board": WhichBoardSerializer(),
}
TOP_MEMBERS = {
    **PAGE_MEMBERS,
    "at": serializers.DateTimeField(required=False, help_text="Of a past board: the instant that is shown."),
}


class BoardView(ApiView):
    """`visibility`: of the board that is asked for; `open`: whether anybody may see what is asked for.

    `truth`: whether that is what a frozen board holds back, for keys with the scope `read`, and staff with the right.
    """

    authentication_classes: Any = (ApiKeyAuthentication, *PLAYER)
    permission_classes: Any = (BoardIsPublicOrSignedIn,)
    readers: Sequence[ApiKey.Scope] = READERS
    right = "scoreboard.view_userscore"  # of staff who are shown what a frozen board holds back, as in a file
    visibility: str
    open: bool

    def slug(self, request: Request) -> str:
        """Of the board that is asked for, before anything else is known of the request."""
        return request.query_params.get("board", GLOBAL.slug)

    @property
    def truth(self) -> bool:
        # None while the API is described.
        return self.request is not None and TRUTH in self.request.GET.getlist("view")

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [AccountSessionAuthentication(), ApiKeyAuthentication()] if self.truth else super().get_authenticators()

    def get_permissions(self) -> list[Any]:
        return [MayExport()] if self.truth else list(super().get_permissions())

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Where no key is asked for, none is charged in place of the address."""
        self.visibility = seen_by(self.slug(request))
        self.open = self.is_open() and not self.truth
        self.accepts_api_keys = not self.open
        super().initial(request, *args, **kwargs)
        if self.visibility == Visibility.HIDDEN:
            demand_sight(self.visibility, request, self.readers)

    def is_open(self) -> bool:
        return settings.LEADERBOARD_PUBLIC and self.visibility == Visibility.PUBLIC

    def perform_authentication(self, request: Request) -> None:
        """Only when it matters: on a public board an expired token must not cost anyone the view of it.

        Of a hidden one it must not tell that there is more to see than of a board that is not there.
        """
        if self.open:
            return
        try:
            super().perform_authentication(request)
        except APIException as refusal:
            limited = refusal.status_code == HTTPStatus.TOO_MANY_REQUESTS
            if self.visibility == Visibility.HIDDEN and settings.LEADERBOARD_PUBLIC and not limited:
                raise boards.no_such_board() from refusal
            raise

    def get_throttles(self) -> list[BaseThrottle]:
        """No user is signed in where none needs to be; the address is counted all the same."""
        return [] if self.open else super().get_throttles()

    def board(self, request: Request) -> Board:
        """The one that is asked for, as this client may see it. Raises Problem, NotAuthenticated."""
        return board_for(request, self.asked["board"], self.asked["period"], truth=self.truth)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """What a board holds back stays in no cache."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        if self.truth:
            answer.headers["Cache-Control"] = "private, no-store"
        return answer


class TopView(BoardView):
    query = TopQuery

    @extend_schema(
        operation_id="top",
        auth=OPEN_OR_SIGNED_IN,
        summary="The board, from the top",
        tags=["board"],
        responses={200: envelope(RowSerializer(many=True), **TOP_MEMBERS), **problems(400, 401, 404, 429, 503)},
    )
    def get(self, request: Request) -> HttpResponse:
        if self.asked["at"] is not None:
            return self.as_of(request)
        board = self.board(request)
        limit, offset = self.asked["limit"], self.asked["offset"]
        if offset + limit <= boards.VISIBLE_TOP:
            snapshot = snapshots.get(board)
            return page_response(request, board.public, snapshot, snapshot.body(limit, offset))
        page = reads.top(board, limit, offset)
        return tagged_by_content(request, board.public, snapshots.encode_page(board, page, page.rows))

    def as_of(self, request: Request) -> HttpResponse:
        """The board at a past instant."""
        hit(charge("as-of", client_address(request._request)))
        demand_sight(boards.visibility(self.asked["board"]), request)
        asked = past.find(self.asked["board"], self.asked["at"], truth=self.truth)
        demand_sight(asked.board.visibility, request)  # as it was read now
        if self.asked["period"] not in (None, asked.board.period):
            raise Problem("not-found", "The board had no such period at that instant.")
        page = past.top(asked, self.asked["limit"], self.asked["offset"])
        body = snapshots.encode_page(asked.board, page, page.rows, at=asked.at)
        return tagged_by_content(request, asked.board.public, body)


def page_response(request: Request, public: bool, snapshot: Snapshot, body: bytes) -> HttpResponse:
    """200 with an ETag, or 304 when the client has this (epoch, seq). Of SQL's pages closed periods alone have one."""
    if snapshot.board.closed_at:
        return tagged_by_content(request, public, body)
    if snapshot.page.epoch is None:
        return HttpResponse(body, content_type="application/json", headers=caching(public))
    return tagged(request, public, body, snapshot.etag)


def tagged_by_content(request: Request, public: bool, body: bytes) -> HttpResponse:
    """What reaches below the visible top: seq does not move with it, so its ETag is a digest of what it says."""
    return tagged(request, public, body, f'"{sha256(body).hexdigest()[:32]}"')


def tagged(request: Request, public: bool, body: bytes, etag: str) -> HttpResponse:
    headers = {"ETag": etag, **caching(public)}
    if matches(request.META.get("HTTP_IF_NONE_MATCH", ""), etag):
        return HttpResponseNotModified(headers=headers)
    return HttpResponse(body, content_type="application/json", headers=headers)


def matches(if_none_match: str, etag: str) -> bool:
    """RFC 9110 section 13.1.2: weak comparison with each listed tag, or `*`."""
    listed = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in (etag, "*") for tag in listed)


def caching(public: bool) -> dict[str, str]:
    """`public`: whether everybody is told the same."""
    if public:
        return {"Cache-Control": "public, max-age=1, stale-while-revalidate=5"}
    return {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie, X-API-Key"}


def standing_data(board: Board, standing: PlayerStanding) -> dict[str, Any]:
    """A player's own line, with the tier if the board has tiers."""
    return {**standing.data, **tiers.shown(board.tiers, standing.rank, standing.players)}


class MyScoreView(ApiView):
    authentication_classes = PLAYER
    query = BoardQuery

    @extend_schema(
        operation_id="my_score",
        auth=PLAYER_AUTH,
        summary="My score and rank",
        tags=["board"],
        responses={200: envelope(OwnStandingSerializer()), **problems(400, 401, 404, 429, 503)},
    )
    def get(self, request: Request) -> Response:
        demand_sight(seen_by(self.asked["board"]), request)
        board, player = board_for(request, self.asked["board"], self.asked["period"]), cast(User, request.user).pk
        standing = reads.mine(board, player)
        if standing is None:
            raise Problem("not-authenticated", "The user is disabled or gone.")
        mine = {**standing_data(board, standing), **reads.own(board, player)}
        return ok(mine, headers={"Cache-Control": "private, no-store"})


class PlayerScoreView(BoardView):
    query = ViewQuery

    @extend_schema(
        operation_id="player_score",
        auth=OPEN_OR_SIGNED_IN,
        summary="A player's score and rank",
        tags=["board"],
        responses={200: envelope(PlayerStandingSerializer()), **problems(400, 401, 404, 429, 503)},
    )
    def get(self, request: Request, user_id: uuid.UUID | Reference) -> HttpResponse:
        board = self.board(request)
        standing = reads.player(board, found(request, user_id))
        if standing is None:
            raise Problem("not-found", "There is no such player.")
        body = JSONRenderer().render({"success": True, "data": standing_data(board, standing)})
        return tagged_by_content(request, board.public, body)


class AroundView(BoardView):
    query = AroundQuery

    @extend_schema(
        operation_id="around",
        auth=OPEN_OR_SIGNED_IN,
        summary="A player and the neighbours, in rank order",
        tags=["board"],
        responses={200: envelope(RowSerializer(many=True), **PAGE_MEMBERS), **problems(400, 401, 404, 429, 503)},
    )
    def get(self, request: Request, user_id: uuid.UUID | Reference) -> HttpResponse:
        board, player = self.board(request), found(request, user_id)
        page = reads.around(board, player, self.asked["radius"])
        if not page.rows and reads.player(board, player) is None:
            raise Problem("not-found", "There is no such player.")
        return tagged_by_content(request, board.public, snapshots.encode_page(board, page, page.rows))
