"""Routes of the write side, below /api/v1/."""

from django.urls import path

from scoreboard import bonus_views, exports, history_views, notice_views

urlpatterns = [
    path("score/bonus", bonus_views.BonusView.as_view(), name="score-bonus"),
    path("score/<user:user_id>/history", history_views.HistoryView.as_view(), name="score-history"),
    path("me/notices", notice_views.MyNoticesView.as_view(), name="my-notices"),
    path("exports/history.<extension:extension>", exports.HistoryExportView.as_view(), name="export-history"),
]
