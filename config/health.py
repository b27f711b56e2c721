"""Health for operators: `/healthz` says the process lives, `/readyz` whether it should get traffic."""

from django.db import DEFAULT_DB_ALIAS, connections
from django.db import Error as DatabaseError
from django.http import HttpRequest, JsonResponse

from config import redis_memory
from leaderboard import ranking


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 while PostgreSQL answers; without Redis the site still scores and shows the board from SQL: "degraded"."""
    parts = {"postgresql": postgresql(), "redis": redis()}
    if parts["postgresql"] != "ok":
        return JsonResponse({"status": "unavailable", **parts}, status=503, headers={"Retry-After": "2"})
    if parts["redis"] != "ok":
        return JsonResponse({"status": "degraded", **parts})
    # Ready all the same: what is evicted is rebuilt, and without this process the site would only be smaller.
    advice = redis_memory.advice()
    return JsonResponse({"status": "ok", **parts, **({"warnings": [advice]} if advice else {})})


def postgresql() -> str:
    """By a new connection: a kept one would wait for as long as PostgreSQL hangs, connecting has an end."""
    fresh = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        with fresh.cursor() as cursor:
            cursor.execute("SELECT 1")
        return "ok"
    except DatabaseError:
        return "unavailable"
    finally:
        fresh.close()


def redis() -> str:
    try:
        ranking.command("ping")
        return "ok"
    except ranking.Unavailable:
        return "unavailable"
