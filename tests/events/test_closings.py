"""`scoreboard.period_closed`: each webhook that takes it is sent each piece once, of players as they are by then."""

import uuid
from typing import Any

import pytest
from django.db import transaction

from accounts import privacy
from accounts.models import User
from events import closings, webhooks
from events.models import Delivery
from events.relay import Relay
from leaderboard.boards import Board
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, PeriodClosing
from tests.events.conftest import Make, deliver
from tests.events.receiver import Receiver
from tests.support.boards import award, end_period, make
from tests.support.people import player
from tests.support.races import at_once, none_failed

pytestmark = pytest.mark.usefixtures("board", "unlimited")

KIND = "scoreboard.period_closed"
CLOSE: list[dict[str, Any]] = [{"ranks": [1, 2], "webhook": True}]


@pytest.fixture
def crowd(board: Board) -> list[User]:
    """Three on a board that gives the first two of them to webhooks."""
    make("daily", window="daily", close=CLOSE)
    crowd = [player(provider="site", external_id="42", email=""), player(), player()]
    for user, points in zip(crowd, (9, 8, 7), strict=True):
        award(user, points)
    return crowd


def test_a_closed_period_is_told_with_the_places_in_range(crowd: list[User], receiver: Receiver, webhook: Make) -> None:
    takes, other = webhook(types=[KIND], batch=1), webhook()
    key, _ = end_period("daily")
    period = BoardPeriod.objects.get(key=key)
    assert closings.file_all() == 1
    assert closings.file_all() == 0
    deliver(takes)
    deliver(other)
    [got] = [one for one in receiver.got if one.events[0]["type"] == KIND]
    [event] = got.events
    assert got.headers["webhook-id"] == f"msg_{uuid.UUID(event['id']).hex}"
    assert period.starts_at
    assert period.ends_at
    assert period.closed_at
    assert event["time"] == event["data"]["closed_at"] == at(period.closed_at)
    assert event["data"] == {
        "board": "daily",
        "period": key,
        "starts_at": at(period.starts_at),
        "ends_at": at(period.ends_at),
        "closed_at": at(period.closed_at),
        "players": 3,
        "piece": 1,
        "pieces": 1,
        "places": [
            {"rank": 1, "user_id": str(crowd[0].pk), "player": "42", "provider": "site", "score": 9},
            {"rank": 2, "user_id": str(crowd[1].pk), "player": None, "provider": None, "score": 8},
        ],
    }
    assert not PeriodClosing.objects.exists()


def at(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def test_it_is_tried_again_under_the_same_id_until_it_arrives(
    crowd: list[User], receiver: Receiver, webhook: Make
) -> None:
    takes = webhook(types=[KIND])
    end_period("daily")
    closings.file_all()
    receiver.answers = lambda _: (500, {}, b"")
    deliver(takes)
    receiver.answers = lambda _: (204, {}, b"")
    deliver(takes, later=True)
    deliver(takes, later=True)
    assert len(receiver.events) == 2
    assert len({event["id"] for event in receiver.events}) == 1
    assert Delivery.objects.get().state == "delivered"


def test_who_is_hidden_or_erased_before_it_is_sent_is_not_told(
    crowd: list[User], receiver: Receiver, webhook: Make
) -> None:
    takes = webhook(types=[KIND], batch=1)
    end_period("daily")
    closings.file_all()
    privacy.erase(crowd[0].pk)
    deliver(takes)
    assert [place["rank"] for place in receiver.events[0]["data"]["places"]] == [2]
    User.objects.filter(pk=crowd[1].pk).update(is_hidden=True)
    webhooks.replay(Delivery.objects.get())
    deliver(takes)
    assert receiver.events[1]["data"]["places"] == []


def test_relays_at_once_file_each_piece_once_and_one_that_ends_in_between_none(
    crowd: list[User], webhook: Make
) -> None:
    endpoints = [webhook(types=[KIND]), webhook(types=[KIND])]
    end_period("daily")

    class Killed(Exception):
        pass

    def killed() -> None:
        with transaction.atomic():
            closings.file_all()
            raise Killed

    with pytest.raises(Killed):
        killed()
    assert not Delivery.objects.exists()
    assert sum(none_failed(at_once(4, lambda _: closings.file_all()))) == 1
    assert set(Delivery.objects.values_list("endpoint", flat=True)) == {one.pk for one in endpoints}
    assert Delivery.objects.count() == 2


def test_a_webhook_that_is_disabled_gets_it_when_it_is_enabled(
    crowd: list[User], receiver: Receiver, webhook: Make
) -> None:
    takes = webhook(types=[KIND])
    webhooks.disable(takes, "by an admin")
    end_period("daily")
    closings.file_all()
    deliver(takes)
    assert receiver.got == []
    webhooks.enable(takes, skip=False)
    deliver(takes)
    assert len(receiver.events) == 1


def test_a_board_that_is_deleted_before_it_is_told_was_closed_all_the_same(
    crowd: list[User], receiver: Receiver, webhook: Make
) -> None:
    takes = webhook(types=[KIND], batch=1)
    end_period("daily")
    Rule.objects.get().delete()
    closings.file_all()
    deliver(takes)
    assert [place["score"] for place in receiver.events[0]["data"]["places"]] == [9, 8]


def test_the_relay_files_what_was_closed(crowd: list[User], webhook: Make) -> None:
    """With no webhook that takes it there is nothing to file, and it does not wait for one that is made later."""
    end_period("daily")
    Relay().look()
    assert not PeriodClosing.objects.exists()
    webhook(types=[KIND])
    award(crowd[2], 1)
    end_period("daily")
    relay = Relay()
    relay.look()
    relay.ended.set()
    assert Delivery.objects.filter(type=KIND).count() == 1
