"""RabbitMQ: a durable topic exchange, one queue on it, and where messages go that a consumer has failed three times.

The process that publishes first declares them. The site consumes none of it. Messages are published in pages and
confirmed by the broker one by one; the mark moves when all of a page are.
"""

import time
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from kombu import Connection, Exchange, Producer, Queue

from api.broker import FAILURES
from events import envelope
from events.encryption import sealed
from events.envelope import Event

SINK = "rabbitmq"
PAGE = 500
CONNECT_SECONDS = 5.0
CONFIRM_SECONDS = 30.0  # for all of a page: the broker may have to write it to several disks
TRIES = 3

EXCHANGE = Exchange(f"{settings.QUEUE_PREFIX}scoreboard", type="topic", durable=True)
DEAD = Queue(
    f"{settings.QUEUE_PREFIX}score_history_queue.dead",
    durable=True,
    queue_arguments={"x-queue-type": "quorum"},
)
# A quorum queue counts how often each message was delivered, a crash of the consumer among them. When it is full it
# refuses what is published: then the mark stays, and the history is the queue.
HISTORY = Queue(
    f"{settings.QUEUE_PREFIX}score_history_queue",
    EXCHANGE,
    routing_key="scoreboard.updates.#",
    durable=True,
    queue_arguments={
        "x-queue-type": "quorum",
        "x-delivery-limit": TRIES - 1,  # deliveries after the first
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": DEAD.name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": settings.EVENT_QUEUE_LENGTH,
    },
)


class BrokerAway(Exception):
    """The broker is away, hangs, or did not take every message."""


def configured() -> bool:
    return bool(settings.EVENT_BROKER_URL)


class Publisher:
    """One connection, for as long as it works."""

    def __init__(self, url: str) -> None:
        self.connection = Connection(
            url,
            connect_timeout=CONNECT_SECONDS,
            heartbeat=0,  # no thread would answer it between two pages
            transport_options={"confirm_publish": False},  # that waits for each message; here for all of a page
            ssl=settings.EVENT_BROKER_TLS if url.startswith("amqps:") else False,
        )
        self.channel: Any = None
        self.outstanding: set[int] = set()
        self.sent = self.refused = 0

    def publish(self, events: Sequence[Event]) -> None:
        """Returns when the broker has confirmed all of them. Raises BrokerAway; then any number may have arrived."""
        try:
            self.open()
            producer = Producer(self.channel)
            for event in events:
                self.sent += 1
                self.outstanding.add(self.sent)
                producer.publish(
                    envelope.text(sealed(event)).encode(),
                    exchange=EXCHANGE.name,
                    routing_key=f"{event['type']}.{event['data']['source']}",
                    content_type=envelope.CONTENT_TYPE,
                    content_encoding="utf-8",
                    delivery_mode=2,
                    mandatory=True,
                    message_id=event["id"],
                )
            self.wait()
        except FAILURES as error:
            self.close()
            raise BrokerAway(str(error) or type(error).__name__) from error

    def open(self) -> None:
        if self.channel is not None:
            return
        self.connection.connect()
        self.channel = self.connection.channel()
        self.sent, self.refused = 0, 0
        self.outstanding.clear()
        for queue in (DEAD, HISTORY):
            queue(self.channel).declare()
        self.channel.confirm_select()
        self.channel.events["basic_ack"].add(self.confirmed)
        self.channel.events["basic_nack"].add(self.nacked)
        self.channel.events["basic_return"].add(self.returned)

    def wait(self) -> None:
        deadline = time.monotonic() + CONFIRM_SECONDS
        while self.outstanding:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{len(self.outstanding)} messages were not confirmed in {CONFIRM_SECONDS:.0f} s")
            try:
                self.connection.drain_events(timeout=left)
            except TimeoutError:
                continue
        if self.refused:
            raise OSError(f"{self.refused} messages were refused: is {HISTORY.name} full?")

    def confirmed(self, delivery_tag: int, multiple: bool) -> None:
        self.outstanding -= {
            tag for tag in self.outstanding if tag == delivery_tag or (multiple and tag < delivery_tag)
        }

    def nacked(self, delivery_tag: int, multiple: bool) -> None:
        self.refused += 1
        self.confirmed(delivery_tag, multiple)

    def returned(self, *_: Any) -> None:
        """No queue is bound to what was published; a confirmation follows all the same."""
        self.refused += 1

    def close(self) -> None:
        self.channel = None
        self.outstanding.clear()
        self.connection.collect(socket_timeout=1)
