"""API keys of trusted back ends: issued and rotated here, shown once, revoked for good. Superusers only."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts import api_keys
from accounts.admin.records import ShownAdmin, actor
from accounts.admin.shown_once import shown_once
from accounts.models import SITE, ApiKey

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[ApiKey]
else:
    ModelForm = forms.ModelForm


class ApiKeyForm(ModelForm):
    scopes = forms.MultipleChoiceField(choices=ApiKey.Scope.choices, widget=forms.CheckboxSelectMultiple)
    provider = forms.CharField(
        max_length=32, required=False, initial=SITE, help_text=f"Whose user ids it speaks of; empty: {SITE}."
    )

    def clean_provider(self) -> str:
        return self.cleaned_data["provider"] or SITE

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "action_types", "provider", "limit")


@admin.register(ApiKey)
class ApiKeyAdmin(ShownAdmin):
    form = ApiKeyForm
    list_display = [
        "name",
        "prefix",
        "scopes",
        "action_types",
        "provider",
        "limit",
        "state",
        "created_by",
        "created_at",
        "last_used_at",
    ]
    list_select_related = ["created_by"]
    list_display_links = None
    actions = ["rotate", "revoke"]

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """A key is what it was issued as; for other rights issue another."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Revoked keys stay: the audit trail names them."""
        return False

    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
        if not key.usable:
            return "expired"
        return f"until {key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "active"

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        made, text = api_keys.issue(
            obj.name,
            list(obj.scopes),
            created_by=actor(request),
            limit=obj.limit,
            action_types=obj.action_types,
            provider=obj.provider,
        )
        obj.pk, obj.prefix = made.pk, made.prefix
        request.issued = text  # type: ignore[attr-defined]  # for response_add, and nowhere else

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return self.issued(request, obj, request.issued)  # type: ignore[attr-defined]

    @admin.action(description="Rotate: issue a successor; the old key works for another day", permissions=["add"])
    def rotate(self, request: HttpRequest, selected: QuerySet[ApiKey]) -> HttpResponse | None:
        try:
            [key] = selected[:2]
            successor, text = api_keys.rotate(key, created_by=actor(request))
        except ValueError:
            messages.error(request, "Select one key that still works.")
            return None
        self.log_change(request, key, f"Rotated: succeeded by {successor}.")
        self.log_addition(request, successor, f"Issued in place of {key}.")
        return self.issued(request, successor, text)

    @admin.action(description="Revoke selected keys, at once and for good", permissions=["add"])
    def revoke(self, request: HttpRequest, selected: QuerySet[ApiKey]) -> None:
        keys = list(selected.filter(revoked_at=None))
        for key in keys:
            api_keys.revoke(key)
            self.log_change(request, key, "Revoked.")
        messages.success(request, f"{len(keys)} keys are revoked.")

    def issued(self, request: HttpRequest, key: ApiKey, text: str) -> HttpResponse:
        return shown_once(self, request, "The key", key.name, text)
