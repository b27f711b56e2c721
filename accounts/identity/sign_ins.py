"""The identity provider of this site: access tokens of those who signed in here."""

import uuid
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, Token

from accounts import local_accounts
from accounts.identity.proofs import BadToken, Proof
from accounts.models import User

# What simplejwt raises for claims of the wrong kind under a good signature: a signer with the key may sign anything.
MALFORMED = (KeyError, ValueError, TypeError, OverflowError, OSError)


def user_id(token: Token) -> uuid.UUID:
    return uuid.UUID(str(token["sub"]))


def sign_in_id(token: Token) -> uuid.UUID:
    return uuid.UUID(str(token["sid"]))


def checked(token: Token) -> Token:
    """The token, if it names a user and a sign-in; raises one of MALFORMED before SQL sees what is no UUID."""
    user_id(token), sign_in_id(token)
    if not isinstance(token["jti"], str):
        raise TypeError("the id is not text")
    return token


def going_on(user: uuid.UUID, sign_in: uuid.UUID, **further: Any) -> QuerySet[User]:
    """This user, if they are active and the sign-in goes on; `further`: conditions on the same row."""
    same_row = {"pk": sign_in, "ended_at": None, **further}
    return User.objects.filter(
        pk=user, is_active=True, **{f"sign_ins__{name}": value for name, value in same_row.items()}
    )


class SignInTokens:
    """Last in the list: a token that no other provider takes for its own is judged as one of these."""

    def read(self, raw: str, said: dict[str, Any], *, wait: bool) -> Proof:
        if "iss" in said:
            raise BadToken("The token's `iss` is none that VIEWER_KEYS lists.")
        if not local_accounts.on():
            raise BadToken(local_accounts.NONE_HERE)
        try:
            token = checked(AccessToken(raw))  # type: ignore[arg-type]
            until = float(token["exp"]) + settings.JWT_LEEWAY
        except (TokenError, *MALFORMED) as error:
            raise BadToken("The token is bad or expired.") from error
        return Proof(until, user_id(token), sign_in=sign_in_id(token))
