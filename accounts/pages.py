"""Sign-up, sign-in and sign-out as pages, with Django sessions. The JSON calls are in views.py."""

import unicodedata
from typing import Any

import structlog
from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView, RedirectURLMixin
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView
from rest_framework.exceptions import ValidationError

from accounts import local_accounts, sign_up
from accounts.models import User
from accounts.names import MAX_LENGTH
from accounts.serializers import MAX_PASSWORD, RegisterSerializer
from api.problems import Problem, by_field, note
from api.throttles import charge_address

log = structlog.get_logger(__name__)


def navigation(request: HttpRequest) -> dict[str, Any]:
    """What every page needs to know of the accounts' part of the site."""
    return {
        "sign_up_open": sign_up.is_open(),
        "local_accounts": local_accounts.on(),
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        "site_path": settings.SITE_PATH,
    }


def signed_in(request: HttpRequest) -> User | None:
    """Who is looking; None for a visitor, and while PostgreSQL cannot say: the board does not go away with it."""
    try:
        return request.user if isinstance(request.user, User) and request.user.is_authenticated else None
    except (OperationalError, InterfaceError) as error:
        log.warning("session_unavailable", error=str(error).strip())
        return None


class PasswordField(forms.CharField):
    """A password, exactly as typed; never written back into a page."""

    def __init__(self, *, autocomplete: str = "current-password", **kwargs: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
        super().__init__(max_length=MAX_PASSWORD, strip=False, widget=widget, **kwargs)


class RefusingForm(forms.Form):
    """A form whose errors come from the code of the JSON call."""

    def refuse(self, detail: Any) -> None:
        for name, sentences in by_field(detail).items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)


class SignInForm(AuthenticationForm):
    """Django's, with the bounds of the JSON sign-in."""

    # Django's own field would look for another normal form of the name than the one that was signed up.
    username = forms.CharField(
        max_length=4 * MAX_LENGTH,  # in whichever normal form it is typed
        widget=forms.TextInput(attrs={"autofocus": True, "autocapitalize": "none", "autocomplete": "username"}),
    )
    password = PasswordField()

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.error_messages = {
            **self.error_messages,
            "invalid_login": "This name and password do not belong together. Mind capitals in the password.",
        }

    def clean_username(self) -> str:
        return unicodedata.normalize("NFC", self.cleaned_data["username"])


class SignUpForm(RefusingForm):
    """The fields of `POST /auth/register`, judged by the same serializer."""

    username = forms.CharField(
        max_length=MAX_LENGTH,
        help_text="Everyone sees it on the board. Any script, emoji too.",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}),
    )
    email = forms.EmailField(
        max_length=254,
        label="E-mail",
        help_text="For a forgotten password. Other players do not see it; this site's admins do.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = PasswordField(autocomplete="new-password", help_text="At least 8 characters, not a common one.")

    def clean_username(self) -> str:
        """Keyboards and clipboards produce either normal form; a person means the same name."""
        return unicodedata.normalize("NFC", self.cleaned_data["username"])

    def clean(self) -> dict[str, Any]:
        """Every field is judged, so that all that is wrong is told at once; what the form itself refused, once."""
        judged = RegisterSerializer(data={name: self.cleaned_data.get(name, "") for name in self.fields})
        if not judged.is_valid():
            self.refuse({name: said for name, said in judged.errors.items() if name not in self.errors})
        return self.cleaned_data

    def register(self, request: HttpRequest) -> User | None:
        """The new player; None, with the errors shown at their fields, when the name or the e-mail address is taken."""
        try:
            return sign_up.register(**self.cleaned_data, request=request)
        except ValidationError as error:
            self.refuse(error.detail)
            return None


class LimitedForm(FormView):  # type: ignore[type-arg]  # not subscriptable at run time
    """A form whose submissions are charged to the client's address, like the JSON call's, under `policy`."""

    policy = "sign-in"

    @method_decorator([sensitive_post_parameters(), csrf_protect, never_cache])
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            charge_address(request, [self.policy])
            return super().post(request, *args, **kwargs)
        except Problem as refusal:
            if refusal.kind not in ("rate-limited", "unavailable"):
                raise
            return self.refused(refusal)  # by the address's allowance, the account's, or for want of a free slot

    def refused(self, refusal: Problem) -> HttpResponse:
        """The form again, not judged: judging it would hash the password, which is what the limit is to spare."""
        note(refusal)
        kept = {name: self.request.POST.get(name, "") for name in ("username", "email", "token")}
        kwargs = self.get_form_kwargs() | {"initial": kept, "data": None, "files": None}
        why = "Too many attempts." if refusal.kind == "rate-limited" else "The site is busy."
        again = f"{why} Try again in {refusal.headers['Retry-After']} s."
        context = self.get_context_data(form=self.get_form_class()(**kwargs), refusal=again)
        return self.render_to_response(context, status=refusal.status_code, headers=refusal.headers)


class SignInPage(LimitedForm, LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignUpPage(RedirectURLMixin, LimitedForm):
    policy = "sign-up"
    template_name = "accounts/sign_up.html"
    form_class = SignUpForm
    next_page = "board"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not sign_up.is_open():
            raise Http404
        if request.user.is_authenticated:
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"next": self.get_redirect_url()}

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        user = form.register(self.request)
        if user is None:
            return self.form_invalid(form)
        login(self.request, user, backend="accounts.backends.PasswordBackend")
        return HttpResponseRedirect(self.get_success_url())


class SignOutPage(LogoutView):
    http_method_names = ["post", "options"]
