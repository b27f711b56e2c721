"""Adjusting scores in admin: ask, show what would happen, confirm. The confirmed plan travels signed, so that what is
recorded is what was shown."""

import uuid
from dataclasses import asdict
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from accounts.admin.records import actor
from accounts.admin.users import UserAdmin
from accounts.models import User
from api.problems import Problem, note
from scoreboard import adjustments
from scoreboard.adjustments import MAX_PLAYERS, Change, Line, Plan
from scoreboard.admin.adjust_form import AdjustForm, UserIds
from scoreboard.ledger import Outcome

SALT = "scoreboard.adjustment"
PLAN_SECONDS = 3600  # how long a preview can be confirmed
NOT_CHANGED = {
    "score-out-of-range": "the total would leave its range",
    "staff": "the total of a staff account never rises",
}


class AdjustScores(UserAdmin):
    """The part of the user admin that adjusts scores."""

    def has_adjust_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("scoreboard.adjust_score"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.adjust_view)
        return [path("adjust/", view, name="accounts_user_adjust"), *super().get_urls()]

    @admin.action(description="Adjust the scores of selected players", permissions=["adjust"])
    def adjust_scores(self, request: HttpRequest, selected: QuerySet[User]) -> HttpResponse | None:
        # One more than allowed is enough to say that it is too many.
        ids = [str(pk) for pk in selected.values_list("pk", flat=True)[: MAX_PLAYERS + 1]]
        if len(ids) > MAX_PLAYERS:
            messages.error(request, f"At most {MAX_PLAYERS} players can be adjusted at once.")
            return None
        return self.ask(request, AdjustForm(initial={"ids": ",".join(ids)}), ids)

    def adjust_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_adjust_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            ids = request.GET.get("ids", "")
            return self.ask(request, AdjustForm(initial={"ids": ids}), ids.split(","))
        if "plan" in request.POST:
            return self.confirm(request, request.POST["plan"])
        form = AdjustForm(request.POST)
        if not form.is_valid():
            return self.ask(request, form, request.POST.get("ids", "").split(","))
        return self.show(request, form.cleaned_data["ids"], form.change)

    def ask(self, request: HttpRequest, form: AdjustForm, ids: list[str]) -> HttpResponse:
        try:
            players = list(self.players(request, UserIds().clean(",".join(ids))).values())
        except ValidationError:
            players = []
        if not players:
            note(Problem("forbidden", "None of these players can be adjusted by this admin.", reason="permission"))
            messages.error(request, "None of these players can be adjusted by you.")
            return HttpResponseRedirect(reverse("admin:accounts_user_changelist"))
        return self.page(request, "ask", {"title": "Adjust scores", "form": form, "players": players})

    def show(self, request: HttpRequest, ids: list[uuid.UUID], change: Change) -> HttpResponse:
        """The preview, and with it the plan that a confirmation sends back."""
        players = self.players(request, ids)
        plan = adjustments.plan(players.values(), change)
        if not plan.lines:
            return self.ask(request, AdjustForm(), [])
        rows = [{"player": players[line.user_id], "line": line} for line in plan.lines]
        context = {
            "title": "Confirm the adjustment",
            "rows": rows,
            "change": change,
            "count": len(plan.entries),
            "skipped": len(plan.lines) - len(plan.entries),
            "left_out": len(set(ids)) - len(plan.lines),
            "plan": seal(plan, actor(request).pk),
            "form": AdjustForm(
                initial={"ids": ",".join(map(str, ids)), **asdict(change), "boards": list(change.boards or ())}
            ),
        }
        return self.page(request, "confirm", context)

    def confirm(self, request: HttpRequest, sealed: str) -> HttpResponse:
        plan = unseal(sealed, actor(request).pk)
        if plan is None:
            note(Problem("forbidden", "The preview has expired or is not this admin's.", reason="plan"))
            messages.error(request, "This preview has expired or is not yours. Nothing was changed; start again.")
            return HttpResponseRedirect(reverse("admin:accounts_user_changelist"))
        ids = [line.user_id for line in plan.lines]
        players = self.players(request, ids)
        if set(players) != set(ids):
            raise PermissionDenied
        try:
            with transaction.atomic():
                outcomes = adjustments.carry_out(plan, actor(request).pk)
                log(request, players, outcomes, plan.change.reason)
        except adjustments.Moved:
            messages.warning(request, "A total has changed since the preview. Nothing was changed; look again.")
            return self.show(request, ids, plan.change)
        tell(request, players, outcomes)
        if len(ids) == 1:
            return HttpResponseRedirect(reverse("admin:accounts_user_change", args=ids))
        return HttpResponseRedirect(reverse("admin:accounts_user_changelist"))

    def players(self, request: HttpRequest, ids: list[uuid.UUID]) -> dict[uuid.UUID, User]:
        """Those that exist and that this admin may act upon, in the order of `ids`."""
        found = self.manageable(request, User.objects.filter(pk__in=ids)).select_related("score").in_bulk()
        return {pk: found[pk] for pk in dict.fromkeys(ids) if pk in found}

    def page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, **context}
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"admin/scoreboard/adjust_{name}.html", whole)


def seal(plan: Plan, actor_id: uuid.UUID) -> str:
    """The plan as text that only this site can have made, for this actor."""
    value = {
        "actor": str(actor_id),
        "action": str(plan.action_id),
        "change": asdict(plan.change),
        "lines": [[str(line.user_id), line.old, line.new, line.staff] for line in plan.lines],
    }
    return signing.dumps(value, salt=SALT, compress=True)


def unseal(sealed: str, actor_id: uuid.UUID) -> Plan | None:
    """The plan; None if it is too old, altered, or another admin's."""
    try:
        value = signing.loads(sealed, salt=SALT, max_age=PLAN_SECONDS)
    except signing.BadSignature:
        return None
    if value["actor"] != str(actor_id):
        return None
    lines = [Line(uuid.UUID(user_id), *rest) for user_id, *rest in value["lines"]]
    return Plan(uuid.UUID(value["action"]), Change(**value["change"]), lines)


def log(request: HttpRequest, players: dict[uuid.UUID, User], outcomes: list[Outcome], reason: str) -> None:
    """One entry of the admin log for each total that changed, committed with it."""
    content_type = ContentType.objects.get_for_model(User)
    LogEntry.objects.bulk_create(
        LogEntry(
            user_id=actor(request).pk,
            content_type=content_type,
            object_id=str(outcome.user_id),
            object_repr=str(players[outcome.user_id])[:200],
            action_flag=CHANGE,
            change_message=f"Score {outcome.old_total} → {outcome.new_total} ({outcome.delta:+d}): {reason}",
        )
        for outcome in outcomes
        if outcome.outcome == "recorded"
    )


def tell(request: HttpRequest, players: dict[uuid.UUID, User], outcomes: list[Outcome]) -> None:
    """Says what became of the confirmation."""
    recorded = [outcome for outcome in outcomes if outcome.outcome == "recorded"]
    if len(recorded) == 1:
        [one] = recorded
        messages.success(request, f"{players[one.user_id]}: {one.old_total} → {one.new_total}.")
    elif recorded:
        messages.success(request, f"{len(recorded)} scores were adjusted.")
    if any(outcome.outcome == "duplicate" for outcome in outcomes):
        messages.info(request, "This adjustment was recorded before; it was not recorded again.")
    for outcome in outcomes:
        if why := NOT_CHANGED.get(outcome.outcome):
            kind = "forbidden" if outcome.outcome == "staff" else outcome.outcome
            note(Problem(kind, f"Not changed: {why}.", subject=outcome.user_id))
            messages.warning(request, f"{players[outcome.user_id]}: not changed, {why}.")
