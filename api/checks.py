"""What every setting is held to: a secret is no word, a limit can be read, an authority has certificates.

Each app checks its own settings and registers them under SITE; `config.checks` runs them all before a server starts.
"""

import ssl
import zlib
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks.registry import CheckRegistry
from django.core.exceptions import ImproperlyConfigured

from api import metrics_page, throttles, tracing

SITE = "scoreboard"  # the tag
# What takes asking servers, disks and other processes: `manage.py doctor` runs these beside Django's own registry.
# Tags: the server that must be up for the check.
installation = CheckRegistry()
POSTGRESQL, REDIS, ALONE = "PostgreSQL", "Redis", "alone"
ZLIB_BYTES = 6  # of a compressed text that say nothing of it


def weak(name: str, secret: bytes) -> list[CheckMessage]:
    """A secret that is short, or that packs into little because it repeats itself, can be guessed."""
    if len(secret) < 32:
        return [Error(f"{name} is shorter than 32 characters.", id="scoreboard.E002")]
    if len(zlib.compress(secret)) - ZLIB_BYTES < 24:  # 32 random characters, even of hexadecimal digits, take 30
        return [Error(f"{name} repeats itself; expected random characters.", id="scoreboard.E013")]
    return []


@register(SITE)
def authority(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Without it no connection would come about, and nothing would say why."""
    try:
        if settings.CA_FILE:
            ssl.create_default_context(cafile=settings.CA_FILE)
    except OSError as error:
        return [Error(f"CA_FILE, {settings.CA_FILE}, has no certificates: {error}", id="scoreboard.E012")]
    return []


@register(SITE)
def watching(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Who may read the metrics, and where traces go."""
    found = weak("METRICS_TOKEN", settings.METRICS_TOKEN.encode()) if settings.METRICS_TOKEN else []
    try:
        metrics_page.networks(tuple(settings.METRICS_ALLOW))
    except ImproperlyConfigured as error:
        found.append(Error(str(error), id="scoreboard.E025"))
    endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT
    if endpoint and not endpoint.startswith(("http://", "https://")):
        said = f"OTEL_EXPORTER_OTLP_ENDPOINT is {endpoint}; expected http://… or https://…, which takes OTLP over HTTP."
        found.append(Error(said, id="scoreboard.E026"))
    if endpoint and not tracing.installed():
        said = "OTEL_EXPORTER_OTLP_ENDPOINT is set and OpenTelemetry is not installed: install requirements-traces.txt."
        found.append(Error(said, id="scoreboard.E027"))
    return found


@register(SITE)
def limits(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A limit that cannot be read would be no limit."""
    found: list[CheckMessage] = []
    for policy, text in settings.LIMITS.items():
        try:
            throttles.parse(text)
        except ValueError as error:
            name = f"LIMIT_{policy.upper().replace('-', '_')}"
            found.append(Error(f"{name}: {error}", id="scoreboard.E006"))
    return found
