"""System checks of who is told."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from api.checks import SITE
from overview.notices import SEVERITIES


@register(SITE)
def told(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for address in settings.NOTIFY_EMAILS:
        try:
            validate_email(address)
        except ValidationError:
            found.append(Error(f"NOTIFY_EMAILS has {address!r}, which is no e-mail address.", id="scoreboard.E030"))
    if settings.NOTIFY_SEVERITY not in SEVERITIES:
        said = f"NOTIFY_SEVERITY is {settings.NOTIFY_SEVERITY!r}; expected {', '.join(SEVERITIES)}."
        found.append(Error(said, id="scoreboard.E031"))
    return found
