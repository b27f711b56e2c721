"""Notifications for live processes, from Celery tasks and admin: over the channel layer.

Never from a scoring request: what a score changes is announced by the script that writes it.
"""

import uuid
from collections.abc import Sequence
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from scoreboard.closing import Told

log = structlog.get_logger(__name__)


def standings_changed(user_ids: Sequence[uuid.UUID]) -> bool:
    """Has these players' own lines read at once, for all tabs, instead of within the next second.

    Returns whether Redis took it.
    """
    return send([(f"player.{user_id}", {"type": "standing.changed", "player": str(user_id)}) for user_id in user_ids])


def placed(notices: Sequence[Told]) -> None:
    """Tells the open pages of players what a closed period gave them."""
    send(
        [
            (
                f"player.{told.user_id}",
                {
                    "type": "player.placed",
                    "player": str(told.user_id),
                    "board": told.board,
                    "period": told.period,
                    "rank": told.rank,
                    "text": told.text,
                },
            )
            for told in notices
        ]
    )


def send(messages: Sequence[tuple[str, dict[str, Any]]]) -> bool:
    """Each to its group, in order. Returns whether Redis took all of them."""

    async def all_of_them() -> None:
        layer = get_channel_layer()
        for group, message in messages:
            await layer.group_send(group, message)

    try:
        async_to_sync(all_of_them)()
    except Exception as error:
        # Whatever the layer's Redis client raises: a notification that does not arrive must not fail what it is about.
        log.warning("notification_not_sent", group=messages[0][0], error=str(error))
        return False
    return True
