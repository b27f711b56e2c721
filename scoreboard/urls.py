"""Routes of the write side, below /api/v1/."""

from django.urls import path

from scoreboard import account_views, bonus_views, history_views

urlpatterns = [
    path("auth/register", account_views.RegisterView.as_view(), name="auth-register"),
    path("auth/token", account_views.SignInView.as_view(), name="auth-token"),
    path("auth/token/refresh", account_views.RefreshView.as_view(), name="auth-refresh"),
    path("auth/token/verify", account_views.VerifyView.as_view(), name="auth-verify"),
    path("auth/logout", account_views.SignOutView.as_view(), name="auth-logout"),
    path("score/bonus", bonus_views.BonusView.as_view(), name="score-bonus"),
    path("score/<id:user_id>/history", history_views.HistoryView.as_view(), name="score-history"),
]
