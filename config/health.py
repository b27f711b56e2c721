"""Health for operators: `/healthz` says the process lives, `/readyz` whether it should get traffic."""

from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, JsonResponse

from leaderboard import ranking


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 while PostgreSQL answers; without Redis the site still scores and shows the board from SQL: "degraded"."""
    parts = {"postgresql": postgresql(), "redis": redis()}
    if parts["postgresql"] != "ok":
        return JsonResponse({"status": "unavailable", **parts}, status=503, headers={"Retry-After": "2"})
    return JsonResponse({"status": "ok" if parts["redis"] == "ok" else "degraded", **parts})


def postgresql() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return "ok"
    except DatabaseError:
        return "unavailable"


def redis() -> str:
    try:
        ranking.command("ping")
        return "ok"
    except ranking.Unavailable:
        return "unavailable"
