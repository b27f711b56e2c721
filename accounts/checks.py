"""System checks of the settings that say who may come in."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from accounts.identity import issuers
from api.checks import SITE, weak


@register(SITE)
def sign_up(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A word that is neither would leave the door in a state that the operator did not mean."""
    words = {"SIGN_UP": ("open", "closed"), "LOCAL_ACCOUNTS": ("on", "off")}
    return [
        Error(f"{name} is {getattr(settings, name)!r}; expected {' or '.join(known)}.", id="scoreboard.E019")
        for name, known in words.items()
        if getattr(settings, name) not in known
    ]


@register(SITE)
def viewer_keys(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """With an issuer that cannot be read no viewer signs in; with a secret of ours a site signs in as any user."""
    try:
        issuers_listed = issuers.parse(settings.VIEWER_KEYS)
    except ValueError as error:
        return [Error(f"VIEWER_KEYS: {error}.", id="scoreboard.E020")]
    found: list[CheckMessage] = []
    ours = (settings.SECRET_KEY, settings.SIMPLE_JWT["SIGNING_KEY"])
    for issuer in issuers_listed:
        for secret in issuer.secrets:
            name = f"VIEWER_KEYS: a secret of {issuer.issuer!r}"
            found += weak(name, secret.encode())
            if secret in ours:
                found.append(Error(f"{name} is one of this site's own.", id="scoreboard.E024"))
    return found
