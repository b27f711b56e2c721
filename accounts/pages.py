"""Sign-up, sign-in and sign-out as pages, with Django sessions. The JSON calls are in account_views."""

import unicodedata
from typing import Any

import structlog
from django import forms
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView, RedirectURLMixin
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView
from rest_framework.exceptions import ValidationError

from accounts import addresses, sign_in
from accounts.models import User
from accounts.names import MAX_LENGTH
from api.problems import Problem, by_field
from api.throttles import charge_address

log = structlog.get_logger(__name__)


def signed_in(request: HttpRequest) -> User | None:
    """Who is looking; None for a visitor, and while PostgreSQL cannot say: the board does not go away with it."""
    try:
        return request.user if isinstance(request.user, User) and request.user.is_authenticated else None
    except (OperationalError, InterfaceError) as error:
        log.warning("session_unavailable", error=str(error).strip())
        return None


class SignInForm(AuthenticationForm):
    """Django's, with the bounds of the JSON sign-in."""

    # Django's own field would look for another normal form of the name than the one that was signed up.
    username = forms.CharField(
        widget=forms.TextInput(attrs={"autofocus": True, "autocapitalize": "none", "autocomplete": "username"})
    )

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        password = self.fields["password"]
        password.max_length = sign_in.MAX_PASSWORD  # type: ignore[attr-defined]
        password.widget.attrs["maxlength"] = sign_in.MAX_PASSWORD
        self.error_messages = {
            **self.error_messages,
            "invalid_login": "This name and password do not belong together. Mind capitals in the password.",
        }

    def clean_username(self) -> str:
        return unicodedata.normalize("NFC", self.cleaned_data["username"])


class SignUpForm(forms.Form):
    """The fields of `POST /auth/register`, judged by the same serializer."""

    username = forms.CharField(
        max_length=MAX_LENGTH,
        help_text="Everyone sees it on the board. Any script, emoji too.",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}),
    )
    email = forms.EmailField(
        max_length=254,
        label="E-mail",
        help_text="Nobody sees it.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        max_length=sign_in.MAX_PASSWORD,
        strip=False,
        help_text="At least 8 characters, not a common one.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_username(self) -> str:
        """Keyboards and clipboards produce either normal form; a person means the same name."""
        return unicodedata.normalize("NFC", self.cleaned_data["username"])

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            judged = sign_in.RegisterSerializer(data=self.cleaned_data)
            if not judged.is_valid():
                self.refuse(judged.errors)
        return self.cleaned_data

    def register(self, address: str | None) -> User | None:
        """The new player; None, with the errors shown at their fields, when the name or the e-mail address is taken."""
        try:
            return sign_in.register(**self.cleaned_data, address=address)
        except ValidationError as error:
            self.refuse(error.detail)
            return None

    def refuse(self, detail: Any) -> None:
        for name, sentences in by_field(detail).items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)


class LimitedForm(FormView):  # type: ignore[type-arg]  # not subscriptable at run time
    """A form whose submissions are charged to the client's address, like the JSON call's, under `policy`."""

    policy: str

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            charge_address(request, [self.policy])
            return super().post(request, *args, **kwargs)
        except Problem as refusal:
            if refusal.kind != "rate-limited":
                raise
            return self.refused(refusal)  # by the address's allowance or, from the backend, by the account's

    def refused(self, refusal: Problem) -> HttpResponse:
        """The form again, not judged: judging it would hash the password, which is what the limit is to spare."""
        kept = {name: self.request.POST.get(name, "") for name in ("username", "email")}
        kwargs = self.get_form_kwargs() | {"initial": kept, "data": None, "files": None}
        again = f"Too many attempts. Try again in {refusal.headers['Retry-After']} s."
        context = self.get_context_data(form=self.get_form_class()(**kwargs), refusal=again)
        return self.render_to_response(context, status=refusal.status_code, headers=refusal.headers)


class SignInPage(LimitedForm, LoginView):
    policy = "sign-in"
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


@method_decorator(
    [sensitive_post_parameters("password"), csrf_protect, never_cache],
    name="dispatch",
)
class SignUpPage(RedirectURLMixin, LimitedForm):
    policy = "sign-up"
    template_name = "accounts/sign_up.html"
    form_class = SignUpForm
    next_page = "play"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"next": self.get_redirect_url()}

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        user = form.register(addresses.address_digest(self.request))
        if user is None:
            return self.form_invalid(form)
        login(self.request, user, backend="accounts.backends.PasswordBackend")
        return HttpResponseRedirect(self.get_success_url())


class SignOutPage(LogoutView):
    http_method_names = ["post", "options"]
