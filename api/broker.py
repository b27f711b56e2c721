"""Hands work to the broker: one attempt with a short timeout, and after a failure none for a while.

No request waits for a broker that is away, hangs or refuses.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from amqp.exceptions import AMQPError, MessageNacked
from celery import current_app
from kombu import Connection, Queue
from kombu.exceptions import OperationalError

from api import tracing
from api.redis_client import Breaker
from api.request_ids import REQUEST_ID, current_request_id

TIMEOUT_SECONDS = 0.5  # for the connection, and for the confirmation
BREAK_SECONDS = 5.0
# kombu makes OperationalError of some. Not of time-outs, and not of what RabbitMQ refuses for good, such as a password,
# a virtual host or a right that is no longer there.
FAILURES = (OperationalError, AMQPError, MessageNacked, OSError)

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


def hand_over(
    task: str,
    *arguments: str,
    request_id: str = "",
    expires: float | None = None,
    declare: Callable[[Connection], list[Queue]] | None = None,
) -> None:
    """Publishes a call of the task with this name, for the request with this id, by default the one under way.
    `declare`: the queues that have to be there first.

    Raises BrokerAway, within about two seconds, if the broker does not take it.
    """
    if breaker.is_open:
        raise BrokerAway("it failed a moment ago")
    headers = {REQUEST_ID: request_id or current_request_id(), tracing.TRACEPARENT: tracing.current()}

    def publish(connection: Connection) -> None:
        options: dict[str, Any] = {
            "headers": headers,
            "expires": expires,
            "connection": connection,
            "retry": False,
            "timeout": TIMEOUT_SECONDS,
            "confirm_timeout": TIMEOUT_SECONDS,
        }
        if declare is not None:
            options["declare"] = declare(connection)
        current_app.send_task(task, arguments, **options)

    try:
        if kept.connection is not None:
            with suppress(*FAILURES):
                # Kept from an earlier message: a broker restarted since then has closed it.
                return publish(kept.connection)
            kept.close()
        kept.connection = connect()
        publish(kept.connection)
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
