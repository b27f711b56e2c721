"""The REST shell of actions: parse, call, answer."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from django.db import transaction
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import players
from accounts.authentication import (
    PLAYER,
    PLAYER_AUTH,
    AccountSessionAuthentication,
    ApiKeyAuthentication,
    BackEnd,
    StatelessJWTAuthentication,
    StatelessUser,
)
from accounts.key_views import demand, demand_type
from accounts.models import ApiKey, User
from actions import batch, queue, redemption, tokens
from actions.admission import admit
from actions.metrics import QUEUE_BUSY, REDEEM_SECONDS
from actions.models import ActionType
from actions.problems import AlreadyRedeemedSerializer
from actions.serializers import (
    ActionTypeSerializer,
    BackEndMintSerializer,
    BatchResultsSerializer,
    BatchSerializer,
    MintedSerializer,
    MintSerializer,
    QueuedSerializer,
    QueuedStatusSerializer,
    RedeemedSerializer,
    SubmissionSerializer,
)
from actions.submission import Submission
from api.openapi import envelope, problems
from api.parsers import BatchJSONParser
from api.problems import Problem
from api.responses import ok
from api.views import ApiView

PREFER = OpenApiParameter("Prefer", str, OpenApiParameter.HEADER, description="respond-async (RFC 7240)")


class PlayerView(ApiView):
    """For the two calls of the hot path: the JWT is believed without SQL, the statement itself checks the user."""

    authentication_classes: Sequence[type[BaseAuthentication]] = (
        StatelessJWTAuthentication,
        AccountSessionAuthentication,
    )

    @staticmethod
    def caller(request: Request) -> User | StatelessUser:
        return cast(User | StatelessUser, request.user)


class ActionTypesView(ApiView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="action_types",
        summary="What can be done for points",
        tags=["actions"],
        responses={200: envelope(ActionTypeSerializer(many=True)), **problems(429, 503)},
    )
    def get(self, request: Request) -> Response:
        return ok(ActionTypeSerializer(ActionType.objects.working(), many=True).data)


class MintView(PlayerView):
    authentication_classes = (ApiKeyAuthentication, *PlayerView.authentication_classes)
    accepts_api_keys = True

    @extend_schema(
        operation_id="mint_action_token",
        auth=cast(Any, [*PLAYER_AUTH, {"apiKey": []}]),
        summary="Get a signed one-time token for an action",
        description=(
            "Players send `action_type`, one that is `granted_by` the player. Back ends with an API key also send "
            "`user_id` or `player` and, if they like, `points`."
        ),
        tags=["actions"],
        request=PolymorphicProxySerializer(
            "AnyMint", [MintSerializer, BackEndMintSerializer], resource_type_field_name=None
        ),
        responses={201: envelope(MintedSerializer()), **problems(400, 401, 403, 404, 413, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        if isinstance(request.user, BackEnd):
            return ok(asdict(self.mint_for_back_end(request, request.user.key)), status=201)
        body = MintSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        caller = self.caller(request)
        # The session was looked at; of a JWT the statement has to see to it.
        sign_in = caller.sign_in if isinstance(caller, StatelessUser) else None
        minted = tokens.mint_own(caller.id, body.validated_data["action_type"], sign_in=sign_in)
        return ok(asdict(minted), status=201)

    @staticmethod
    def mint_for_back_end(request: Request, key: ApiKey) -> tokens.Minted:
        demand(key, ApiKey.Scope.MINT)
        body = BackEndMintSerializer(data=request.data, context={"request": request})
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        demand_type(key, asked["action_type"])
        with transaction.atomic():  # a refusal makes no player
            user_id = asked["user_id"] if "user_id" in asked else players.ensure(key.provider, asked["player"])
            return tokens.mint(user_id, asked["action_type"], points=asked.get("points"), issued_by=key.pk)


class UpdateView(PlayerView):
    @extend_schema(
        operation_id="redeem_action_token",
        auth=PLAYER_AUTH,
        summary="Redeem a token: the score goes up, once",
        description=(
            "With `Prefer: respond-async`, or on a busy site with `QUEUE_WHEN_BUSY`, the answer is 202 with a status "
            "URL, and a worker redeems."
        ),
        tags=["actions"],
        parameters=[PREFER],
        request=SubmissionSerializer,
        responses={
            200: envelope(RedeemedSerializer()),
            202: envelope(QueuedSerializer()),
            **problems(400, 401, 403, 409, 410, 413, 415, 425, 429, 503, conflict=AlreadyRedeemedSerializer),
        },
    )
    def post(self, request: Request) -> Response:
        started = time.perf_counter()
        body = SubmissionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        submission = Submission(**body.validated_data, name=str(body.validated_data["action_id"]))
        if to_be_queued(request):
            admit(self.caller(request).id, [submission])
            if submission.refusal:
                raise submission.refusal
            return accepted(request, self.caller(request).id, [submission])
        redemption.redeem(self.caller(request).id, submission)
        REDEEM_SECONDS.observe(time.perf_counter() - started)
        return ok(submission.answer)


class BatchView(PlayerView):
    parser_classes = (BatchJSONParser,)

    @extend_schema(
        operation_id="redeem_batch",
        auth=PLAYER_AUTH,
        summary="Redeem up to 100 tokens, each judged alone",
        description=(
            "Each result has the `status` the action would have had alone, with `new_score`, `rank` and `score_delta` "
            "or the members of its problem. With `Prefer: respond-async`, or on a busy site with `QUEUE_WHEN_BUSY`, "
            "the answer is 202 with a status URL."
        ),
        tags=["actions"],
        parameters=[PREFER],
        request=BatchSerializer,
        responses={
            200: envelope(BatchResultsSerializer()),
            202: envelope(QueuedSerializer()),
            **problems(400, 401, 413, 415, 429, 503),
        },
    )
    def post(self, request: Request) -> Response:
        submissions = batch.parse(request.data)
        user_id = self.caller(request).id
        if not to_be_queued(request):
            redemption.redeem_all(user_id, submissions)
        elif admit(user_id, submissions):  # otherwise nothing is left to wait for
            return accepted(request, user_id, submissions)
        for one in submissions:
            # A caller who was disabled hears so as from every other call.
            if isinstance(one.refusal, Problem) and one.refusal.kind == "not-authenticated":
                raise one.refusal
        return ok({"results": [batch.result(one) for one in submissions]})


class QueuedWorkView(ApiView):
    authentication_classes = PLAYER

    @extend_schema(
        operation_id="queued_work",
        auth=PLAYER_AUTH,
        summary="What became of queued submissions",
        tags=["actions"],
        responses={200: envelope(QueuedStatusSerializer()), **problems(401, 404, 429, 503)},
    )
    def get(self, request: Request, work_id: uuid.UUID) -> Response:
        work = queue.status(work_id, cast(User, request.user))
        if work is None:
            raise Problem("not-found", "You have no such queued work.")
        return ok(QueuedStatusSerializer(work).data, headers={"Cache-Control": "private, no-store"})


def wants_async(request: Request) -> bool:
    """RFC 7240: does `Prefer` list respond-async?"""
    preferences = request.headers.get("Prefer", "").split(",")
    return any(preference.partition(";")[0].strip().lower() == "respond-async" for preference in preferences)


def to_be_queued(request: Request) -> bool:
    """Because the client prefers it, or because enough clients wait for this process's commit already."""
    return wants_async(request) or redemption.is_busy()


def accepted(request: Request, user_id: uuid.UUID, submissions: Sequence[Submission]) -> Response:
    """202 with the status URL."""
    if not User.objects.filter(pk=user_id, is_active=True).exists():
        raise Problem("not-authenticated", "The user is disabled or gone.")
    work = queue.accept(user_id, submissions)
    url = reverse("queued-work", args=[work.pk])
    data = {"work_id": work.pk, "state": work.state, "status_url": url}
    headers = {"Location": url}
    if wants_async(request):
        headers["Preference-Applied"] = "respond-async"
    else:
        QUEUE_BUSY.inc()
    return ok(data, status=202, headers=headers)
