"""The user admin of the write side, with what only the read side knows: the rank."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest

from accounts.models import User
from leaderboard import catch_up, ranking
from leaderboard.boards import GLOBAL
from scoreboard.admin.players import PlayerAdmin

UNKNOWN = "?"  # while Redis is away: the list itself is SQL's


class RankedChangeList(ChangeList):
    """Looks up the ranks of one page in one call."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        ranks = ranks_of([user.pk for user in self.result_list])
        for user in self.result_list:
            user.rank = ranks.get(user.pk, UNKNOWN)


@admin.register(User)
class RankedPlayerAdmin(PlayerAdmin):
    list_display = ["rank", *PlayerAdmin.list_display]
    list_display_links = ["name"]
    fieldsets = [
        (title, {**options, "fields": ["rank", *options["fields"]]} if title == "Board" else options)
        for title, options in PlayerAdmin.fieldsets
    ]
    readonly_fields = ["rank", *PlayerAdmin.readonly_fields]

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[ChangeList]:
        return RankedChangeList

    def rank(self, user: User) -> Any:
        rank = user.rank if hasattr(user, "rank") else ranks_of([user.pk]).get(user.pk, UNKNOWN)
        return "not on the board" if rank is None else rank


def ranks_of(user_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int | None]:
    """The place of each, from 1, None for one who is not on the board; {} while Redis cannot say."""
    try:
        catch_up.demand()
        places = ranking.places(GLOBAL, user_ids)
    except (ranking.Unavailable, ranking.Lost):
        return {}
    return {pk: place.rank for pk, place in zip(user_ids, places, strict=True)}
