"""Sign-ins over the API: start, rotate, verify, end. Each is a row that its tokens name (claim `sid`).

A refresh token is good once: rotation puts the next one's id into the row, by an UPDATE that finds the old one there.
A client that presents a spent one, the owner's or a thief's, ends the sign-in: one of the two must not go on, and
nothing tells which. No token is stored.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth import authenticate
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token, UntypedToken

from accounts.backends import NO_SUCH_ACCOUNT
from accounts.identity.proofs import Proof
from accounts.identity.sign_ins import MALFORMED, checked, going_on, sign_in_id, user_id
from accounts.models import SignIn, User
from api.problems import Problem
from api.throttles import charge, hit

log = structlog.get_logger(__name__)

KEPT = timedelta(days=1)  # an ended or expired sign-in stays listed for its user


def sign_in(username: str, password: str, request: HttpRequest | None = None) -> dict[str, str]:
    """A new token pair; raises 401 for a wrong name, a wrong password and a disabled user alike.

    429 when the account's allowance is used up, whether or not there is such an account.
    """
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        refusal = Problem("not-authenticated", NO_SUCH_ACCOUNT)
        refusal.noted = True  # by the backend, for every way to sign in
        raise refusal
    return start(user)


def start(user: User) -> dict[str, str]:
    """The token pair of a new sign-in; raises 401 for a user disabled, or given another password, since it was read.

    The user's row is locked: a new password, which writes that row and then ends the sign-ins there are, finds this one
    or keeps it from being made.
    """
    now, refresh = timezone.now(), RefreshToken()
    refresh["sub"], refresh["sid"] = str(user.pk), str(uuid.uuid4())
    with transaction.atomic():
        same = User.objects.select_for_update(no_key=True).filter(pk=user.pk, is_active=True, password=user.password)
        if not same.values_list("pk", flat=True):
            raise Problem("not-authenticated", NO_SUCH_ACCOUNT, reason="password", subject=user.pk)
        SignIn.objects.create(
            pk=sign_in_id(refresh),
            user_id=user.pk,
            jti=refresh["jti"],
            created_at=now,
            last_used_at=now,
            expires_at=expires_at(refresh),
        )
    return pair(refresh)


def rotate(raw: str) -> dict[str, str]:
    """Spends a refresh token and returns a new pair.

    Raises 401 if it is bad, expired or spent, which ends its sign-in, or if its sign-in has ended or its user is
    disabled; 429 like every call of a signed-in user.
    """
    old = refresh_token(raw)
    if not going_on(user_id(old), sign_in_id(old), jti=old["jti"]).exists():
        raise refusal(old)
    hit(charge("user", str(user_id(old))))
    new = RefreshToken()
    new["sub"], new["sid"] = old["sub"], old["sid"]
    # Of this table alone: a condition on the user would become a subquery, which a rotation that waits for another does
    # not ask again, and both would succeed.
    good = SignIn.objects.filter(pk=sign_in_id(old), user_id=user_id(old), jti=old["jti"], ended_at=None)
    if not good.update(jti=new["jti"], last_used_at=timezone.now(), expires_at=expires_at(new)):
        raise refusal(old)
    return pair(new)


def refusal(spent: Token) -> Problem:
    """401, after its sign-in was ended if this token was good there once."""
    ended = SignIn.objects.filter(pk=sign_in_id(spent), user_id=user_id(spent), ended_at=None)
    if ended.exclude(jti=spent["jti"]).update(ended_at=timezone.now()):
        log.warning("refresh_token_reused", user_id=spent["sub"], sign_in=spent["sid"])
        said = "The refresh token was used before: this sign-in has ended. Sign in again."
        return Problem("not-authenticated", said, reason="refresh-token-reused", subject=user_id(spent))
    said = "The sign-in has ended, or the user is disabled or gone."
    return Problem("not-authenticated", said, reason="sign-in-ended", subject=user_id(spent))


def sign_out(raw: str) -> None:
    """Ends the sign-in of a refresh token, spent or not; a second time is no error. Raises 401 if it is none."""
    token = refresh_token(raw)
    SignIn.objects.filter(pk=sign_in_id(token), user_id=user_id(token), ended_at=None).update(ended_at=timezone.now())


def verify(raw: str) -> None:
    """Raises 401 unless `raw` is an access token, or the good refresh token, of a sign-in that goes on."""
    try:
        kind = UntypedToken(raw)["token_type"]  # type: ignore[arg-type]
        token = RefreshToken(raw) if kind == "refresh" else AccessToken(raw)  # type: ignore[arg-type]
        good = {"jti": token["jti"]} if kind == "refresh" else {}
        if not going_on(user_id(checked(token)), sign_in_id(token), **good).exists():
            raise TokenError("its sign-in has ended")
    except (TokenError, *MALFORMED) as error:
        said = "The token is bad, expired or spent, or its sign-in has ended."
        raise Problem("not-authenticated", said, reason="token") from error


def refresh_token(raw: str) -> Token:
    """A refresh token whose signature and claims are good; raises 401."""
    try:
        return checked(RefreshToken(raw))  # type: ignore[arg-type]
    except (TokenError, *MALFORMED) as error:
        raise Problem("not-authenticated", "The refresh token is bad or expired.", reason="token") from error


def pair(refresh: RefreshToken) -> dict[str, str]:
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


def expires_at(token: Token) -> datetime:
    return datetime.fromtimestamp(token["exp"], UTC)


def of_request(request: Any) -> uuid.UUID | None:
    """The sign-in by whose token this call was made; None for a session's."""
    return request.auth.sign_in if isinstance(request.auth, Proof) else None


def over() -> QuerySet[SignIn]:
    """Sign-ins that ended or expired a day ago."""
    before = timezone.now() - KEPT
    return SignIn.objects.filter(expires_at__lt=before) | SignIn.objects.filter(ended_at__lt=before)
