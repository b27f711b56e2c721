"""Notifications for live viewers, from Celery tasks and admin: over the channel layer, 2 ms of CPU each.

Never from a scoring request: what a score changes is announced by the script that writes it.
"""

import uuid
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

log = structlog.get_logger(__name__)


def send_to_player(user_id: uuid.UUID, code: str, detail: str) -> bool:
    """`{"type": "notice", "board": null, "code", "detail"}` to every page this player has open.

    `code` is for programs (`season-closed`), `detail` a sentence for people. Returns whether Redis took it.
    """
    return _send(f"player.{user_id}", {"type": "notice.player", "player": str(user_id), "code": code, "detail": detail})


def send_to_board(slug: str, code: str, detail: str) -> bool:
    """The same, with the board's slug, to everyone who watches this board."""
    return _send(f"board.{slug}", {"type": "notice.board", "board": slug, "code": code, "detail": detail})


def standing_changed(user_id: uuid.UUID) -> bool:
    """Has this player's own line read at once, for all tabs, instead of within the next second."""
    return _send(f"player.{user_id}", {"type": "standing.changed", "player": str(user_id)})


def _send(group: str, message: dict[str, Any]) -> bool:
    try:
        async_to_sync(get_channel_layer().group_send)(group, message)
    except Exception as error:
        # Whatever the layer's Redis client raises: a notification that does not arrive must not fail what it is about.
        log.warning("notification_not_sent", group=group, error=str(error))
        return False
    return True
