"""Routes of accounts, below /api/v1/."""

from django.urls import path

from accounts import account_views, exports, player_views, viewer_views, views

urlpatterns = [
    path("auth/register", views.RegisterView.as_view(), name="auth-register"),
    path("auth/token", views.SignInView.as_view(), name="auth-token"),
    path("auth/token/refresh", views.RefreshView.as_view(), name="auth-refresh"),
    path("auth/token/verify", views.VerifyView.as_view(), name="auth-verify"),
    path("auth/logout", views.SignOutView.as_view(), name="auth-logout"),
    path("auth/password", account_views.PasswordView.as_view(), name="auth-password"),
    path("auth/password/reset", account_views.PasswordResetView.as_view(), name="auth-password-reset"),
    path("auth/password/reset/confirm", account_views.PasswordResetConfirmView.as_view(), name="auth-reset-confirm"),
    path("auth/email/confirm", account_views.EmailConfirmView.as_view(), name="auth-email-confirm"),
    path("auth/sessions/end", account_views.SessionsEndView.as_view(), name="auth-sessions-end"),
    path("players", player_views.PlayersView.as_view(), name="players"),
    path("players/<opaque:player>", player_views.PlayerView.as_view(), name="player"),
    path("viewer-tokens", viewer_views.ViewerTokensView.as_view(), name="viewer-tokens"),
    path("me", account_views.MeView.as_view(), name="me"),
    path("me/export", account_views.ExportView.as_view(), name="me-export"),
    path("exports/admin-log.<extension:extension>", exports.AdminLogExportView.as_view(), name="export-admin-log"),
    path("exports/audit.<extension:extension>", exports.AuditExportView.as_view(), name="export-audit"),
]
