"""Notifications for live processes, from Celery tasks and admin: over the channel layer, 2 ms of CPU each.

Never from a scoring request: what a score changes is announced by the script that writes it.
"""

import uuid

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

log = structlog.get_logger(__name__)


def standing_changed(user_id: uuid.UUID) -> bool:
    """Has this player's own line read at once, for all tabs, instead of within the next second.

    Returns whether Redis took it.
    """
    group, message = f"player.{user_id}", {"type": "standing.changed", "player": str(user_id)}
    try:
        async_to_sync(get_channel_layer().group_send)(group, message)
    except Exception as error:
        # Whatever the layer's Redis client raises: a notification that does not arrive must not fail what it is about.
        log.warning("notification_not_sent", group=group, error=str(error))
        return False
    return True
