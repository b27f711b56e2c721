"""System checks of the settings of tokens and of the queue."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from actions import token_keys
from api.checks import SITE, weak


@register(SITE)
def keys(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """SECRET_KEY, which signs where no key is given, is checked as itself."""
    try:
        secrets = {key.kid: raw(key) for key in token_keys.keys().values()}
    except ValueError as error:
        return [Error(str(error), id="scoreboard.E003")]
    ours = settings.SECRET_KEY.encode()
    return [
        found
        for kid, secret in secrets.items()
        if secret and secret != ours
        for found in weak(f"ACTION_TOKEN_KEYS: key {kid!r}", secret)
    ]


def raw(key: token_keys.SigningKey) -> bytes | None:
    """The secret of a key; None of a public one."""
    if isinstance(key.signing, bytes) or key.signing is None:
        return key.signing
    return key.signing.private_bytes_raw()


@register(SITE)
def queue(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Work that is never tried again, or for days, is lost in all but name."""
    pauses = settings.QUEUE_RETRY_SECONDS
    if 1 <= len(pauses) <= 10 and all(0 <= pause <= 600 for pause in pauses):
        return []
    message = f"QUEUE_RETRY_SECONDS is {pauses}; expected 1 to 10 numbers, each from 0 to 600."
    return [Error(message, id="scoreboard.E007")]
