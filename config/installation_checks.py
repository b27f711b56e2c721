"""What `manage.py doctor` asks beside the servers: processes that should run, files, mail, and how visitors come in."""

import shutil
from collections.abc import Sequence
from typing import Any

from celery import current_app
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.checks import CheckMessage, Error, Info, Warning
from django.core.mail import get_connection

from accounts.mail import any_host
from accounts.models import User
from api import redis_client
from api.broker import FAILURES
from api.checks import ALONE, POSTGRESQL, REDIS, installation
from leaderboard import boards, ranking

BROKER_SECONDS = 3
WORKER_SECONDS = 2.0
SWEPT_SECONDS = 60  # beat asks for a sweep every 10
FREE_BYTES, FREE_SHARE = 512 * 2**20, 0.05
ELEMENT = "leaderboard/live-leaderboard.js"


@installation.register(ALONE)
def worker(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Asked through the broker, as it hears of its work."""
    broker = current_app.connection_for_write(connect_timeout=BROKER_SECONDS)
    try:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)
        if not settings.CELERY_WORKER_ENABLE_REMOTE_CONTROL:
            return []  # it would not answer; `swept` finds out by what it does
        if current_app.control.ping(timeout=WORKER_SECONDS, connection=broker):
            return []
    except FAILURES as error:
        hint = "Look at its log and at CELERY_BROKER_URL. Scores count meanwhile; queued work waits."
        return [Error(f"The broker does not answer: {error}", hint=hint, id="doctor.E020")]
    finally:
        broker.release()
    hint = "Start `celery --app config worker` (Procfile). Scores count meanwhile; queued work and mails wait."
    return [Error("No worker answers.", hint=hint, id="doctor.E021")]


@installation.register(REDIS)
def swept(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """`beat` shows in what it asks for: without sweeps a crash's leftovers stay on the board."""
    now: float = redis_client.connection().time()[0]  # type: ignore[index]  # not the asynchronous client's
    found: list[CheckMessage] = []
    for board in boards.everyone():
        [at] = ranking.meta(board, "swept_at")
        ago = now - float(at) if at else None
        if ago is not None and ago <= SWEPT_SECONDS:
            continue
        since = f"for {ago:.0f} s" if ago is not None else "since it was built"
        hint = "Is exactly one `celery --app config beat` running, and a worker? One that began just now: ask again."
        found.append(Error(f"The board {board.slug} was not swept {since}.", hint=hint, id="doctor.E022"))
    return found


@installation.register(ALONE)
def files(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """What an image or a unit file may have left out."""
    found: list[CheckMessage] = []
    if finders.find(ELEMENT) is None:
        said = f"The static file {ELEMENT} is missing: pages have no board."
        found.append(Error(said, hint="The folder static/ belongs beside manage.py.", id="doctor.E030"))
    home = next(path for path in (settings.SCOREBOARD_HOME, *settings.SCOREBOARD_HOME.parents) if path.exists())
    disk = shutil.disk_usage(home)
    if disk.free < min(FREE_BYTES, FREE_SHARE * disk.total):
        said = f"The disk of {home} has {disk.free // 2**20} MiB left of {disk.total // 2**20}."
        found.append(Error(said, hint="Make room: databases and logs on a full disk stop.", id="doctor.E032"))
    return found


@installation.register(ALONE)
def mail(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    if settings.LOCAL_ACCOUNTS != "on":
        return []
    found: list[CheckMessage] = []
    if any_host() and not settings.SITE_URL:
        said = "Mails have no links: ALLOWED_HOSTS takes any host, and SITE_URL is not set."
        found.append(Warning(said, hint="SITE_URL=https://…", id="doctor.W040"))
    if not settings.EMAIL_URL:
        said = "Mails for forgotten passwords are printed by the worker, not sent: EMAIL_URL is not set."
        return [*found, Warning(said, hint="docs/operations.md, Mail; or LOCAL_ACCOUNTS=off.", id="doctor.W041")]
    try:
        with get_connection():
            pass
    except OSError as error:
        said = f"The mail server does not take us: {type(error).__name__}: {error}"
        found.append(Error(said, hint="EMAIL_URL: scheme, user, password, host and port.", id="doctor.E042"))
    return found


@installation.register(POSTGRESQL)
def admins(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    if User.objects.filter(is_superuser=True, is_active=True).exists():
        return []
    return [Warning("No user may do everything in /admin/.", hint="manage.py createsuperuser", id="doctor.W043")]


@installation.register(ALONE)
def entrance(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """The settings that must fit the proxy; `config.front_door` asks what it does."""
    found: list[CheckMessage] = []
    if settings.DEBUG:
        said = "DEBUG is on: error pages show the code and its values, and weak secrets are let through."
        found.append(Error(said, hint="DEBUG=false", id="doctor.E060"))
    if not settings.HTTPS:
        said = "HTTPS is off: passwords and sessions cross the network as plain text."
        hint = "End TLS at a proxy (docs/operations.md), then HTTPS=true and TRUSTED_PROXIES=1."
        found.append(Error(said, hint=hint, id="doctor.E061"))
    elif not settings.TRUSTED_PROXIES:
        said = (
            "HTTPS is on and TRUSTED_PROXIES is 0: who comes through a proxy that ends TLS is redirected to https "
            "again and again, and all share the proxy's allowance."
        )
        found.append(Error(said, hint="TRUSTED_PROXIES=1, or as many as are yours.", id="doctor.E062"))
    if "*" in settings.ALLOWED_HOSTS:
        said = "ALLOWED_HOSTS takes any name, also those of others that lead here."
        found.append(Warning(said, hint="List the names under which the site is reached.", id="doctor.W063"))
    if not settings.ADMIN_OTP:
        said = "The admin site asks for a password alone: ADMIN_OTP is off."
        found.append(Info(said, hint="docs/operations.md, Admins with a second factor.", id="doctor.I064"))
    return found
