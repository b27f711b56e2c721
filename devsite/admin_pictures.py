"""`make admin-pictures`: the pictures of admin in docs/, taken of a site with a made-up week of play.

    python -m devsite.servers exec -- python -m devsite.admin_pictures [folder]

Chromium photographs what docs/ show, light and dark. The figures are made up; the pages are real.
"""

import base64
import math
import os
import random
import shutil
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "img"
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
TYPES = {"COMPLETE_TASK": 10, "WIN_MATCH": 50, "DAILY_LOGIN": 5, "FINISH_COURSE": 120}
KEYS = ("Shop", "Forum", "Quiz of the week")
DAYS = 8
AS_WEBP = """async (png) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext('2d', { alpha: false }).drawImage(image, 0, 0);
  return (await (await canvas.convertToBlob({ type: 'image/webp', quality: 0.9 })).bytes()).toBase64();
}"""


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def main(folder: Path) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.update(DEBUG="true", DJANGO_ALLOW_ASYNC_UNSAFE="true", LOG_LEVEL="WARNING", DATABASE_CONN_MAX_AGE="0")
    django.setup()
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    call_command("migrate", verbosity=0)
    pages = made_up(datetime.now(UTC))
    site = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    photograph(f"http://127.0.0.1:{site.server_port}", pages, folder)


def photograph(url: str, pages: dict[str, tuple[str, str]], folder: Path) -> None:
    """`pages`: name of the picture → path, and the session of who looks. The name ends with one of SIZES."""
    from django.conf import settings

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        encoder = browser.new_page()
        for theme in ("light", "dark"):
            for name, (path, session) in pages.items():
                size = name.rpartition("-")[2]
                width, height = SIZES[size]
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if theme == "dark" else "light",
                    reduced_motion="reduce",
                )
                context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])
                page = context.new_page()
                page.goto(url + path)
                file = folder / f"admin-{name}-{theme}.webp"
                shot = base64.b64encode(page.screenshot(full_page=size == "desktop")).decode()
                file.write_bytes(base64.b64decode(encoder.evaluate(AS_WEBP, shot)))
                context.close()
                sys.stdout.write(f"{file.name}: {file.stat().st_size // 1024} KB\n")
        browser.close()


def chromium() -> str | None:
    """None: the one that Playwright has installed."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


def made_up(now: datetime) -> dict[str, tuple[str, str]]:
    """People, a week of their scores, what waits; returns the pages to photograph."""
    from django.test import Client

    from accounts.models import User
    from actions.models import QueuedWork
    from devsite.players import people
    from integrity.findings import Detector, Finding, Severity
    from integrity.record import record
    from leaderboard import boards, rebuild, reconcile

    chance = random.Random(7)  # noqa: S311  (for pictures)
    players = [User(username=name, email="") for name, _, _, _ in people.PLAYERS[:40]]
    User.objects.bulk_create(players)
    ada, mo = (
        User.objects.create(username=name, email="", role=role)
        for name, role in (("Ada", User.Role.ADMIN), ("Mo", User.Role.MODERATOR))
    )
    play(players, now, chance)
    refuse(now, chance)
    suspects = players[2:5]
    for number, user in enumerate(suspects):
        numbers: dict[str, int | float | str] = {
            "action_type": "COMPLETE_TASK",
            "peak": 400 - 30 * number,
            "ceiling": 300,
        }
        began = now.timestamp() - 3600
        finding = Finding(Detector.VELOCITY, [*Severity][2 - number % 2], numbers, began, began + 60)
        record(user.pk, [finding], now - timedelta(minutes=50))
    dead = {"submissions": [], "accepted_at": now, "sent_at": now, "finished_at": now, "state": QueuedWork.State.DEAD}
    QueuedWork.objects.create(user=players[9], **dead)
    board = boards.get("global")
    rebuild.rebuild(board)
    reconcile.reconcile(board)

    def session(user: User) -> str:
        client = Client()
        client.force_login(user)
        return client.cookies["sessionid"].value

    return {
        "overview-desktop": ("/admin/", session(ada)),
        "player-phone": (f"/admin/players/{suspects[0].pk}/", session(mo)),
    }


def moments(now: datetime, chance: random.Random) -> Iterator[datetime]:
    """When something was done, the oldest first: more in the evening, more from week to week."""
    at = now - timedelta(days=DAYS)
    while at < now:
        yield at
        busy = 1.3 + math.sin((at.hour + at.minute / 60 - 9) / 24 * 2 * math.pi)
        at += timedelta(minutes=chance.expovariate(busy / 6))


def play(players: list[Any], now: datetime, chance: random.Random) -> None:
    """History, totals and awards as the ledger would have written them, in a database that has none."""
    from django.db import connection

    from accounts import api_keys
    from accounts.models import ApiKey

    keys = [api_keys.issue(name, [ApiKey.Scope.AWARD])[0].pk for name in KEYS]
    totals = {user.pk: (0, 0, now) for user in players}
    history, awards = [], []
    for at in moments(now, chance):
        user, action = chance.choice(players).pk, uuid.uuid4()
        kind = chance.choices([*TYPES], [8, 3, 4, 1])[0]
        total, version, _ = totals[user]
        totals[user] = total + TYPES[kind], version + 1, at
        source = "award" if kind != "DAILY_LOGIN" else "action"
        history.append((user, action, source, kind, TYPES[kind], total, total + TYPES[kind], version + 1, at))
        if source == "award":
            awards.append((action, action.bytes, user, kind, chance.choices(keys, [6, 3, 1])[0], at))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO score_history (user_id, action_id, source, action_type, delta, old_total, new_total, version,"
            " reason, request_id, created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '', '', %s)",
            history,
        )
        cursor.executemany(
            "INSERT INTO awards (action_id, provider, key, external_id, user_id, action_type, issued_by, created_at)"
            " VALUES (%s, 'site', %s, '', %s, %s, %s, %s)",
            awards,
        )
        cursor.executemany(
            "INSERT INTO user_scores (user_id, total, version, reached_at, changed_xid)"
            " VALUES (%s, %s, %s, %s, pg_current_xact_id()::text::bigint)",
            [(user, *standing) for user, standing in totals.items()],
        )


def refuse(now: datetime, chance: random.Random) -> None:
    from accounts.models import AuditLog

    reasons = {"already-redeemed": 40, "password": 9, "token-expired": 6, "rate-limited": 14}
    AuditLog.objects.bulk_create(
        AuditLog(
            id=uuid.uuid4(), kind="forbidden", reason=reason, first_at=at, last_at=at, count=chance.randint(1, most)
        )
        for reason, most in reasons.items()
        for week in (0, 7)
        for at in (now - timedelta(days=week, minutes=minutes) for minutes in (2, 31, 58))
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
