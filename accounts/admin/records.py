"""The base of every table in admin, and of those that are only looked at."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Model
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from accounts.models import User

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


# Columns that link to a person's page, and what those see there who may not open it.
NAMES = {"player": "user", "by": "actor"}
LOOKUPS = {"id", "exact", "gte", "lt", "isnull"}  # what the filters of a list ask


class ShownAdmin(ModelAdmin):
    """A list that is filtered by what it shows, and by what it is `linked` by. Django alone takes any column of the
    table from the address: what is then listed would tell, letter by letter, values that no page shows."""

    linked: Sequence[str] = ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        filters = [getattr(one, "parameter_name", one) for one in self.list_filter]
        shown = {self.opts.pk.name, *self.list_display, *filters, *self.linked}
        column, *how = lookup.split(LOOKUP_SEP)
        return column in shown and LOOKUPS.issuperset(how) and super().lookup_allowed(lookup, value, request)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Django takes a text that is no key for a defect of ours."""
        try:
            for text in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.clean(text, None)
        except ValidationError as error:
            raise BadRequest("What is selected cannot be read.") from error
        return super().response_action(request, *args, **kwargs)


class ReadOnlyAdmin(ShownAdmin):
    """Nothing can be added, changed or deleted, not by a superuser and not by a crafted request."""

    actions: Sequence[Any] | None = None
    list_display_links = None
    show_full_result_count = False

    class Media:
        css = {"all": ["accounts/records.css"]}

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        columns = list(super().get_list_display(request))
        if request.user.has_perm("accounts.view_user"):
            return columns
        return [NAMES.get(str(column), column) for column in columns]

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def user_link(user: User) -> str:
    return format_html('<a href="{}">{}</a>', reverse("admin:accounts_user_change", args=[user.pk]), user.shown_name)


def actor(request: HttpRequest) -> User:
    """Who acts; the admin site has made sure that it is a user."""
    return cast(User, request.user)
