"""System checks of the settings of events."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from api.checks import SITE
from events import encryption
from events.addresses import allowed

HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
MOST = 100_000_000


@register(SITE)
def broker(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """The address holds a password, so it is not shown."""
    found: list[CheckMessage] = []
    split = urlsplit(settings.EVENT_BROKER_URL)
    if settings.EVENT_BROKER_URL and (split.scheme not in ("amqp", "amqps") or not split.hostname):
        message = "EVENT_BROKER_URL is not the address of a RabbitMQ; expected amqp://user:password@host:5672//."
        found.append(Error(message, id="scoreboard.E028"))
    if not 1 <= settings.EVENT_QUEUE_LENGTH <= MOST:
        message = f"EVENT_QUEUE_LENGTH is {settings.EVENT_QUEUE_LENGTH}; expected 1 to {MOST}."
        found.append(Error(message, id="scoreboard.E029"))
    return found


@register(SITE)
def keys(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    try:
        encryption.keys()
    except ValueError as error:
        return [Error(str(error), id="scoreboard.E032")]
    return []


@register(SITE)
def webhooks(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """What is neither an address nor a name would allow nothing, and nothing would say why."""
    hosts, _networks = allowed()
    return [
        Error(
            f"WEBHOOK_ALLOW: {host!r} is no host name, address or network; expected such as shop.internal or "
            "10.2.0.0/16 (a network's address without bits of a host).",
            id="scoreboard.E033",
        )
        for host in sorted(hosts)
        if not HOST.fullmatch(host) or re.fullmatch(r"[0-9.]+", host)
    ]
