"""Routes of accounts, below /api/v1/."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("auth/register", views.RegisterView.as_view(), name="auth-register"),
    path("auth/token", views.SignInView.as_view(), name="auth-token"),
    path("auth/token/refresh", views.RefreshView.as_view(), name="auth-refresh"),
    path("auth/token/verify", views.VerifyView.as_view(), name="auth-verify"),
    path("auth/logout", views.SignOutView.as_view(), name="auth-logout"),
]
