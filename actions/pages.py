"""The play page: demo actions for a signed-in player, through the same public calls any client makes."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from accounts.models import User
from actions.models import ActionType
from scoreboard.models import UserScore


@require_safe
@login_required
@cache_control(private=True, no_cache=True)
def play(request: HttpRequest) -> HttpResponse:
    account = cast(User, request.user)
    total = UserScore.objects.filter(user=account).values_list("total", flat=True).first() or 0
    catalogue = ActionType.objects.working().order_by("points", "slug")
    return render(request, "actions/play.html", {"account": account, "total": total, "catalogue": catalogue})
