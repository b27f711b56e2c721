"""A Celery worker as a process of its own, started as the Procfile starts it, on this run's broker and database."""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection

from actions.dead_letters import DEAD
from tests.support.processes import PATIENCE, ROOT, eventually
from tests.system.live.server import database_url

ON_RABBITMQ = settings.CELERY_BROKER_URL.startswith("amqp")


class Worker:
    """`changes` are environment variables. It takes some seconds to start; tests wait for what it does."""

    def __init__(self, log: Path, **changes: str) -> None:
        self.log = log
        command = (
            "-m celery --quiet --app config worker --pool threads --concurrency 2 --without-gossip --without-mingle"
        )
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command.split(), "--hostname", f"test-{uuid.uuid4().hex}@%h"],
                cwd=ROOT,
                # The prefix that this whole process has, and not a single test: it names the queues.
                env={**os.environ, "DATABASE_URL": database_url(), **changes},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """In order, so that it gives back what it holds; outright if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()


def blocked_backends() -> list[int]:
    """Process ids, in PostgreSQL, of sessions of this database that wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # inside a transaction the first look would be kept
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return [pid for (pid,) in cursor.fetchall()]


def wait_until_blocked() -> int:
    """The session that waits, once there is one."""
    return int(eventually(blocked_backends, "a session waits for a lock")[0])


def dead_letters() -> int:
    """Messages in the dead-letter queue of RabbitMQ."""
    with current_app.connection_for_write() as broker:
        channel: Any = broker.default_channel
        return int(channel.queue_declare(DEAD, passive=True).message_count)
