"""Events on a real RabbitMQ: confirmed, kept for ever by the mark, three tries, then the dead letters."""

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from kombu import Connection
from pytest_django.fixtures import Settings

from accounts.models import User
from events import broker, relay
from events.broker import DEAD, EXCHANGE, HISTORY, Publisher
from events.models import Mark
from scoreboard import ledger
from scoreboard.models import ScoreHistory
from tests.events.documentation import documented
from tests.support.people import entry, give
from tests.support.processes import eventually, python, running

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def channel(settings: Settings) -> Iterator[Any]:
    """A channel of the machine's RabbitMQ, on which this run's exchange and queues are gone before and after."""
    settings.EVENT_BROKER_URL = site.CELERY_BROKER_URL

    def clean(channel: Any) -> None:
        for queue in (HISTORY, DEAD):
            channel.queue_delete(queue.name)
        channel.exchange_delete(EXCHANGE.name)

    with Connection(site.CELERY_BROKER_URL) as connection:
        clean(connection.default_channel)
        yield connection.default_channel
        clean(connection.default_channel)


@pytest.fixture
def told() -> Iterator[relay.Relay]:
    """A relay that has told everything up to now."""
    one = relay.Relay()
    Mark.of(broker.SINK)
    yield one
    if one.publisher is not None:
        one.publisher.close()


def waiting(channel: Any, name: str) -> int:
    return int(channel.queue_declare(name, passive=True).message_count)


def take(channel: Any, name: str = HISTORY.name) -> list[dict[str, Any]]:
    """Everything that is in the queue; a quorum queue may need a moment until it has it."""
    taken = []
    while (message := channel.basic_get(name, no_ack=True)) is not None:
        taken.append(json.loads(message.body))
    return taken


def history() -> list[int]:
    return list(ScoreHistory.objects.order_by("id").values_list("id", flat=True))


def sequence(events: list[dict[str, Any]]) -> list[int]:
    return [int(event["sequence"]) for event in events]


def test_changes_are_published_in_order_and_the_mark_moves(alice: User, channel: Any, told: relay.Relay) -> None:
    ledger.record([entry(alice, 1) for _ in range(20)])
    told.publish()
    message = channel.basic_get(HISTORY.name, no_ack=True)
    assert message.properties["content_type"] == "application/cloudevents+json"
    assert message.properties["delivery_mode"] == 2
    assert message.delivery_info["routing_key"] == "scoreboard.updates.adjustment"
    events = [json.loads(message.body), *take(channel)]
    assert sequence(events) == history()
    assert [event["data"]["score"] for event in events] == list(range(1, 21))
    assert Mark.of(broker.SINK).after == history()[-1]
    told.publish()
    assert take(channel) == []


def test_a_connection_that_breaks_before_the_confirmation_leaves_the_mark(
    alice: User, channel: Any, told: relay.Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "AWAY_SECONDS", 0.0)
    give(alice, 1)
    told.publish()
    before = Mark.of(broker.SINK).after
    give(alice, 1)

    def cut(self: Publisher) -> None:
        self.connection.connection.transport.sock.close()
        wait(self)

    wait = Publisher.wait
    with monkeypatch.context() as broken:
        broken.setattr(Publisher, "wait", cut)
        told.publish()
    assert Mark.of(broker.SINK).after == before
    told.publish()
    assert Mark.of(broker.SINK).after == history()[-1]
    heard = eventually(lambda: (got := take(channel)) and got, "they are there")
    assert set(sequence(heard)) == set(history())


def test_a_full_queue_refuses_and_the_rest_waits_in_the_history(
    alice: User, channel: Any, told: relay.Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "AWAY_SECONDS", 0.0)
    monkeypatch.setattr(HISTORY, "queue_arguments", {**(HISTORY.queue_arguments or {}), "x-max-length": 3})
    monkeypatch.setattr(broker, "PAGE", 1)
    for _ in range(12):
        give(alice, 1)
    told.publish()
    assert Mark.of(broker.SINK).after < history()[-1]
    heard: set[int] = set()

    def goes_on() -> bool:
        heard.update(sequence(take(channel)))
        told.publish()
        return heard == set(history())

    eventually(goes_on, "what waited is told once there is room")


def test_a_broker_that_is_away_is_said_and_not_believed(
    alice: User,
    told: relay.Relay,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(relay, "AWAY_SECONDS", 0.0)
    settings.EVENT_BROKER_URL = "amqp://guest:guest@127.0.0.1:9//"
    give(alice, 1)
    before = Mark.of(broker.SINK).after
    told.publish()
    assert "event_broker_away" in caplog.text
    assert "guest:guest" not in caplog.text
    assert Mark.of(broker.SINK).after == before


KILLED = """
import os, signal
from events import broker, relay
from events.models import Mark

def die(self):
    os.kill(os.getpid(), signal.SIGKILL)

broker.Publisher.wait = die
relay.Relay().publish()
"""


def test_killed_between_the_messages_and_the_confirmation_it_sends_them_again(
    alice: User, channel: Any, told: relay.Relay
) -> None:
    ledger.record([entry(alice, 1) for _ in range(30)])
    died = python(KILLED, EVENT_BROKER_URL=site.CELERY_BROKER_URL, QUEUE_PREFIX=site.QUEUE_PREFIX)
    assert died.returncode == -9, died.stderr
    told.publish()
    heard: list[int] = []

    def all_there() -> bool:
        heard.extend(sequence(take(channel)))
        return set(heard) == set(history())

    eventually(all_there, "every one of them is there")
    assert heard[-30:] == history(), "and the last thirty are in order"


@pytest.fixture
def consumer(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Starts the consumer of docs/events.md, as it is printed; returns where it writes."""
    with contextlib.ExitStack() as stack:

        def start(code: str) -> Path:
            log, script = tmp_path / f"{uuid.uuid4().hex}.log", tmp_path / "consumer.py"
            script.write_text(code)
            env = {**os.environ, "EVENT_BROKER_URL": site.CELERY_BROKER_URL, "QUEUE_PREFIX": site.QUEUE_PREFIX}
            process: subprocess.Popen[bytes] = stack.enter_context(running([sys.executable, str(script)], env, log))
            assert process.poll() is None
            return log

        yield start


def test_the_consumer_of_the_documents_hears_and_what_it_fails_three_times_is_a_dead_letter(
    alice: User, bob: User, channel: Any, told: relay.Relay, consumer: Callable[..., Path]
) -> None:
    printed = documented("def receive")
    told.publish()
    give(alice, 1)
    give(bob, 666)
    give(alice, 1)
    told.publish()
    fails = printed.replace('    data = event["data"]\n', '    data = event["data"]\n    assert data["score"] != 666\n')
    assert fails != printed
    log = consumer(fails)
    eventually(lambda: log.read_text().count("has") == 2, "the others are heard")
    eventually(lambda: waiting(channel, DEAD.name) == 1, "it is among the dead letters")
    assert log.read_text().count("failed:") == 3
    [dead] = take(channel, DEAD.name)
    assert dead["data"]["score"] == 666
    assert waiting(channel, HISTORY.name) == 0
