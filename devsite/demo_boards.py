"""The demo's boards, beside that of all players: this week's, one for each region, one that is soon over, and one that
is soon frozen."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from scoreboard.models import EACH, Board

OPENING = timedelta(minutes=1)  # who starts the demo sees it end; who comes later sees how it came out
FINAL = timedelta(days=7)


def add() -> None:
    """To be called after the people are there, whose regions make the parts, and before they score."""
    Board.objects.create(
        slug="weekly",
        title="This week",
        description="Points since Monday. Every week begins anew, and how the last ones came out stays.",
        window=Board.Window.WEEKLY,
        zone=settings.TIME_ZONE,
    )
    Board.objects.create(
        slug="region",
        title="By region",
        description="Players are ranked among those of their own region.",
        zone=settings.TIME_ZONE,
        attribute="region",
        attribute_value=EACH,
    )
    Board.objects.create(
        slug="opening",
        title="Opening minute",
        description="Points of the first minute of this demo. What came later does not count here.",
        window=Board.Window.FIXED,
        zone=settings.TIME_ZONE,
        opens_at=Now(),
        closes_at=Now() + OPENING,
    )
    Board.objects.create(
        slug="final",
        title="The final",
        description="Frozen after a minute. Points still count, and are shown when an admin reveals the board.",
        window=Board.Window.FIXED,
        zone=settings.TIME_ZONE,
        opens_at=Now(),
        freeze_at=Now() + OPENING,
        closes_at=Now() + FINAL,
    )
