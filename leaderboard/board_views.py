"""The REST shell of what boards there are: listed and described for those who may see them, made, changed and deleted
by keys with the scope `boards` and by staff."""

import uuid
from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.authentication import (
    PLAYER_AUTH,
    AccountJWTAuthentication,
    AccountSessionAuthentication,
    ApiKeyAuthentication,
    BackEnd,
)
from accounts.models import ApiKey
from api.fields import QueryInteger
from api.openapi import envelope, problems
from api.problems import Problem
from api.query import Query
from api.responses import ok
from leaderboard import boards, choices, definitions
from leaderboard.boards import GLOBAL, Visibility
from leaderboard.definition_fields import DefinitionSerializer, NewDefinitionSerializer, in_words
from leaderboard.definition_schema import BoardDocumentSerializer, PastPeriodSerializer
from leaderboard.permissions import READERS, MayEditBoards, demand_sight, sees_hidden
from leaderboard.serializers import MAX_OFFSET
from leaderboard.views import OPEN_OR_SIGNED_IN, BoardView, tagged_by_content
from scoreboard import board_rules
from scoreboard.models import Board as Rule

EDITORS: Any = [*PLAYER_AUTH, {"apiKey": []}]
SLUG = OpenApiParameter(
    "slug",
    {"type": "string", "minLength": 1, "maxLength": 65, "pattern": "^[a-z0-9-]+([.][a-z0-9-]+)?$"},
    OpenApiParameter.PATH,
    description="Of the board; `<slug>.<value>` for one part of a board with one for each value.",
)
OWN_SLUG = OpenApiParameter("slug", {"type": "string", "minLength": 1, "maxLength": 32}, OpenApiParameter.PATH)


class PageQuery(Query):
    limit = QueryInteger(default=100, min_value=1, max_value=100)
    offset = QueryInteger(default=0, min_value=0, max_value=MAX_OFFSET)


class RulesView(BoardView):
    """Reads as any read of a board, also for keys that edit boards; writes by those and by staff."""

    readers: Sequence[ApiKey.Scope] = (*READERS, ApiKey.Scope.BOARDS)

    @property
    def writes(self) -> bool:
        return self.request is not None and self.request.method not in SAFE_METHODS

    def slug(self, request: Request) -> str:
        """A write is judged by who makes it, whatever board it names."""
        return GLOBAL.slug if self.writes else cast(str, self.kwargs.get("slug", GLOBAL.slug))

    def is_open(self) -> bool:
        return not self.writes and super().is_open()

    def get_authenticators(self) -> list[BaseAuthentication]:
        if not self.writes:
            return super().get_authenticators()
        return [ApiKeyAuthentication(), AccountJWTAuthentication(), AccountSessionAuthentication()]

    def get_permissions(self) -> list[Any]:
        return [MayEditBoards()] if self.writes else super().get_permissions()

    def sees_all(self, request: Request) -> bool:
        """Whether the caller, who need not be signed in, is staff or a key that sees hidden boards."""
        try:
            return sees_hidden(request.user if request.user.is_authenticated else None, self.readers)
        except APIException:
            return False

    def get_throttles(self) -> list[BaseThrottle]:
        return super(BoardView, self).get_throttles() if self.writes else super().get_throttles()


def actor_of(request: Request) -> uuid.UUID:
    """Under whose name the admin log has it."""
    user = request.user
    return cast(uuid.UUID, user.key.actor_id if isinstance(user, BackEnd) else user.pk)


def described(slug: str, status: int = 200) -> Response:
    boards.refresh(at_once=True)
    return ok(definitions.one(slug, hidden=True), status=status)


def same_for_all() -> bool:
    """Whether every caller sees the same boards."""
    rules = boards.listing().rules.values()
    return settings.LEADERBOARD_PUBLIC and all(one.visibility == Visibility.PUBLIC and not one.paused for one in rules)


class BoardsView(RulesView):
    query = PageQuery

    def caller(self, request: Request) -> Any:
        """Who asks, where that decides what they see; credentials that are none cost nobody the public boards."""
        if same_for_all():
            return None
        try:
            return request.user if request.user.is_authenticated else None
        except APIException:
            if not settings.LEADERBOARD_PUBLIC:
                raise
            return None

    @extend_schema(
        operation_id="boards",
        auth=OPEN_OR_SIGNED_IN,
        summary="The boards there are, `global` first",
        description="Those that the caller may see: boards for the signed-in with a token, hidden ones by staff and "
        "keys with the scope `read` or `boards`.",
        tags=["boards"],
        responses={
            200: envelope(BoardDocumentSerializer(many=True), total=serializers.IntegerField()),
            **problems(400, 401, 429, 503),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        caller = self.caller(request)
        hidden = sees_hidden(caller, self.readers)
        found = definitions.every(hidden, signed_in=hidden or not (caller is None or isinstance(caller, BackEnd)))
        limit, offset = self.asked["limit"], self.asked["offset"]
        body = {"success": True, "data": found[offset : offset + limit], "total": len(found)}
        return tagged_by_content(request, same_for_all(), JSONRenderer().render(body))

    @extend_schema(
        operation_id="make_board",
        auth=EDITORS,
        summary="Make a board",
        description="By a key with the scope `boards`, or staff. Points that were given before count, too: until they "
        "are counted the board's `state` is `counting`.",
        tags=["boards"],
        request=NewDefinitionSerializer,
        responses={
            201: envelope(BoardDocumentSerializer()),
            **problems(400, 401, 403, 409, 413, 415, 429, 503),
        },
    )
    def post(self, request: Request) -> Response:
        body = NewDefinitionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            made = board_rules.make(body.rule(), actor_of(request))
        except ValidationError as error:
            raise in_words(error) from error
        return described(made.slug, 201)


class BoardDefinitionView(RulesView):
    @extend_schema(
        operation_id="board",
        auth=OPEN_OR_SIGNED_IN,
        summary="One board: its rule, its current period, its next reset",
        tags=["boards"],
        parameters=[SLUG],
        responses={200: envelope(BoardDocumentSerializer()), **problems(400, 401, 403, 404, 429, 503)},
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        demand_sight(self.visibility, request, self.readers)
        rule = boards.rule(slug)
        hidden = rule is not None and rule.paused and self.sees_all(request)
        body = {"success": True, "data": definitions.one(slug, hidden=hidden)}
        public = self.open and not hidden
        return tagged_by_content(request, public, JSONRenderer().render(body))

    @extend_schema(
        operation_id="change_board",
        auth=EDITORS,
        summary="Change a board, at once",
        description="What is left out stays as it is. A rule that changed counts the open periods anew, points that "
        "were given before included; closed ones stay as they came out.",
        tags=["boards"],
        parameters=[OWN_SLUG],
        request=DefinitionSerializer,
        responses={
            200: envelope(BoardDocumentSerializer()),
            **problems(400, 401, 403, 404, 413, 415, 429, 503),
        },
    )
    def put(self, request: Request, slug: str) -> Response:
        refuse_global(slug)
        if not request.body:
            raise serializers.ValidationError("Expected a JSON object.")
        body = DefinitionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        before = Rule.objects.filter(slug=slug).first()
        try:
            board_rules.change(slug, body.rule(before), actor_of(request))
        except ValidationError as error:
            raise in_words(error) from error
        return described(slug)

    @extend_schema(
        operation_id="delete_board",
        auth=EDITORS,
        summary="Delete a board, for good",
        description="Its closed periods and their final ranks go with it. Points stay, and so do all other boards.",
        tags=["boards"],
        parameters=[OWN_SLUG],
        responses={204: None, **problems(401, 403, 404, 429, 503)},
    )
    def delete(self, request: Request, slug: str) -> Response:
        refuse_global(slug)
        board_rules.remove(slug, actor_of(request))
        boards.refresh(at_once=True)
        return Response(status=204)


def refuse_global(slug: str) -> None:
    if slug == GLOBAL.slug:
        raise Problem("forbidden", "The board of all players is no rule that could be changed.")


class PeriodsView(RulesView):
    query = PageQuery

    @extend_schema(
        operation_id="board_periods",
        auth=OPEN_OR_SIGNED_IN,
        summary="A board's periods, open and closed, the newest first",
        description="Of the closed ones as many as the board's `archive` says; all for staff, and keys with the scope "
        "`read` or `boards`.",
        tags=["boards"],
        parameters=[SLUG],
        responses={200: envelope(PastPeriodSerializer(many=True)), **problems(400, 401, 403, 404, 429, 503)},
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        demand_sight(self.visibility, request, self.readers)
        definitions.one(slug, hidden=False)  # that there is one
        archive = choices.archive(slug)
        whole = archive is not None and self.sees_all(request)
        limit, offset = self.asked["limit"], self.asked["offset"]
        found = definitions.periods(slug, limit, offset, None if whole else archive)
        body = JSONRenderer().render({"success": True, "data": found})
        return tagged_by_content(request, self.open and not whole, body)
