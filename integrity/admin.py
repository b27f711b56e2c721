"""The review queue: what was flagged, on what evidence, and what can be done about it."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from accounts.admin.records import ReadOnlyAdmin, user_link
from accounts.models import User
from api import problems
from api.problems import Problem
from integrity import decisions
from integrity.findings import Detector
from integrity.models import Flag
from integrity.review import review
from scoreboard.approvals import NotPossible

MAX_FLAGS = 200  # decided at once: a person should be able to look through them
MAX_NOTE = 500
# Measure → what it is called, and what is needed for it beside integrity.decide_flag.
MEASURES = {
    "hide": ("Hide the player", "accounts.hide_user"),
    "revert": ("Revert the flagged points", "scoreboard.adjust_score"),
    "ban": ("Ban the player", "integrity.ban_player"),
    "dismiss": ("Dismiss the flag", "integrity.decide_flag"),
}


class StateFilter(admin.SimpleListFilter):
    """Open flags unless another state is asked for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((str(value), str(label)) for value, label in Flag.State.choices), ("all", "All")]

    def choices(self, changelist: ChangeList) -> Any:
        for value, label in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": (self.value() or "open") == value, "query_string": query, "display": label}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Flag]) -> QuerySet[Flag]:
        state = self.value() or "open"
        return queryset if state == "all" else queryset.filter(state=state)


@admin.register(Flag)
class FlagAdmin(ReadOnlyAdmin):
    list_display = ["evidence_in_words", "player", "detector", "severity", "state", "updated_at", "measures"]
    list_display_links = ["evidence_in_words"]  # type: ignore[assignment]  # the base class has none
    list_filter = [StateFilter, "detector", "severity", "updated_at"]
    list_select_related = ["user"]
    ordering = ["-severity", "-updated_at"]
    search_fields = ["user__username__iexact", "user__external_id__exact", "note"]
    search_help_text = "A player's whole sign-in name, a site's own id of the player, or part of a note."
    fields = [
        "player",
        "detector",
        "severity",
        "state",
        "opened_at",
        "updated_at",
        "measures",
        "decided_by",
        "decided_at",
        "note",
    ]
    readonly_fields = ["player"]
    actions = ["hide", "revert", "ban", "dismiss"]
    change_form_template = "admin/integrity/flag/review.html"

    @admin.display(description="evidence")
    def evidence_in_words(self, flag: Flag) -> str:
        return flag.sentence

    def player(self, flag: Flag) -> str:
        return user_link(flag.user)

    # --- who may do what

    def may(self, request: HttpRequest, measure: str) -> bool:
        return request.user.has_perms(["integrity.decide_flag", MEASURES[measure][1]])

    def has_hide_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "hide")

    def has_revert_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "revert")

    def has_ban_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "ban")

    def has_dismiss_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "dismiss")

    # --- one flag, and many

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        flag = self.get_object(request, object_id)
        if flag is None:
            return super().change_view(request, object_id, form_url, extra_context)
        possible = [measure for measure in MEASURES if self.may(request, measure) and fits(flag, measure)]
        context = {
            "title": flag.sentence,
            "review": review(flag),
            "measures": [(measure, MEASURES[measure][0]) for measure in possible],
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    @admin.action(description="Hide the players", permissions=["hide"])
    def hide(self, request: HttpRequest, selected: QuerySet[Flag]) -> HttpResponse | None:
        return self.ask(request, "hide", selected)

    @admin.action(description="Revert the flagged points", permissions=["revert"])
    def revert(self, request: HttpRequest, selected: QuerySet[Flag]) -> HttpResponse | None:
        return self.ask(request, "revert", selected)

    @admin.action(description="Ban the players", permissions=["ban"])
    def ban(self, request: HttpRequest, selected: QuerySet[Flag]) -> HttpResponse | None:
        return self.ask(request, "ban", selected)

    @admin.action(description="Dismiss the flags", permissions=["dismiss"])
    def dismiss(self, request: HttpRequest, selected: QuerySet[Flag]) -> HttpResponse | None:
        return self.ask(request, "dismiss", selected)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.decide_view)
        return [path("decide/", view, name="integrity_flag_decide"), *super().get_urls()]

    def decide_view(self, request: HttpRequest) -> HttpResponse:
        """POST: measure and flags; asks for confirmation first, then, with `confirmed`, does it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        measure = request.POST.get("measure", "")
        if measure not in MEASURES or not self.may(request, measure):
            raise PermissionDenied
        ids = [text for text in request.POST.getlist("flag") if text.isdecimal() and len(text) < 19]
        selected = Flag.objects.filter(pk__in=ids)
        if "confirmed" in request.POST:
            self.carry_out(request, measure, selected, request.POST.get("note", "").strip()[:MAX_NOTE])
        elif (page := self.ask(request, measure, selected)) is not None:
            return page
        if len(ids) == 1 and selected.exists():
            return HttpResponseRedirect(reverse("admin:integrity_flag_change", args=ids))
        return HttpResponseRedirect(reverse("admin:integrity_flag_changelist"))

    def ask(self, request: HttpRequest, measure: str, selected: QuerySet[Flag]) -> HttpResponse | None:
        """The page that says what will happen and asks for a note; None, with a message, when nothing can."""
        flags = [flag for flag in self.in_reach(request, selected) if fits(flag, measure)]
        if not 0 < len(flags) <= MAX_FLAGS:
            messages.error(request, f"1 to {MAX_FLAGS} flags that allow this are needed; {len(flags)} are selected.")
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": MEASURES[measure][0],
            "measure": measure,
            "rows": [(flag, decisions.revertible(flag) if measure == "revert" else 0) for flag in flags],
            "max_note": MAX_NOTE,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/integrity/flag/confirm.html", context)

    def carry_out(self, request: HttpRequest, measure: str, selected: QuerySet[Flag], note: str) -> None:
        for flag in self.in_reach(request, selected)[:MAX_FLAGS]:
            try:
                done = decisions.decide(flag.pk, measure, cast(User, request.user), note, shown=shown(request, flag))
                messages.success(request, f"{done} ({flag.user})")
            except NotPossible as error:
                said = f"Flag {flag.pk} does not allow this admin to {measure}."
                problems.note(Problem("forbidden", said, reason="decision", subject=flag.user_id))
                messages.warning(request, str(error))

    def in_reach(self, request: HttpRequest, selected: QuerySet[Flag]) -> list[Flag]:
        """Those this admin may act upon, in the order of players: only superusers act upon admins."""
        flags = selected.select_related("user").order_by("user_id", "pk")[: MAX_FLAGS + 1]
        superuser = cast(User, request.user).is_superuser
        reachable = [flag for flag in flags if superuser or not flag.user.is_staff]
        if len(reachable) < len(flags):
            problems.note(Problem("forbidden", "Only superusers act upon admins.", reason="permission"))
            messages.warning(request, "Flags of admins are left out: only superusers act upon them.")
        return reachable


def shown(request: HttpRequest, flag: Flag) -> int:
    """The points that the page, which was confirmed, said of this flag; none if it said nothing."""
    text = request.POST.get(f"points-{flag.pk}", "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def fits(flag: Flag, measure: str) -> bool:
    """Whether the flag allows the measure."""
    if measure == "revert" and flag.detector in (Detector.ADDRESS, Detector.BONUS_GIVER):
        return False  # about accounts: it rests on no entries of the flag's own user
    return flag.state == Flag.State.OPEN or (flag.state == Flag.State.CONFIRMED and measure != "dismiss")
