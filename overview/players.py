"""The moderators' page: find a player, see what they scored and were flagged for, give a bonus. On a phone, too."""

import uuid
from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from rest_framework.exceptions import ValidationError

from accounts.admin.records import actor
from accounts.models import User
from api.problems import Problem, note
from integrity.models import Flag
from leaderboard.admin import ranks_of
from scoreboard import approvals, bonus
from scoreboard.admin.boards_field import BoardsField
from scoreboard.models import MAX_BONUS, Bonus, ScoreHistory

FOUND = 20
ENTRIES = 20
GIVE, READ = "scoreboard.give_bonus", "scoreboard.view_any_history"


class FindForm(forms.Form):
    q = forms.CharField(max_length=255, label="Find a player", help_text="Part of a name, or a whole id.")


class BonusForm(forms.Form):
    """`key` is made with the form: however often it is sent, it pays once."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    points = forms.IntegerField(min_value=1, max_value=MAX_BONUS)
    reason = forms.CharField(max_length=500, help_text="The player can read it in the score history.")
    boards = BoardsField(ScoreHistory.Source.BONUS)


def demand_one_of(request: HttpRequest, *permissions: str) -> None:
    if not any(request.user.has_perm(permission) for permission in permissions):
        raise PermissionDenied


def find(request: HttpRequest) -> HttpResponse:
    demand_one_of(request, GIVE, READ)
    form = FindForm(request.GET if "q" in request.GET else None)
    players = list(found(form.cleaned_data["q"])[: FOUND + 1]) if form.is_valid() else []
    context = {"form": form, "players": players[:FOUND], "more": len(players) > FOUND, "title": "Find a player"}
    return page(request, "find", context)


def found(text: str) -> QuerySet[User]:
    """Players by name, or by an id, ours or a site's own. By nothing that boards do not show, such as an address."""
    which = Q(username__icontains=text) | Q(display_name__icontains=text) | Q(external_id=text)
    with suppress(ValueError):
        which |= Q(pk=uuid.UUID(text))
    return User.objects.filter(which, erased_at=None).select_related("score").order_by("username")


def player(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    demand_one_of(request, GIVE, READ)
    user = get_object_or_404(User.objects.select_related("score"), pk=user_id, erased_at=None)
    form = BonusForm(request.POST or None, initial={"key": uuid.uuid4()})
    if request.method == "POST":
        demand_one_of(request, GIVE)
        if form.is_valid() and give(request, user, form):
            return HttpResponseRedirect(request.path)
    entries: Any = []
    if request.user.has_perm(READ):
        entries = ScoreHistory.objects.filter(user=user).select_related("actor").order_by("-id")[:ENTRIES]
    context = {
        "player": user,
        "title": user.shown_name,
        "rank": ranks_of([user.pk]).get(user.pk, "unknown while Redis is away"),
        "form": form,
        "entries": entries,
        "flags": Flag.objects.filter(user=user).order_by("-updated_at")[:FOUND],
    }
    return page(request, "player", context)


def give(request: HttpRequest, user: User, form: BonusForm) -> bool:
    """Down the one path of bonuses, with a line of the admin log in the same transaction. False, with the form's error,
    when it is refused: then nothing is written."""
    giver, asked = actor(request), form.cleaned_data
    key = f"admin-{asked['key']}"
    try:
        with transaction.atomic():
            bonus.lock(giver.pk, user.pk)  # the same form sent twice at once is logged once
            new = not Bonus.objects.filter(actor=giver, key=key).exists()
            boards = list(asked["boards"] or ())
            given = bonus.give(giver.pk, key, user.pk, asked["points"], asked["reason"], boards, hidden=True)
            waits = isinstance(given, bonus.Waiting)
            if new:
                what = "Asked for a bonus of" if waits else "Gave a bonus of"
                approvals.log(giver, user, f"{what} {asked['points']} points: {asked['reason']}", at_command_line=False)
    except Problem as refusal:
        note(refusal)
        form.add_error(None, refusal.sentence)
        return False
    except ValidationError:  # a board has changed since the form was judged
        form.add_error("boards", "Not every one of these boards counts a bonus any more.")
        return False
    if waits:
        messages.warning(request, f"{asked['points']} points for {user} wait for a second person.")
    else:
        messages.success(request, f"{user} has {asked['points']} points more.")
    return True


def page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    request.current_app = admin.site.name
    return TemplateResponse(request, f"admin/overview/{name}.html", {**admin.site.each_context(request), **context})
