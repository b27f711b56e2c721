"""Query parameters of the board calls, and the shapes they answer with."""

from typing import Any

from rest_framework import serializers

from api.fields import Moment, QueryInteger, StrictText
from api.query import Query
from leaderboard import boards
from scoreboard.history_views import Metadata

MAX_OFFSET = 1_000_000


class BoardQuery(Query):
    board = StrictText(default="global", max_length=65)
    period = StrictText(default=None, max_length=16)


PUBLIC, TRUTH = "public", "truth"


class ViewQuery(BoardQuery):
    """Of what staff may see with all that a frozen board holds back."""

    view = serializers.ChoiceField(
        choices=[PUBLIC, TRUTH],
        default=PUBLIC,
        help_text="truth: of a frozen board, with what it holds back; for staff, and keys with the scope `read`.",
    )


class LiveQuery(BoardQuery):
    """Of the live board, over WebSocket and Server-Sent Events."""

    limit = QueryInteger(default=10, min_value=1, max_value=boards.VISIBLE_TOP)


class TopQuery(LiveQuery, ViewQuery):
    offset = QueryInteger(default=0, min_value=0, max_value=MAX_OFFSET)
    at = Moment(
        default=None,
        help_text="The board as it was at this instant, in the period that held it; RFC 3339 with its offset.",
    )


class AroundQuery(ViewQuery):
    radius = QueryInteger(default=5, min_value=0, max_value=50)


class WhichBoardSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    title = serializers.CharField()
    period = serializers.CharField(help_text="The key of its period: all, 2026, 2026-11, 2026-W47 or 2026-11-26.")
    starts_at = serializers.DateTimeField(allow_null=True, help_text="Null: from the beginning.")
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Null: it does not end.")
    closed_at = serializers.DateTimeField(allow_null=True, help_text="When its final ranks were kept; null while open.")
    frozen_at = serializers.DateTimeField(
        allow_null=True, help_text="It is shown as of then until it is revealed; null while it is not frozen."
    )


TIER = "Of a board with tiers; null for who has none."
METADATA = "Of the best or the latest entry, if its award had any and the board shows single entries."


class LateCorrectionSerializer(serializers.Serializer[Any]):
    score = serializers.IntegerField(help_text="What the entry gave.")
    remaining = serializers.IntegerField(help_text="What is left of it; of a best, latest or day 0.")
    at = serializers.DateTimeField(help_text="When it was taken back.")


class RowSerializer(serializers.Serializer[Any]):
    rank = serializers.IntegerField()
    user_id = serializers.UUIDField()
    username = serializers.CharField()
    score = serializers.IntegerField()
    avatar = serializers.URLField(allow_null=True)
    tier = serializers.CharField(required=False, allow_null=True, help_text=TIER)
    metadata = Metadata(required=False, help_text=METADATA)
    late_corrections = LateCorrectionSerializer(
        many=True, required=False, help_text="Of a closed period: entries of it that were taken back after its end."
    )


class PlayerStandingSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    username = serializers.CharField()
    score = serializers.IntegerField()
    rank = serializers.IntegerField(allow_null=True, help_text="Null for a player without points or hidden.")
    players = serializers.IntegerField()
    percentile = serializers.FloatField(
        allow_null=True, help_text="Share of the other players who do not rank better, in percent."
    )
    updated_at = serializers.DateTimeField(allow_null=True, help_text="When this score was reached.")
    tier = serializers.CharField(required=False, allow_null=True, help_text=TIER)
    metadata = Metadata(required=False, help_text=METADATA)


class OwnStandingSerializer(PlayerStandingSerializer):
    """What a player alone is told, too."""

    joined = serializers.BooleanField(required=False, help_text="On boards that players join.")
    attempts_left = serializers.IntegerField(
        required=False, help_text="Entries that may still count in this period; on open boards with attempts."
    )
