"""Pages of accounts."""

from django.urls import path

from accounts import account_pages, pages
from accounts.local_accounts import page

urlpatterns = [
    path("accounts/sign-in", page(pages.SignInPage.as_view()), name="sign-in"),
    path("accounts/sign-up", page(pages.SignUpPage.as_view()), name="sign-up"),
    path("accounts/sign-out", pages.SignOutPage.as_view(), name="sign-out"),
    path("accounts/me", page(account_pages.AccountPage.as_view()), name="account"),
    path("accounts/me/password", page(account_pages.PasswordPage.as_view()), name="change-password"),
    path("accounts/me/data", page(account_pages.ExportPage.as_view()), name="export"),
    path("accounts/me/delete", page(account_pages.ErasePage.as_view()), name="erase"),
    path("accounts/password", page(account_pages.ResetPage.as_view()), name="reset"),
    path("accounts/password/new", page(account_pages.ResetConfirmPage.as_view()), name="reset-confirm"),
    path("accounts/confirm", page(account_pages.ConfirmEmailPage.as_view()), name="confirm-email"),
]
