"""The admin site's door counts attempts like every other: it must not be the one without a limit."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.http import HttpRequest, HttpResponse

from api.problems import Problem
from api.throttles import charge_address
from scoreboard.accounts import MAX_PASSWORD
from scoreboard.names import MAX_LENGTH


class AdminSignInForm(AdminAuthenticationForm):
    # Django's own field would change the name into another normal form than the one it was registered in.
    username = forms.CharField(
        max_length=MAX_LENGTH, widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username"})
    )
    password = forms.CharField(
        max_length=MAX_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """Charges the address before any password is hashed."""
        if self.request is not None:
            try:
                charge_address(self.request, ["sign-in"])
            except Problem as refusal:
                self.request.refusal = refusal  # type: ignore[attr-defined]  # for `login`, below
                raise forms.ValidationError(refusal.sentence) from refusal
        return super().clean()


django_login = admin.site.login


def login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's page; 429 with its headers, and not 200, when the attempt was not even looked at."""
    response = django_login(request, extra_context)
    refusal: Problem | None = getattr(request, "refusal", None)
    if refusal:
        response.status_code = refusal.status_code
        for name, value in refusal.headers.items():
            response[name] = value
    return response


admin.site.login = login  # type: ignore[method-assign]
admin.site.login_form = AdminSignInForm
admin.site.site_header = admin.site.site_title = "Scoreboard administration"
admin.site.index_title = "Players, scores and catalogue"
