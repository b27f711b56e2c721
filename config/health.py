"""For probes: `/healthz` says the process lives, `/readyz` whether it should get traffic, `/metrics` counts."""

from collections.abc import Callable

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse

from api import redis_memory
from api.metrics_page import metrics_view
from api.postgresql.fresh import fresh_cursor
from leaderboard import ranking


class ProbeMiddleware:
    """Answers probes before Host, scheme and session are looked at: a probe asks an IP address, by plain HTTP."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return PROBES.get(request.path_info, self.get_response)(request)


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 while PostgreSQL answers. "degraded": without Redis the site still scores and shows the board from SQL; on a
    PostgreSQL that takes no writes it still shows the board."""
    parts = {"postgresql": postgresql(), "redis": redis()}
    if parts["postgresql"] == "unavailable":
        return JsonResponse({"status": "unavailable", **parts}, status=503, headers={"Retry-After": "2"})
    # Ready all the same with a Redis that evicts: what it loses is rebuilt; without this process the site would only
    # be smaller.
    advice = redis_memory.advice() if parts["redis"] == "ok" else None
    status = "ok" if set(parts.values()) == {"ok"} else "degraded"
    return JsonResponse({"status": status, **parts, **({"warnings": [advice]} if advice else {})})


def postgresql() -> str:
    try:
        with fresh_cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_read_only')::bool")
            return "read-only" if cursor.fetchone()[0] else "ok"
    except DatabaseError:
        return "unavailable"


def redis() -> str:
    try:
        ranking.command("ping")
        return "ok"
    except ranking.Unavailable:
        return "unavailable"


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics_view,
}
