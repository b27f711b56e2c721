"""RabbitMQ killed by SIGKILL while events flow, and started again: nothing is lost, and each player's order is kept."""

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from kombu import Connection
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from accounts.models import User
from events import broker, relay
from events.broker import HISTORY
from events.models import Mark
from scoreboard.models import ScoreHistory
from tests.support.people import give, players
from tests.support.processes import PATIENCE, eventually
from tests.support.rabbitmq import rabbitmq
from tests.system.live.server import free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

KILLS = 3


@pytest.fixture
def scoring(transactional_db: None) -> Iterator[list[User]]:
    """Players whose scores change all the time, until the list of them is emptied."""
    people = list(players(5))
    going = people.copy()

    def score() -> None:
        with closing(connection):
            while going:
                for person in going.copy():
                    give(person, 1)

    thread = threading.Thread(target=score)
    thread.start()
    yield going
    going.clear()
    thread.join(PATIENCE)


@pytest.fixture
def relaying(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The relay, in threads of this process, to a RabbitMQ on this port that is still to be started."""
    port = free_port()
    settings.EVENT_BROKER_URL = f"amqp://guest:guest@127.0.0.1:{port}//"
    monkeypatch.setattr(relay, "AWAY_SECONDS", 0.1)
    # RabbitMQ forgets what it is told before the queue has a leader again, and does not say so.
    monkeypatch.setattr(broker, "CONFIRM_SECONDS", 5.0)
    Mark.of(broker.SINK)
    one = relay.Relay()
    thread = threading.Thread(target=one.run, daemon=True)
    thread.start()
    yield port
    one.ended.set()
    for each in (thread, *one.hands):
        each.join(PATIENCE)
    if one.publisher is not None:
        one.publisher.close()


def confirmed() -> int:
    """The last entry of the history that the broker has confirmed."""
    return Mark.objects.get(pk=broker.SINK).after


def failures() -> float:
    return REGISTRY.get_sample_value("scoreboard_event_failures_total", {"sink": broker.SINK}) or 0.0


def finds_it_gone(before: float) -> None:
    eventually(lambda: failures() > before, "the relay finds it gone")


def confirms_what_is_new() -> None:
    now = newest()
    eventually(lambda: confirmed() > now, "it confirms what happens now")


def newest() -> int:
    return ScoreHistory.objects.order_by("-id").values_list("id", flat=True)[0]


def taken(port: int) -> list[dict[str, Any]]:
    """Everything that is in the queue, in its order."""
    events = []
    with Connection(f"amqp://guest:guest@127.0.0.1:{port}//") as line:
        channel: Any = line.default_channel
        while (message := channel.basic_get(HISTORY.name, no_ack=True)) is not None:
            events.append(json.loads(message.body))
    return events


def test_killed_while_events_flow_it_loses_none_and_keeps_each_players_order(
    relaying: int, scoring: list[User]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        home, listener = Path(name), f"listeners.tcp.1 = 127.0.0.1:{relaying}"
        # Ended in order once: RabbitMQ writes which queues it has seconds after they were declared.
        with rabbitmq(home, relaying, listener) as process:
            confirms_what_is_new()
            process.terminate()
            process.wait(PATIENCE)
        for _ in range(KILLS):
            before = failures()
            with rabbitmq(home, relaying, listener):
                confirms_what_is_new()
            finds_it_gone(before)
        with rabbitmq(home, relaying, listener):
            scoring.clear()
            eventually(lambda: confirmed() >= newest(), "all of it is confirmed")
            events = taken(relaying)

    told: dict[str, list[int]] = {}
    for event in events:
        mine, sequence = told.setdefault(event["subject"], []), int(event["sequence"])
        if not mine or sequence > mine[-1]:  # others are repeats: docs/events.md
            mine.append(sequence)
    written: dict[str, list[int]] = {}
    for pk, user in ScoreHistory.objects.order_by("id").values_list("id", "user_id"):
        written.setdefault(str(user), []).append(pk)
    assert told == written
