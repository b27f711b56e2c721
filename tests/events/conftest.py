"""Fixtures of events: a receiver of webhooks on this machine, which WEBHOOK_ALLOW lists."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from events import deliveries, webhooks
from events.models import Endpoint
from tests.events.receiver import Receiver, receiving
from tests.support.worker import ON_RABBITMQ

# They need a RabbitMQ: `make test-services` runs them, where the machine has one.
collect_ignore = [] if ON_RABBITMQ else ["test_broker.py"]

Make = Callable[..., Endpoint]


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW = ["127.0.0.1"]
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def webhook(transactional_db: None, receiver: Receiver) -> Make:
    """Makes a webhook to the receiver."""

    def make(**fields: Any) -> Endpoint:
        fields = {"types": ["scoreboard.updates"], "url": receiver.url, **fields}
        return webhooks.create("shop", **fields)

    return make


def deliver(endpoint: Endpoint, *, later: bool = False) -> None:
    """One turn of the relay; `later`: when the next attempts are due."""
    if later:
        endpoint.deliveries.update(next_attempt_at=timezone.now())
    deliveries.deliver(Endpoint.objects.get(pk=endpoint.pk))
