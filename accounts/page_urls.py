"""Pages of the write side: accounts."""

from django.urls import path

from accounts import pages

urlpatterns = [
    path("accounts/sign-in", pages.SignInPage.as_view(), name="sign-in"),
    path("accounts/sign-up", pages.SignUpPage.as_view(), name="sign-up"),
    path("accounts/sign-out", pages.SignOutPage.as_view(), name="sign-out"),
]
