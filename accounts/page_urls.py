"""Pages of accounts."""

from django.urls import path

from accounts import account_pages, pages

urlpatterns = [
    path("accounts/sign-in", pages.SignInPage.as_view(), name="sign-in"),
    path("accounts/sign-up", pages.SignUpPage.as_view(), name="sign-up"),
    path("accounts/sign-out", pages.SignOutPage.as_view(), name="sign-out"),
    path("accounts/me", account_pages.AccountPage.as_view(), name="account"),
    path("accounts/me/password", account_pages.PasswordPage.as_view(), name="change-password"),
    path("accounts/me/data", account_pages.ExportPage.as_view(), name="export"),
    path("accounts/me/delete", account_pages.ErasePage.as_view(), name="erase"),
    path("accounts/password", account_pages.ResetPage.as_view(), name="reset"),
    path("accounts/password/new", account_pages.ResetConfirmPage.as_view(), name="reset-confirm"),
    path("accounts/confirm", account_pages.ConfirmEmailPage.as_view(), name="confirm-email"),
]
