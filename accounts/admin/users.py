"""People in admin: who they are, whether they are shown, what they may do. No user is deleted here."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import (
    AdminUserCreationForm,
    ReadOnlyPasswordHashField,
    ReadOnlyPasswordHashWidget,
    UserChangeForm,
)
from django.contrib.auth.hashers import is_password_usable
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts import visibility
from accounts.admin.records import ShownAdmin
from accounts.models import LOCAL, User
from accounts.names import validate_unreserved
from api.problems import Problem, note

if TYPE_CHECKING:
    BaseUserAdmin = DjangoUserAdmin[User]
    ChangeForm = UserChangeForm[User]
    CreationForm = AdminUserCreationForm[User]
else:
    BaseUserAdmin, ChangeForm, CreationForm = DjangoUserAdmin, UserChangeForm, AdminUserCreationForm

# Django's own username field would change the name into another normal form than ours.
FIELD_CLASSES = {"username": forms.CharField}
MAX_USERS = 1000  # hidden or shown at once
FOR_SUPERUSERS = {"password", "is_superuser", "groups", "user_permissions"}
SINGLE_RIGHTS: list[Any] = ["groups", "user_permissions"]
AUTHORITY: list[Any] = ["role", "is_superuser", *SINGLE_RIGHTS]
SAID = {"role", "is_superuser", "is_active", "is_hidden"}  # the admin log has what they were and are
SIGN_IN: list[Any] = ["username", "email", *AUTHORITY]


class PasswordState(ReadOnlyPasswordHashWidget):
    """Whether there is a password: Django's own also shows the beginning of its hash."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        usable = bool(value) and is_password_usable(value)
        return context | {"summary": [{"label": "A password is set" if usable else "There is no password"}]}


class UnreservedName:
    """Refuses a new name that players would take for the site's own; `manage.py createsuperuser` may take it."""

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]  # type: ignore[attr-defined]
        if "username" in self.changed_data:  # type: ignore[attr-defined]
            validate_unreserved(name)
        return name


class UserForm(UnreservedName, ChangeForm):
    password = ReadOnlyPasswordHashField(widget=PasswordState)

    class Meta:
        model = User
        fields = "__all__"
        field_classes = FIELD_CLASSES


class NewUserForm(UnreservedName, CreationForm):
    class Meta:
        model = User
        fields = ("username", "email")
        field_classes = FIELD_CLASSES


class UserAdmin(ShownAdmin, BaseUserAdmin):
    """Identity and rights. The write side adds scores, the read side ranks, and registers it."""

    form = UserForm
    add_form = NewUserForm
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["username", "email", "usable_password", "password1", "password2"]})
    ]
    fieldsets = [
        (None, {"fields": ["provider", "external_id", "username", "display_name", "email", "avatar_url", "region"]}),
        ("Board", {"fields": ["is_hidden", "opted_out"]}),
        ("Account", {"fields": ["is_active", "password", "last_login", "date_joined"]}),
        ("Authority", {"fields": ["role", "is_superuser"]}),
        ("Rights beside the role's", {"classes": ["collapse"], "fields": SINGLE_RIGHTS}),
    ]
    readonly_fields = ["provider", "external_id", "last_login", "date_joined"]
    list_display = ["name", "external_id", "email", "role", "is_active", "shown", "date_joined"]
    list_filter = ["role", "is_active", "is_hidden", "opted_out", "is_superuser"]
    list_per_page = 50
    search_fields = ["username", "display_name", "email", "id__exact", "external_id__exact"]
    search_help_text = "Part of a name or an address, or a whole id, ours or a site's own."
    show_full_result_count = False
    actions = ["hide", "unhide"]

    # --- who may do what

    def manageable(self, request: HttpRequest, users: QuerySet[User]) -> QuerySet[User]:
        """Admins act upon players and moderators; only superusers upon admins, and so upon themselves."""
        return users if is_superuser(request) else users.filter(is_staff=False)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        out_of_reach = obj is not None and obj.is_staff and not is_superuser(request)
        return super().has_change_permission(request, obj) and not out_of_reach

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """No user can be deleted: the history names people for ever. Disable or hide them instead."""
        return False

    def has_hide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("accounts.hide_user"))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        fields = [*super().get_readonly_fields(request, obj)]
        if not self.has_hide_permission(request):
            fields += ["is_hidden", "opted_out"]
        if obj is not None and obj.provider != LOCAL:
            fields += SIGN_IN  # no one signs in as a player of another site
        # An admin who may change users must not be able to raise anyone's rights, their own least of all, nor act under
        # another name: who reads the mail of an account sets its password.
        return fields if is_superuser(request) else [*fields, "email", *AUTHORITY]

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Without the password and single permissions for those who may not set them."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or is_superuser(request):
            return fieldsets
        within = [
            (title, {**options, "fields": [name for name in options["fields"] if name not in FOR_SUPERUSERS]})
            for title, options in fieldsets
        ]
        return [(title, options) for title, options in within if options["fields"]]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Superusers only: who sets a password can act under that name. Not for players of another site."""
        user = self.get_object(request, unquote(id))
        if not is_superuser(request) or (user is not None and user.provider != LOCAL):
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    # --- the list

    @admin.display(ordering="username")
    def name(self, user: User) -> str:
        return user.shown_name

    @admin.display(boolean=True, description="On boards", ordering="is_hidden")
    def shown(self, user: User) -> bool:
        return user.visible

    @admin.action(description="Hide selected players from the boards", permissions=["hide"])
    def hide(self, request: HttpRequest, selected: QuerySet[User]) -> None:
        self.set_hidden(request, selected, hidden=True)

    @admin.action(description="Show selected players on the boards again", permissions=["hide"])
    def unhide(self, request: HttpRequest, selected: QuerySet[User]) -> None:
        self.set_hidden(request, selected, hidden=False)

    def set_hidden(self, request: HttpRequest, selected: QuerySet[User], *, hidden: bool) -> None:
        ids = list(self.manageable(request, selected).values_list("pk", flat=True)[: MAX_USERS + 1])
        if len(ids) > MAX_USERS:
            messages.error(request, f"At most {MAX_USERS} players at once.")
            return
        with transaction.atomic():
            changed = visibility.set_hidden(ids, hidden=hidden)
            self.log_changes(request, changed, "Hidden from the boards." if hidden else "Shown on the boards again.")
        messages.success(request, f"{len(changed)} players are {'hidden' if hidden else 'shown'} now.")
        if left_out := selected.count() - len(ids):
            note(Problem("forbidden", "Only superusers act upon admins.", reason="permission"))
            messages.warning(request, f"{left_out} of the selected are admins: only superusers act upon them.")

    def log_changes(self, request: HttpRequest, ids: list[Any], message: str) -> None:
        for user in User.objects.filter(pk__in=ids):
            self.log_change(request, user, message)

    # --- one user

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError:
            # Between the form's look and the write, another request took the name or the address.
            messages.error(request, "The name or the address has just been taken. Nothing was changed.")
            return HttpResponseRedirect(request.get_full_path())

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        changed = set(form.changed_data)
        if add or not changed & SAID:
            return super().construct_change_message(request, form, formsets, add)
        told = [
            f"{form.fields[name].label}: {form.initial[name]} → {form.cleaned_data[name]}."
            for name in form.fields
            if name in changed & SAID
        ]
        rest = [str(form.fields[name].label) for name in form.fields if name in changed - SAID]
        return " ".join([*told, *([f"Changed {', '.join(rest)}."] if rest else [])])

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        columns = {field.name for field in User._meta.concrete_fields}.intersection(form.changed_data)
        if "email" in columns:
            obj.email_confirmed_at = None
            columns.add("email_confirmed_at")
        visibility.save_profile(obj, columns)


def is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))
