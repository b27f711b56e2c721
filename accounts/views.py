"""The REST shell of accounts: parse, call, answer."""

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import addresses, sign_in
from accounts.models import User
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


class AnonymousView(ApiView):
    """Open to anyone: no credentials are looked at, so that an expired one does not stop a sign-in."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def parsed(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    filled = serializer(data=request.data)
    filled.is_valid(raise_exception=True)
    return dict(filled.validated_data)


class RegisterView(AnonymousView):
    limits = ("sign-up",)

    @extend_schema(
        operation_id="register",
        summary="Sign up as a player",
        tags=["accounts"],
        request=sign_in.RegisterSerializer,
        responses={201: envelope(USER), **problems(400, 413, 429, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        asked = parsed(sign_in.RegisterSerializer, request)
        user = sign_in.register(**asked, address=addresses.address_digest(request._request))
        data = {"user_id": user.pk, "username": user.username, "email": user.email, "role": user.role}
        return ok(data, status=201)


class SignInView(AnonymousView):
    limits = ("sign-in",)

    @extend_schema(
        operation_id="sign_in",
        summary="Sign in: an access and a refresh token",
        tags=["accounts"],
        request=sign_in.SignInSerializer,
        responses={200: envelope(PAIR), **problems(400, 401, 429, 413, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        return ok(sign_in.sign_in(**parsed(sign_in.SignInSerializer, request), request=request._request))


class RefreshView(AnonymousView):
    @extend_schema(
        operation_id="refresh",
        summary="Spend a refresh token for a new pair",
        tags=["accounts"],
        request=sign_in.RefreshSerializer,
        responses={200: envelope(PAIR), **problems(400, 401, 429, 413, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        return ok(sign_in.rotate(parsed(sign_in.RefreshSerializer, request)["refresh"]))


class VerifyView(AnonymousView):
    @extend_schema(
        operation_id="verify",
        summary="Is this token good?",
        tags=["accounts"],
        request=sign_in.VerifySerializer,
        responses={200: envelope(NOTHING), **problems(400, 401, 429, 413, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        sign_in.verify(parsed(sign_in.VerifySerializer, request)["token"])
        return ok({})


class SignOutView(AnonymousView):
    @extend_schema(
        operation_id="sign_out",
        summary="Blacklist a refresh token",
        tags=["accounts"],
        request=sign_in.RefreshSerializer,
        responses={200: envelope(NOTHING), **problems(400, 401, 429, 413, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        sign_in.sign_out(parsed(sign_in.RefreshSerializer, request)["refresh"])
        return ok({})
