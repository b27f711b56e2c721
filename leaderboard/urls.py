"""Routes of the read side, below /api/v1/."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from leaderboard import board_views, choices, entry_views, exports, reveal_views, views


class BoardConverter(StringConverter):
    """How a board is asked for; nothing else is looked up."""

    regex = choices.SLUG.pattern


register_converter(BoardConverter, "board")

urlpatterns = [
    path("boards", board_views.BoardsView.as_view(), name="boards"),
    path("boards/<board:slug>", board_views.BoardDefinitionView.as_view(), name="board-definition"),
    path("boards/<board:slug>/periods", board_views.PeriodsView.as_view(), name="board-periods"),
    path("boards/<board:slug>/reveal", reveal_views.RevealView.as_view(), name="board-reveal"),
    path("boards/<board:slug>/join", entry_views.JoinView.as_view(), name="board-join"),
    path("boards/<board:slug>/players/<opaque:player>", entry_views.EntrantView.as_view(), name="board-player"),
    path("scoreboard/top", views.TopView.as_view(), name="top"),
    path("score/me", views.MyScoreView.as_view(), name="my-score"),
    path("score/<user:user_id>", views.PlayerScoreView.as_view(), name="player-score"),
    path("score/<user:user_id>/around", views.AroundView.as_view(), name="around"),
    path("exports/board.<extension:extension>", exports.BoardExportView.as_view(), name="export-board"),
]
