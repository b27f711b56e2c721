"""`/metrics`, for operators: Prometheus' text format, to clients that METRICS_ALLOW or METRICS_TOKEN lets in.

Several processes of one machine that have the folder PROMETHEUS_MULTIPROC_DIR in common are one target: each of them
shows the sum. Without it a process shows its own figures.
"""

import ipaddress
import os
import re
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess

from api.client_address import parsed
from api.metrics import SITE
from api.problems import Problem, note, problem_response

LIVE_GAUGES = re.compile(r"gauge_live\w*_(\d+)\.db")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def metrics_view(request: HttpRequest) -> HttpResponse:
    """GET /metrics; 403 for anyone but operators."""
    if not admitted(request):
        sentence = "Metrics are for operators: METRICS_ALLOW and METRICS_TOKEN say who may read them."
        note(Problem("forbidden", sentence, reason="metrics"))
        return problem_response("forbidden", sentence)
    registry: CollectorRegistry = REGISTRY
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        forget_dead(Path(folder))
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return HttpResponse(
        generate_latest(registry) + generate_latest(SITE),
        content_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )


def admitted(request: HttpRequest) -> bool:
    """By the token, or by address: the peer's and each that a proxy notes, so that no proxy lets the world in."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return constant_time_compare(token.strip(), settings.METRICS_TOKEN)
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR")
    addresses = [request.META.get("REMOTE_ADDR", ""), *(forwarded.split(",") if forwarded is not None else [])]
    allowed = networks(tuple(settings.METRICS_ALLOW))
    return all(within(address.strip(), allowed) for address in addresses)


def within(raw: str, allowed: tuple[Network, ...]) -> bool:
    """Whether an address, perhaps with a port, is in one of these networks."""
    address = parsed(raw)
    return address is not None and any(address in network for network in allowed)


@lru_cache
def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Raises ImproperlyConfigured for a text that is neither an address nor a network."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise ImproperlyConfigured(f"METRICS_ALLOW: {error}") from error


def forget_dead(folder: Path) -> None:
    """Takes out what processes that were killed say of this moment, such as viewers; what they counted stays."""
    for file in folder.iterdir():
        if (found := LIVE_GAUGES.fullmatch(file.name)) and not alive(int(found[1])):
            file.unlink(missing_ok=True)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True
