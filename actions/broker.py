"""Publishes to the broker: one attempt with a short timeout, and after a failure none for a while.

Nothing is lost by that: what is handed over is only the id of a row, and `queue.resend` sends late ones again.
"""

import threading
from contextlib import suppress
from typing import Any

from amqp.exceptions import MessageNacked
from celery import current_app
from kombu import Connection
from kombu.exceptions import OperationalError

from actions import dead_letters
from api import tracing
from api.redis_client import Breaker
from api.request_ids import REQUEST_ID

TIMEOUT_SECONDS = 0.5  # for the connection, and for the confirmation
BREAK_SECONDS = 5.0
# RabbitMQ refuses a message by MessageNacked; kombu wraps what else the transports raise, but not time-outs.
FAILURES = (OperationalError, MessageNacked, OSError)

breaker = Breaker(BREAK_SECONDS)


class BrokerAway(Exception):
    """The message was not handed over, or the broker did not confirm that it was."""


class Kept(threading.local):
    """Each thread's own connection: Celery's pool waits for seconds, and gives a broken one to the next request."""

    connection: Connection | None = None

    def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            with suppress(*FAILURES):
                connection.collect(socket_timeout=TIMEOUT_SECONDS)


kept = Kept()


def hand_over(task: str, *arguments: str, request_id: str) -> None:
    """Publishes a call of the task with this name, for the request with this id.

    Raises BrokerAway, within about two seconds, if the broker does not take it.
    """
    if breaker.is_open:
        raise BrokerAway("it failed a moment ago")
    try:
        if kept.connection is not None:
            with suppress(*FAILURES):
                # Kept from an earlier message: a broker restarted since then has closed it.
                return publish(task, arguments, request_id, kept.connection)
            kept.close()
        kept.connection = connect()
        publish(task, arguments, request_id, kept.connection)
    except FAILURES as error:
        breaker.trip()
        kept.close()
        raise BrokerAway(str(error)) from error


def connect() -> Connection:
    """A connection that tries once and does not wait long; opened by its first message."""
    options = {
        **current_app.conf.broker_transport_options,
        "max_retries": 0,
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
    }
    # No heartbeat: no thread would answer it between two messages.
    return current_app.connection_for_write(connect_timeout=TIMEOUT_SECONDS, heartbeat=0, transport_options=options)


def publish(task: str, arguments: tuple[str, ...], request_id: str, connection: Connection) -> None:
    options: dict[str, Any] = {
        "headers": {REQUEST_ID: request_id, tracing.TRACEPARENT: tracing.current()},
        "connection": connection,
        "declare": dead_letters.needed(connection),
        "retry": False,
        "timeout": TIMEOUT_SECONDS,
        "confirm_timeout": TIMEOUT_SECONDS,
    }
    current_app.send_task(task, arguments, **options)
