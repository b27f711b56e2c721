"""What admin and Celery change is told to a player's own pages at once; a score is not, the script does that."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer

from accounts import visibility
from accounts.models import User
from leaderboard import notifications, projection
from scoreboard import adjustments
from tests.support.admin_site import superuser
from tests.support.people import give
from tests.support.processes import PATIENCE

pytestmark = pytest.mark.usefixtures("board")
LAST = {"type": "the.end"}


@async_to_sync
async def heard(user_ids: list[uuid.UUID], act: Callable[[], object]) -> list[dict[str, Any]]:
    """What the groups of these players are sent while `act` runs."""
    layer: Any = get_channel_layer()
    channel = await layer.new_channel()
    for user_id in user_ids:
        await layer.group_add(f"player.{user_id}", channel)
    await sync_to_async(act)()
    await layer.send(channel, LAST)
    messages = []
    async with asyncio.timeout(PATIENCE):
        while (message := await layer.receive(channel)) != LAST:
            messages.append(message)
    await layer.flush()
    return messages


def news(*users: User) -> list[dict[str, Any]]:
    return [{"type": "standing.changed", "player": str(user.pk)} for user in users]


def test_an_adjustment_is_told_to_the_player(alice: User) -> None:
    give(alice, 50)
    plan = adjustments.plan([alice], adjustments.Change("A mistake.", delta=-20))
    assert heard([alice.pk], lambda: adjustments.carry_out(plan, superuser().pk)) == news(alice)


def test_hiding_and_showing_again_are_told_to_the_player_and_to_nobody_else(alice: User, bob: User) -> None:
    give(alice, 50)
    both = [alice.pk, bob.pk]
    assert heard(both, lambda: visibility.set_hidden([alice.pk], hidden=True)) == news(alice)
    assert heard(both, lambda: visibility.set_hidden([alice.pk], hidden=False)) == news(alice)


def test_several_players_are_told_in_one_go(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    both, sent, send = [alice.pk, bob.pk], list[bool](), notifications.send
    monkeypatch.setattr(notifications, "send", lambda messages: sent.append(send(messages)))
    give(alice, 50)
    give(bob, 50)
    told = heard(both, lambda: visibility.set_hidden(both, hidden=True))
    assert sorted(told, key=str) == sorted(news(alice, bob), key=str)
    assert sent == [True]


def test_a_score_is_not(alice: User) -> None:
    assert heard([alice.pk], lambda: give(alice, 50)) == []


def test_of_a_change_of_very_many_players_the_first_are_told(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(alice, 50)
    give(bob, 20)
    monkeypatch.setattr(projection, "MAX_NOTIFIED", 1)
    told = heard([alice.pk, bob.pk], lambda: visibility.set_hidden([alice.pk, bob.pk], hidden=True))
    assert len(told) == 1
