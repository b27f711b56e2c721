"""The REST shell of one's own account: password, address, sign-ins, data. Parse, call, answer."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import mail, passwords, privacy, sign_in
from accounts.models import User
from accounts.serializers import (
    EmailConfirmSerializer,
    EraseSerializer,
    PasswordChangeSerializer,
    PasswordResetConfirmSerializer,
    PasswordResetSerializer,
)
from accounts.views import AnonymousView, LocalView
from api.fields import parsed
from api.openapi import ApiSchema, envelope, problems
from api.responses import ok
from api.views import ApiView

EXPORT = inline_serializer("Export", {"format": serializers.IntegerField(), "exported_at": serializers.DateTimeField()})


def caller(request: Request) -> User:
    return cast(User, request.user)


class PasswordView(LocalView):
    limits = ("sign-in",)

    @extend_schema(
        operation_id="change_password",
        summary="Set a new password: every other token and session ends",
        tags=["accounts"],
        request=PasswordChangeSerializer,
        responses={204: None, **problems(400, 401, 403, 413, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        asked = parsed(PasswordChangeSerializer, request.data)
        passwords.change(caller(request), **asked, request=request._request, keep=sign_in.of_request(request))
        return Response(status=204)


class PasswordResetView(AnonymousView):
    limits = ("password-reset",)

    @extend_schema(
        operation_id="ask_for_password_reset",
        summary="Have a token mailed that sets a new password",
        description="The answer is the same whether or not an account has the address.",
        tags=["accounts"],
        request=PasswordResetSerializer,
        responses={202: None, **problems(400, 403, 413, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        mail.ask_for_reset(parsed(PasswordResetSerializer, request.data)["email"], request._request)
        return Response(status=202)


class PasswordResetConfirmView(AnonymousView):
    limits = ("sign-in",)

    @extend_schema(
        operation_id="reset_password",
        summary="Set a new password with the token of the mail: every token and session ends",
        tags=["accounts"],
        request=PasswordResetConfirmSerializer,
        responses={204: None, **problems(400, 403, 413, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        passwords.reset(**parsed(PasswordResetConfirmSerializer, request.data))
        return Response(status=204)


class EmailConfirmView(LocalView):
    limits = ("sign-in",)

    @extend_schema(
        operation_id="confirm_email",
        summary="Confirm the own address with the token of the mail",
        tags=["accounts"],
        request=EmailConfirmSerializer,
        responses={204: None, **problems(400, 401, 403, 413, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        passwords.confirm_email(parsed(EmailConfirmSerializer, request.data)["token"], caller(request))
        return Response(status=204)


class SessionsEndView(LocalView):
    @extend_schema(
        operation_id="sign_out_everywhere",
        summary="End every token and session of one's own, this one too",
        tags=["accounts"],
        request=None,
        responses={204: None, **problems(401, 403, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        passwords.sign_out_everywhere(caller(request))
        return Response(status=204)


class ExportView(ApiView):
    @extend_schema(
        operation_id="export_me",
        summary="Everything held about oneself",
        description="Beside `format` and `exported_at` one member for each kind of thing that is held.",
        tags=["accounts"],
        responses={200: envelope(EXPORT), **problems(401, 429, 503)},
    )
    def get(self, request: Request) -> Response:
        return ok(privacy.own_export(caller(request)), headers={"Cache-Control": "private, no-store"})


class DeleteWithBody(ApiSchema):
    """drf-spectacular describes no body of a DELETE; this one has the password."""

    def _get_request_body(self, direction: str = "request") -> Any:
        method, self.method = self.method, "POST"
        try:
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = method


class MeView(ApiView):
    limits = ("sign-in",)
    schema = DeleteWithBody()

    @extend_schema(
        operation_id="erase_me",
        summary="Erase oneself, for good",
        description="The figures of the history stay, under an id that belongs to no person. Not for staff.",
        tags=["accounts"],
        request=EraseSerializer,
        responses={204: None, **problems(400, 401, 403, 413, 415, 429, 503)},
    )
    def delete(self, request: Request) -> Response:
        privacy.erase_oneself(caller(request), parsed(EraseSerializer, request.data)["password"], request._request)
        return Response(status=204)
