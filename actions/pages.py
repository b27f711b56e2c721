"""The play page: demo actions for a signed-in player, through the same public calls any client makes."""

from typing import Any, cast

import structlog
from django.contrib.auth.decorators import login_required
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from accounts import local_accounts
from accounts.models import User
from actions.models import ActionType
from scoreboard.models import UserScore

log = structlog.get_logger(__name__)


def navigation(request: HttpRequest) -> dict[str, Any]:
    """What every page needs to know of the actions: whether there is anything to play."""
    return {"playable": SimpleLazyObject(playable)}


def playable() -> bool:
    """Whether players may grant any type; False while PostgreSQL cannot say, for the board does not go away with it."""
    try:
        return local_accounts.on() and ActionType.objects.playable().exists()
    except (OperationalError, InterfaceError) as error:
        log.warning("catalogue_unavailable", error=str(error).strip())
        return False


@require_safe
@local_accounts.page
@login_required
@cache_control(private=True, no_cache=True)
def play(request: HttpRequest) -> HttpResponse:
    offered = list(ActionType.objects.playable())
    if not offered:
        raise Http404
    account = cast(User, request.user)
    total = UserScore.objects.filter(user=account).values_list("total", flat=True).first() or 0
    return render(request, "actions/play.html", {"account": account, "total": total, "catalogue": offered})
