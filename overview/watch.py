"""The thread of `worker` that looks for what people are to be told.

No task of Celery: tasks come through Redis or RabbitMQ, and that Redis is away is one of the things to tell.
"""

import threading

import structlog
from django.db import connection

from overview import notices

log = structlog.get_logger(__name__)

SECONDS = 60.0
_ended = threading.Event()


def start() -> None:
    """Has this process look from now on. A daemon: what it leaves undone at its end, the next process does."""
    threading.Thread(target=run, name="notices", daemon=True).start()


def run(seconds: float = SECONDS) -> None:
    while not _ended.wait(seconds):
        once()


def once() -> None:
    """Looks and mails; what fails is logged, and tried at the next time."""
    for step in (notices.look, notices.send):
        try:
            step()
        except Exception as error:  # a mail server or a database that is away, or a defect: scores go on all the same
            log.warning("notices_postponed", step=step.__name__, error=repr(error))
    connection.close()
