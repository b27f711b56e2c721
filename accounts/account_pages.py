"""The pages of one's own account: password, forgotten password, sign-ins, data. The JSON calls are in account_views."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy
from rest_framework.exceptions import ValidationError

from accounts import mail, passwords, privacy
from accounts.models import User
from accounts.pages import LimitedForm, PasswordField, RefusingForm
from accounts.serializers import MAX_MAILED


class NoForm(forms.Form):
    """A button."""


class NewPasswordForm(RefusingForm):
    new = PasswordField(
        label="New password", autocomplete="new-password", help_text="At least 8 characters, not a common one."
    )

    def clean(self) -> dict[str, Any]:
        """A form that lacks another field is not handed on: then the new password is judged here."""
        if self.errors and (new := self.cleaned_data.get("new")):
            try:
                passwords.allowed(User(), new)
            except ValidationError as error:
                self.refuse(error.detail)
        return self.cleaned_data


class PasswordForm(NewPasswordForm):
    old = PasswordField(label="Present password")
    field_order = ("old", "new")


class ResetForm(RefusingForm):
    email = forms.EmailField(max_length=254, label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "email"}))


class TokenForm(RefusingForm):
    token = forms.CharField(max_length=MAX_MAILED, widget=forms.HiddenInput)


class ResetConfirmForm(TokenForm, NewPasswordForm):
    """The token of a mail, and the new password."""


class EraseForm(RefusingForm):
    password = PasswordField(help_text="This cannot be undone.")


class AccountForm(LimitedForm):
    """A form that does one thing, and then says on another page what was done."""

    template_name = "accounts/form.html"
    success_url = reverse_lazy("account")
    title, button, done = "", "", ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"title": self.title, "button": self.button}

    def form_valid(self, form: forms.Form) -> HttpResponse:
        try:
            self.act(form.cleaned_data)
        except ValidationError as error:
            cast(RefusingForm, form).refuse(error.detail)
            return self.form_invalid(form)
        messages.success(self.request, self.done)
        return HttpResponseRedirect(self.get_success_url())

    def act(self, asked: dict[str, Any]) -> None:
        """Raises ValidationError, which is shown at its fields."""
        raise NotImplementedError


class OwnForm(LoginRequiredMixin, AccountForm):
    """For who is signed in; others are led to sign in and back."""

    @property
    def user(self) -> User:
        return cast(User, self.request.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"account": self.user}


class AccountPage(OwnForm):
    """What there is to do; its own button signs out everywhere."""

    template_name = "accounts/account.html"
    form_class = NoForm
    success_url = reverse_lazy("sign-in")
    done = "You are signed out everywhere."

    def act(self, asked: dict[str, Any]) -> None:
        passwords.sign_out_everywhere(self.user)
        logout(self.request)


class PasswordPage(OwnForm):
    form_class = PasswordForm
    title, button = "Change the password", "Change the password"
    done = "The password is changed. You are signed out everywhere else."

    def act(self, asked: dict[str, Any]) -> None:
        passwords.change(self.user, **asked, request=self.request)


class ErasePage(OwnForm):
    form_class = EraseForm
    success_url = reverse_lazy("sign-in")
    title, button, done = "Delete the account", "Delete my account for good", "Your account is deleted."

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if getattr(request.user, "is_staff", False):
            raise PermissionDenied  # as the call refuses them
        return super().dispatch(request, *args, **kwargs)

    def act(self, asked: dict[str, Any]) -> None:
        privacy.erase_oneself(self.user, asked["password"], self.request)
        logout(self.request)


class ExportPage(OwnForm):
    form_class = NoForm
    title, button = "Download my data", "Download"

    def form_valid(self, form: forms.Form) -> HttpResponse:
        headers = {"Content-Disposition": 'attachment; filename="my-scoreboard-data.json"'}
        return JsonResponse(
            privacy.own_export(self.user), headers=headers, json_dumps_params={"ensure_ascii": False, "indent": 2}
        )


class ResetPage(AccountForm):
    policy = "password-reset"
    form_class = ResetForm
    success_url = reverse_lazy("sign-in")
    title, button = "Forgotten password", "Send me a mail"
    done = "If this is the address of an account, a mail is on its way. What it says is good for an hour."

    def act(self, asked: dict[str, Any]) -> None:
        mail.ask_for_reset(asked["email"], self.request)


class TokenPage(AccountForm):
    """Where a mail leads. Opening it does nothing: programs that look at links before people do would use them up."""

    def get_initial(self) -> dict[str, Any]:
        return {"token": self.request.GET.get("token", "")[:MAX_MAILED]}


class ResetConfirmPage(TokenPage):
    form_class = ResetConfirmForm
    success_url = reverse_lazy("sign-in")
    title, button, done = "Set a new password", "Set the password", "The new password is set. Sign in with it."

    def act(self, asked: dict[str, Any]) -> None:
        passwords.reset(**asked)


class ConfirmEmailPage(TokenPage):
    form_class = TokenForm
    title, button, done = "Confirm your address", "It is mine", "Thank you, your address is confirmed."

    def act(self, asked: dict[str, Any]) -> None:
        passwords.confirm_email(asked["token"])
