"""The relay: reads the history for each sink and tells it. It runs beside Celery's tasks, in threads of the worker.

Any number of workers may have one: each sink is told by who holds its lock in PostgreSQL, which ends with the session
that took it, also after `kill -9`. What was sent and not confirmed is sent again.
"""

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

import structlog
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, close_old_connections, connection

from events import broker, closings, deliveries, envelope
from events.broker import BrokerAway, Publisher
from events.metrics import EVENT_FAILURES, EVENTS
from events.models import Endpoint, Mark, Moved

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
IDLE_SECONDS = 2.0  # between two looks whether there is any sink
AWAY_SECONDS = 5.0  # a broker that failed is left alone
HANDS = 8  # sinks told at one moment; an endpoint that hangs holds one for some seconds
SPACE = 0x65766E74  # apart from other advisory locks of this database
PAGES = 20  # of one turn


class Relay:
    def __init__(self) -> None:
        self.ended = threading.Event()
        self.busy: set[str] = set()
        self.waiting: SimpleQueue[tuple[str, Endpoint | None] | None] = SimpleQueue()
        self.hands: list[threading.Thread] = []  # daemons: what they send when the process ends is sent again
        self.publisher: Publisher | None = None

    def run(self) -> None:
        """Until `ended` is set."""
        pause = 0.0
        while not self.ended.wait(pause):
            pause = self.look()
        for _ in self.hands:
            self.waiting.put(None)
        connection.close()

    def look(self) -> float:
        """Has each sink visited that is not being visited; returns the seconds until the next look."""
        try:
            close_old_connections()
            closings.file_all()
            sinks: dict[str, Endpoint | None] = {one.sink: one for one in Endpoint.objects.filter(disabled_at=None)}
        except (OperationalError, InterfaceError) as error:
            log.warning("relay_postponed", error=str(error).strip())
            return IDLE_SECONDS
        if broker.configured():
            sinks[broker.SINK] = None
        for sink in sinks.keys() - self.busy:
            self.busy.add(sink)
            self.waiting.put((sink, sinks[sink]))
        while len(self.hands) < min(len(self.busy), HANDS):
            self.hands.append(threading.Thread(target=self.work, name="relay-hand", daemon=True))
            self.hands[-1].start()
        return POLL_SECONDS if sinks else IDLE_SECONDS

    def work(self) -> None:
        while (next_one := self.waiting.get()) is not None and not self.ended.is_set():
            self.visit(*next_one)
        connection.close()

    def visit(self, sink: str, endpoint: Endpoint | None) -> None:
        try:
            close_old_connections()
            with held(sink) as mine:
                if mine and endpoint is not None:
                    deliveries.deliver(endpoint)
                elif mine:
                    self.publish()
        except (OperationalError, InterfaceError, IntegrityError, Moved) as error:  # a webhook deleted just now, too
            log.warning("relay_postponed", sink=sink, error=str(error).strip())
            connection.close()
        except Exception:
            log.exception("relay_failed", sink=sink)
        finally:
            self.busy.discard(sink)

    def publish(self) -> None:
        """The next pages to RabbitMQ; a page that was not confirmed to the last message is published again."""
        self.publisher = self.publisher or Publisher(settings.EVENT_BROKER_URL)
        mark = Mark.of(broker.SINK)
        for _ in range(PAGES):
            entries = mark.page(broker.PAGE)
            if not entries:
                return
            try:
                self.publisher.publish(envelope.updates(entries))
            except BrokerAway as error:
                EVENT_FAILURES.labels(broker.SINK).inc()
                log.warning("event_broker_away", error=str(error))
                self.ended.wait(AWAY_SECONDS)
                return
            mark.confirm(entries[-1].id)
            EVENTS.labels(broker.SINK).inc(len(entries))


@contextmanager
def held(sink: str) -> Iterator[bool]:
    """Whether this session has the sink's lock, until the end of the block."""
    name = [SPACE, zlib.crc32(sink.encode()) & 0x7FFFFFFF]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", name)
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_advisory_unlock(%s, %s)", name
                )  # or the session is gone, and its lock with it


_relay: Relay | None = None


def start() -> None:
    """Has this process relay from now on; once, however often it is called."""
    global _relay
    if _relay is None:
        if not broker.configured():
            log.info("events_not_published", reason="EVENT_BROKER_URL is not set; webhooks are told all the same")
        _relay = Relay()
        threading.Thread(target=_relay.run, name="relay", daemon=True).start()


def stop() -> None:
    """What is under way may end; what did not is sent again by another."""
    if _relay is not None:
        _relay.ended.set()
