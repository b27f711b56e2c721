"""`worker` and `beat`: what heals, compares and purges, outside every request."""

import os
import sys
from datetime import timedelta
from importlib import import_module
from typing import Any

from celery import Celery, Task
from celery.schedules import crontab
from celery.signals import beat_init, setup_logging, worker_init, worker_ready, worker_shutting_down
from django.core.exceptions import ImproperlyConfigured
from structlog.contextvars import bind_contextvars, clear_contextvars

from api import tracing
from api.request_ids import REQUEST_ID

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from actions import dead_letters  # after the line above: it reads the settings

STARTED = os.getpid()


class RequestTask(Task):  # type: ignore[type-arg]  # not subscriptable at run time
    """A task whose log lines carry the id of the request that asked for it, and whose trace goes on, if one did."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        clear_contextvars()
        headers = self.request.headers or {}
        if request_id := headers.get(REQUEST_ID):
            bind_contextvars(**{REQUEST_ID: request_id})
        with tracing.joined(str(self.name), [str(headers.get(tracing.TRACEPARENT, ""))]):
            return super().__call__(*arguments, **options)


def planned(task: str, schedule: timedelta | crontab, expires: int) -> dict[str, Any]:
    """`expires`, in seconds: a worker that was away runs it once on its return, not once for every beat it missed."""
    return {"task": task, "schedule": schedule, "options": {"expires": expires}}


app = Celery("scoreboard", task_cls=RequestTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.task_queues = dead_letters.QUEUES
app.conf.task_routes = {"actions.tasks.redeem_queued": {"queue": dead_letters.REDEMPTIONS}}
app.conf.beat_scheduler = "config.beat:Scheduler"
app.conf.beat_schedule = {
    "keep-boards": planned("scoreboard.tasks.keep_boards", timedelta(seconds=10), 10),
    "keep-checkpoints": planned("scoreboard.tasks.keep_checkpoints", timedelta(seconds=10), 10),
    "check-checkpoint": planned("scoreboard.tasks.check_checkpoint", crontab(hour=4, minute=37), 3600),
    "purge-standings": planned("scoreboard.tasks.purge_standings", crontab(hour=4, minute=47), 3600),
    "sweep": planned("leaderboard.tasks.sweep", timedelta(seconds=10), 10),
    "reconcile": planned("leaderboard.tasks.reconcile", crontab(hour=3, minute=17), 3600),
    "tidy-boards": planned("leaderboard.tasks.tidy_boards", crontab(hour=4, minute=57), 3600),
    "resend-queued": planned("actions.tasks.resend_queued", timedelta(seconds=30), 30),
    "purge-tokens": planned("actions.tasks.purge_tokens", timedelta(minutes=10), 600),
    "purge-sign-ins": planned("accounts.tasks.purge_sign_ins", crontab(minute=23), 1800),
    "finish-erasures": planned("accounts.tasks.finish_erasures", crontab(minute=53), 1800),
    "watch": planned("integrity.tasks.scan", timedelta(minutes=1), 60),
    "purge-audit-log": planned("accounts.tasks.purge_audit_log", crontab(minute=37), 1800),
    "purge-deliveries": planned("events.tasks.purge_deliveries", crontab(minute=7), 1800),
    "purge-addresses": planned("accounts.tasks.purge_sign_up_addresses", crontab(hour=4, minute=41), 3600),
}


@worker_init.connect
def keep_audit_log(**_: object) -> None:
    """What queued work is refused is on record like what a request is."""
    import_module("accounts.audit").start()  # once the apps are loaded


@worker_init.connect
def show_itself(**_: object) -> None:
    """Its metrics and its traces; and people are told what needs them, also while the broker is away."""
    tracing.start()
    import_module("config.worker_metrics").start()
    import_module("overview.watch").start()


@worker_ready.connect
def relay_events(**_: object) -> None:
    """Beside the tasks, in threads of its own: a webhook that hangs must not keep the sweep waiting.

    A SIGTERM may come in the middle of the import, to this thread: what ends the relay is not connected before there is
    one.
    """
    import_module("events.relay").start()
    import_module("scoreboard.freezing").start()
    worker_shutting_down.connect(end_relay)


def end_relay(**_: object) -> None:
    import_module("events.relay").stop()


@setup_logging.connect
def keep_django_logging(**_: object) -> None:
    """Celery configures logging itself unless this signal has a receiver; ours is already set up."""


@worker_init.connect
@beat_init.connect
def refuse_what_cannot_work(**_: object) -> None:
    """Celery runs Django's checks and goes on whatever they find."""
    if os.getpid() != STARTED:
        # `beat` inside a worker, which has been through this. All descriptors were closed in it, those of the metrics'
        # folder among them: whatever counts there raises.
        return
    from config import checks  # after the apps are loaded

    try:
        checks.enforce()
    except ImproperlyConfigured as error:
        sys.exit(str(error))
