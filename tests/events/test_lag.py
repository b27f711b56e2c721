"""scoreboard_event_lag_seconds: the age of the oldest change that a sink has not confirmed, whatever its mark is at."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from events import broker, webhooks
from events.metrics import Lag
from events.models import Mark
from scoreboard.models import ScoreHistory
from tests.events.conftest import Make, deliver
from tests.events.receiver import Receiver
from tests.support.people import give
from tests.support.races import open_transaction

pytestmark = pytest.mark.django_db(transaction=True)


def lag(kind: str = "webhook") -> float:
    [family] = Lag().collect()
    return {sample.labels["sink"]: sample.value for sample in family.samples}[kind]


def waits(entry: ScoreHistory, kind: str = "webhook") -> bool:
    """Whether this is the entry whose age is told."""
    before = timezone.now()
    age = timedelta(seconds=lag(kind))
    return before - age <= entry.created_at + timedelta(milliseconds=1) and timezone.now() - age >= entry.created_at


def history() -> list[ScoreHistory]:
    return list(ScoreHistory.objects.order_by("id"))


def test_it_is_the_age_of_the_first_change_that_was_not_confirmed(
    alice: User, receiver: Receiver, webhook: Make
) -> None:
    endpoint = webhook(batch=1)
    assert lag() == 0
    for _ in range(3):
        give(alice, 1)
    assert waits(history()[0]), "nothing was tried yet"
    receiver.answers = lambda got: (200 if got.events[0]["data"]["score"] < 2 else 500, {}, b"")
    deliver(endpoint, later=True)
    give(alice, 1)
    assert waits(history()[1]), "the first of a window was confirmed, the second was not"
    receiver.answers = lambda got: (200 if got.events[0]["data"]["score"] < 4 else 500, {}, b"")
    deliver(endpoint, later=True)
    deliver(endpoint, later=True)
    assert waits(history()[3]), "the window is through; what came after it is not"
    webhook(types=["scoreboard.notice"])
    other = webhook()
    give(alice, 1)
    deliver(other, later=True)
    assert waits(history()[3]), "of several the one that is furthest behind"
    receiver.answers = lambda _: (200, {}, b"")
    deliver(endpoint, later=True)
    deliver(other, later=True)
    assert lag() == 0


def test_a_change_that_is_committed_late_is_late(alice: User, bob: User, receiver: Receiver, webhook: Make) -> None:
    endpoint = webhook()
    with open_transaction(bob, commits=True):
        give(alice, 1)
        deliver(endpoint, later=True)
        assert lag() == 0, "what is not committed is not due"
    first, second = history()
    assert (first.user_id, second.user_id) == (bob.pk, alice.pk)
    assert waits(first)
    deliver(endpoint, later=True)
    assert lag() == 0, "although an entry with a higher id was confirmed earlier"


def test_a_webhook_that_was_disabled_is_not_late(alice: User, receiver: Receiver, webhook: Make) -> None:
    endpoint = webhook()
    give(alice, 1)
    assert lag() > 0
    webhooks.disable(endpoint, "by a person")
    assert lag() == 0


def test_a_broker_is_late_while_it_is_one(alice: User, settings: Settings) -> None:
    settings.EVENT_BROKER_URL = "amqp://guest:guest@127.0.0.1:9//"
    Mark.of(broker.SINK)
    give(alice, 1)
    assert waits(history()[0], "rabbitmq")
    assert lag("webhook") == 0
    settings.EVENT_BROKER_URL = ""
    assert lag("rabbitmq") == 0
