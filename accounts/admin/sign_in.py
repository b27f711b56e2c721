"""The admin site's door counts attempts like every other: it must not be the one without a limit.

With ADMIN_OTP it asks for a code as well, and nothing behind it opens to a session that was signed in to without one.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import second_factor
from accounts.models import User
from accounts.names import MAX_LENGTH
from accounts.pages import PasswordField
from accounts.roles import may_enter
from api.problems import Problem, note
from api.throttles import charge_address

TOGETHER = (
    "This name, password and code do not belong together, or the account is not an admin's or a moderator's. "
    "A code counts once: if it was used, wait for the next."
)


class AdminSignInForm(AdminAuthenticationForm):
    # Django's own field would change the name into another normal form than the one it was registered in.
    username = forms.CharField(
        max_length=MAX_LENGTH, widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username"})
    )
    password = PasswordField()
    code = forms.CharField(
        max_length=second_factor.MAX_CODE,
        help_text="From your authenticator app, or a recovery code.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autocapitalize": "none"}),
    )

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        if settings.ADMIN_OTP:
            self.error_messages = {**self.error_messages, "invalid_login": TOGETHER}
        else:
            del self.fields["code"]

    def confirm_login_allowed(self, user: Any) -> None:
        """Django's own lets staff in, and no moderator."""
        if not may_enter(user):
            note(Problem("forbidden", "Only staff may enter the admin site.", reason="permission", subject=user.pk))
            raise self.get_invalid_login_error()

    def clean(self) -> dict[str, Any]:
        """Charges the address, and the backend the account, before any password is hashed or code looked at."""
        try:
            if self.request is not None:
                charge_address(self.request, ["sign-in"])
            cleaned = super().clean()
        except Problem as refusal:
            self.request.refusal = refusal  # type: ignore[union-attr]  # for `login`, below
            raise forms.ValidationError(refusal.sentence) from refusal
        if settings.ADMIN_OTP and self.user_cache is not None:
            self.prove(self.user_cache)
        return cleaned

    def prove(self, user: User) -> None:
        """The same answer for a wrong code as for a wrong password: a guesser must not learn which was right."""
        device = second_factor.prove(user, self.cleaned_data.get("code", ""))
        if device is None:
            note(Problem("not-authenticated", "The code is wrong or spent.", reason="code", subject=user.pk))
            raise self.get_invalid_login_error()
        user.otp_device = device  # type: ignore[attr-defined]  # kept in the session by django_otp, when it is signed in to


django_login = admin.site.login


def login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's page; 429 with its headers, and not 200, when the attempt was not even looked at.

    A signed-in user who may not enter is led here from whichever page was asked for: a refusal, though it looks like an
    offer to sign in.
    """
    if request.method == "GET" and request.user.is_authenticated and not may_enter(request.user):
        note(Problem("forbidden", "Only staff may enter the admin site.", reason="permission"))
    response = django_login(request, extra_context)
    refusal: Problem | None = getattr(request, "refusal", None)
    if refusal:
        note(refusal)
        response.status_code = refusal.status_code
        for name, value in refusal.headers.items():
            response[name] = value
    return response


def has_permission(request: HttpRequest) -> bool:
    """Every page of the site asks this first."""
    return may_enter(request.user) and (not settings.ADMIN_OTP or second_factor.proved(request))


def password_change(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """One's own password is changed on the account's page, where guesses at the present one are limited."""
    return HttpResponseRedirect(reverse("change-password"))


admin.site.login = login  # type: ignore[method-assign]
admin.site.password_change = password_change  # type: ignore[method-assign, assignment]
admin.site.has_permission = has_permission  # type: ignore[method-assign]
admin.site.login_form = AdminSignInForm
admin.site.login_template = "admin/accounts/sign_in.html"
admin.site.site_header = admin.site.site_title = "Scoreboard administration"
# They would show secrets to every superuser; `manage.py enroll_admin` makes and replaces them.
admin.site.unregister([TOTPDevice, StaticDevice])
