"""Joining and leaving boards over the API: by players, and by back ends for theirs."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import players
from accounts.authentication import PLAYER, PLAYER_AUTH
from accounts.key_views import KEY, BackEndView
from accounts.models import ApiKey, User
from accounts.player_views import PLAYER as PLAYER_PARAMETER
from api.openapi import envelope, problems
from api.responses import ok
from api.views import ApiView
from leaderboard import boards
from leaderboard.board_views import OWN_SLUG
from leaderboard.boards import Visibility
from leaderboard.permissions import demand_sight
from scoreboard import entrants
from scoreboard.models import Board as Rule


class EntrySerializer(serializers.Serializer[Any]):
    board = serializers.CharField()
    joined = serializers.BooleanField()


ENTERED = {status: envelope(EntrySerializer()) for status in (200, 201)}


def entered(rule: Rule, player: User) -> Response:
    """201 for who joins, 200 for who had joined before."""
    status = 201 if entrants.join(rule, player) else 200
    return ok({"board": rule.slug, "joined": True}, status=status, headers={"Cache-Control": "private, no-store"})


def rule_of(slug: str) -> Rule:
    """As it is stored now. Raises Problem not-found."""
    rule = Rule.objects.filter(slug=slug).first()
    if rule is None:
        raise boards.no_such_board()
    return rule


class JoinView(ApiView):
    """Of the player who asks."""

    authentication_classes = PLAYER

    def rule(self, request: Request, slug: str) -> Rule:
        """Raises Problem not-found of what the caller may not see."""
        rule = Rule.objects.filter(slug=slug).first()
        demand_sight(Visibility.HIDDEN if rule is None or rule.paused else rule.visibility, request)
        if rule is None:
            raise boards.no_such_board()
        return rule

    @extend_schema(
        operation_id="join_board",
        auth=PLAYER_AUTH,
        summary="Join a board",
        description="Of a board whose `entry` is `join`: the caller is on it from now on, with all points that its "
        "open periods hold, earlier ones included. 200: the caller had joined before.",
        tags=["boards"],
        parameters=[OWN_SLUG],
        request=None,
        responses={**ENTERED, **problems(400, 401, 403, 404, 409, 429, 503)},
    )
    def post(self, request: Request, slug: str) -> Response:
        return entered(self.rule(request, slug), cast(User, request.user))

    @extend_schema(
        operation_id="leave_board",
        auth=PLAYER_AUTH,
        summary="Leave a board",
        description="The caller is off its open periods; closed ones stay as they came out. 204, too, for who had not "
        "joined.",
        tags=["boards"],
        parameters=[OWN_SLUG],
        responses={204: None, **problems(400, 401, 404, 409, 429, 503)},
    )
    def delete(self, request: Request, slug: str) -> Response:
        entrants.leave(self.rule(request, slug), cast(User, request.user))
        return Response(status=204)


class EntrantView(BackEndView):
    """Of a player of the key's provider."""

    scope = ApiKey.Scope.BOARDS

    @extend_schema(
        operation_id="put_board_player",
        auth=KEY,
        summary="Have a player join a board",
        description="As if the player of the key's provider joined it. 200: the player had joined before.",
        tags=["boards"],
        parameters=[OWN_SLUG, PLAYER_PARAMETER],
        request=None,
        responses={**ENTERED, **problems(400, 401, 403, 404, 409, 429, 503)},
    )
    def put(self, request: Request, slug: str, player: str) -> Response:
        return entered(rule_of(slug), players.get(self.provider(request), player))

    @extend_schema(
        operation_id="remove_board_player",
        auth=KEY,
        summary="Have a player leave a board",
        tags=["boards"],
        parameters=[OWN_SLUG, PLAYER_PARAMETER],
        responses={204: None, **problems(400, 401, 403, 404, 409, 429, 503)},
    )
    def delete(self, request: Request, slug: str, player: str) -> Response:
        rule = rule_of(slug)
        entrants.leave(rule, players.get(self.provider(request), player))
        return Response(status=204)
