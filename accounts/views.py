"""The REST shell of signing up and in: parse, call, answer."""

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import local_accounts, sign_in, sign_up
from accounts.models import User
from accounts.serializers import (
    RefreshSerializer,
    RegisterSerializer,
    SignInSerializer,
    VerifySerializer,
)
from api.fields import parsed
from api.openapi import envelope, problems
from api.responses import ok
from api.views import ApiView

USER = inline_serializer(
    "User",
    {
        "user_id": serializers.UUIDField(),
        "username": serializers.CharField(),
        "email": serializers.EmailField(),
        "role": serializers.ChoiceField(User.Role.choices),
    },
)
PAIR = inline_serializer("TokenPair", {"access": serializers.CharField(), "refresh": serializers.CharField()})
NOTHING = inline_serializer("Nothing", {})


class LocalView(ApiView):
    """Of accounts here. What is switched off is so for every client; the address was charged."""

    def perform_authentication(self, request: Request) -> None:
        local_accounts.demand()
        super().perform_authentication(request)


class AnonymousView(LocalView):
    """Open to anyone: no credentials are looked at, so that an expired one does not stop a sign-in."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class RegisterView(AnonymousView):
    limits = ("sign-up",)

    @extend_schema(
        operation_id="register",
        summary="Sign up as a player",
        tags=["accounts"],
        request=RegisterSerializer,
        responses={201: envelope(USER), **problems(400, 403, 413, 429, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        user = sign_up.register(**parsed(RegisterSerializer, request.data), request=request._request)
        data = {"user_id": user.pk, "username": user.username, "email": user.email, "role": user.role}
        return ok(data, status=201)


class SignInView(AnonymousView):
    limits = ("sign-in",)

    @extend_schema(
        operation_id="sign_in",
        summary="Sign in: an access and a refresh token",
        tags=["accounts"],
        request=SignInSerializer,
        responses={200: envelope(PAIR), **problems(400, 401, 403, 429, 413, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        return ok(sign_in.sign_in(**parsed(SignInSerializer, request.data), request=request._request))


class RefreshView(AnonymousView):
    @extend_schema(
        operation_id="refresh",
        summary="Spend a refresh token for a new pair",
        tags=["accounts"],
        request=RefreshSerializer,
        responses={200: envelope(PAIR), **problems(400, 401, 403, 429, 413, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        return ok(sign_in.rotate(parsed(RefreshSerializer, request.data)["refresh"]))


class VerifyView(AnonymousView):
    @extend_schema(
        operation_id="verify",
        summary="Is this token good?",
        tags=["accounts"],
        request=VerifySerializer,
        responses={200: envelope(NOTHING), **problems(400, 401, 403, 429, 413, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        sign_in.verify(parsed(VerifySerializer, request.data)["token"])
        return ok({})


class SignOutView(AnonymousView):
    @extend_schema(
        operation_id="sign_out",
        summary="End the sign-in of a refresh token",
        tags=["accounts"],
        request=RefreshSerializer,
        responses={200: envelope(NOTHING), **problems(400, 401, 403, 429, 413, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        sign_in.sign_out(parsed(RefreshSerializer, request.data)["refresh"])
        return ok({})
