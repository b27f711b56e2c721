"""Routes of the read side, below /api/v1/."""

from django.urls import path

from leaderboard import board_views, exports, reveal_views, views

urlpatterns = [
    path("boards", board_views.BoardsView.as_view(), name="boards"),
    path("boards/<str:slug>", board_views.BoardDefinitionView.as_view(), name="board-definition"),
    path("boards/<str:slug>/periods", board_views.PeriodsView.as_view(), name="board-periods"),
    path("boards/<str:slug>/reveal", reveal_views.RevealView.as_view(), name="board-reveal"),
    path("scoreboard/top", views.TopView.as_view(), name="top"),
    path("score/me", views.MyScoreView.as_view(), name="my-score"),
    path("score/<user:user_id>", views.PlayerScoreView.as_view(), name="player-score"),
    path("score/<user:user_id>/around", views.AroundView.as_view(), name="around"),
    path("exports/board.<extension:extension>", exports.BoardExportView.as_view(), name="export-board"),
]
