"""Who is asking: a Bearer JWT, for the site's own pages the Django session with CSRF, or a back end's API key.

`PLAYER` and `ACCOUNT` load the user and see to the sign-in: a token of a disabled user, of an ended sign-in or of a
revoked key is refused at once. `StatelessJWTAuthentication` believes the claims of a sign-in's token without SQL: mint
checks both inside the statement it runs anyway; redeem checks `is_active` there, and pays what was minted before to its
owner; the live side checks neither, and knows its viewers by the token until it expires (docs/security.md).
"""

import uuid
from dataclasses import dataclass
from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request

from accounts import api_keys
from accounts.identity import providers
from accounts.identity.proofs import BadToken, KeysOutOfReach, Proof
from accounts.models import ApiKey, User
from api.client_address import client_address
from api.credentials import presented_key, presented_token
from api.problems import Problem, note
from api.refusals import Caller
from api.throttles import Charge, charge_address, hit, parse


class PlayerJWTAuthentication(BaseAuthentication):
    """A Bearer token of any identity provider → User, in one query: for what a player does and sees."""

    def authenticate(self, request: Request) -> tuple[Any, Proof] | None:
        try:
            raw = presented_token(request)
            proof = None if raw is None else providers.prove(raw)
        except ValueError as error:
            raise AuthenticationFailed(str(error)) from error
        except (BadToken, KeysOutOfReach) as error:
            raise error.problem() from error
        return None if proof is None else (self.user(proof), proof)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'

    def user(self, proof: Proof) -> Any:
        """Raises Problem not-authenticated."""
        return providers.user(proof)


class AccountJWTAuthentication(PlayerJWTAuthentication):
    """The token of a sign-in here, and no other → User: for the account itself, and for calls of staff."""

    def user(self, proof: Proof) -> User:
        if proof.sign_in is None:
            raise BadToken("This call is for users who signed in here; the token is another provider's.").problem()
        return providers.user(proof)


class AccountSessionAuthentication(SessionAuthentication):
    """The site's own pages; CSRF is enforced by the base class."""


@dataclass(frozen=True, slots=True)
class StatelessUser:
    """A user known by the claims of a sign-in's token alone: nothing else is to be trusted for permissions."""

    id: uuid.UUID
    sign_in: uuid.UUID
    is_authenticated: bool = True

    @property
    def pk(self) -> uuid.UUID:
        return self.id


class StatelessJWTAuthentication(PlayerJWTAuthentication):
    """A sign-in's token → StatelessUser, without a query; of another provider as its base class."""

    def user(self, proof: Proof) -> Any:
        if proof.user_id is not None and proof.sign_in is not None:
            return StatelessUser(proof.user_id, proof.sign_in)
        return super().user(proof)


# For the views of what a player does and sees. In OpenAPI one Bearer scheme stands for all our classes that read it.
PLAYER = (PlayerJWTAuthentication, AccountSessionAuthentication)
PLAYER_AUTH: Any = [{"bearer": []}, {"session": []}]


@dataclass(frozen=True, slots=True)
class BackEnd:
    """A trusted back end, known by its API key. Its limit is the key's own."""

    key: ApiKey
    is_authenticated: bool = True
    has_own_limit: bool = True

    @property
    def pk(self) -> uuid.UUID:
        return self.key.pk

    def charge(self, uses: int) -> None:
        """Takes so many uses from the key's limit at once, or none. Raises Problem rate-limited."""
        item = parse(self.key.limit)
        hit(Charge("api-key", item, (str(self.key.pk),), uses) if item and uses else None)

    def charge_batch(self, entries: int) -> None:
        """The rest of what a batch uses, for the call itself was charged. Raises ValidationError for one that can never
        be within the limit."""
        item = parse(self.key.limit)
        if item and entries > item.amount:
            sentence = f"More entries than the limit of this key ({self.key.limit}) ever allows: send smaller batches."
            raise ValidationError({"awards": [sentence]})
        self.charge(entries - 1)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sb_…` or `X-API-Key` → BackEnd.

    Guesses are charged to their address; good keys to their own limit instead.
    """

    def authenticate(self, request: Request) -> tuple[BackEnd, ApiKey] | None:
        text = presented_key(request)
        if text is None:
            return None
        key = api_keys.find(text)
        if key is None:
            charge_address(request._request, ("sign-in",))
            raise Problem("forbidden", "The API key is unknown, expired or revoked.", reason="api-key")
        back_end = BackEnd(key)
        try:
            back_end.charge(1)
        except Problem as refusal:
            note(refusal, Caller(api_key=key.pk, address=client_address(request._request)))
            raise
        return back_end, key
