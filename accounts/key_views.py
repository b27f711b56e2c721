"""The calls of trusted back ends: a key and its scope are asked for, and whose ids the caller speaks of."""

import uuid
from typing import Any, cast

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts import players
from accounts.authentication import ApiKeyAuthentication, BackEnd
from accounts.models import LOCAL, SITE, ApiKey
from api.credentials import presented_key
from api.problems import Problem
from api.views import ApiView

READ = ApiKey.Scope.READ
KEY: Any = [{"apiKey": []}]  # in OpenAPI


def demand(key: ApiKey, *scopes: ApiKey.Scope) -> None:
    """Raises Problem forbidden unless the key has one of these scopes."""
    if not set(scopes).intersection(key.scopes):
        names = " or ".join(f"`{scope.value}`" for scope in scopes)
        raise Problem("forbidden", f"This API key does not have the scope {names}.")


def demand_type(key: ApiKey, action_type: str) -> None:
    """Raises Problem forbidden unless the key may grant this type, if a back end may."""
    if key.action_types and action_type not in key.action_types:
        raise Problem("forbidden", "This API key may not grant this action type.")


class HasScope(BasePermission):
    """The caller is a back end whose key has the view's `scope`, or only reads and has `read`.

    The address of a caller without a key was charged.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, BackEnd):
            raise NotAuthenticated("This call takes an API key: `Authorization: Bearer sb_…`.")
        demand(request.user.key, cast(BackEndView, view).scope, *([READ] if request.method in SAFE_METHODS else []))
        return True


class BackEndView(ApiView):
    """For API keys with `scope` alone, and what only reads for those with `read`; each call is charged to its key."""

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (HasScope,)
    accepts_api_keys = True
    scope: ApiKey.Scope

    @staticmethod
    def caller(request: Request) -> BackEnd:
        return cast(BackEnd, request.user)

    def provider(self, request: Request) -> str:
        """Whose players the call is about."""
        return self.caller(request).key.provider


def provider_of(request: Request) -> str:
    """Whose players `ext:42` means: those of the provider that the caller's key names, or whose player the caller is;
    otherwise the default one.

    Raises Problem forbidden for a key that is none, not-authenticated for such a token.
    """
    if presented_key(request) is None:
        named = getattr(request.user, "provider", LOCAL) if "Authorization" in request.headers else LOCAL
        return SITE if named == LOCAL else str(named)
    if any(isinstance(each, ApiKeyAuthentication) for each in request.authenticators or ()):
        return cast(BackEnd, request.user).key.provider
    # A read that takes no keys, and names a player by the caller's own id.
    authenticated = ApiKeyAuthentication().authenticate(request)
    return authenticated[0].key.provider if authenticated else SITE


def found(request: Request, reference: uuid.UUID | players.Reference) -> uuid.UUID:
    """Our id of the user that a path or body names. Raises Problem not-found."""
    own = isinstance(reference, players.Reference) and reference.provider is None
    return players.find(reference, provider_of(request) if own else SITE)
