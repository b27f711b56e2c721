"""`{% player_notices user %}`: what closed periods gave a player, for the player's own page."""

from django import template

from accounts.models import User
from scoreboard import closing
from scoreboard.models import PlayerNotice

NEWEST = 20

register = template.Library()


@register.simple_tag
def player_notices(user: User) -> list[PlayerNotice]:
    """The newest of them."""
    return list(closing.notices(user).order_by("-id")[:NEWEST])
