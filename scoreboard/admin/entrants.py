"""Who has joined a board, as a list of its own beside the board's page."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from accounts.admin.records import ReadOnlyAdmin, user_link
from accounts.models import User
from scoreboard.models import Board, BoardEntrant


class EntrantAdmin(ReadOnlyAdmin):
    """Players who have joined `board`, those who joined last first. For all who may look at boards."""

    change_list_template = "admin/scoreboard/board/entrants.html"
    list_display: Any = ["player", "external_id", "joined_at"]
    list_per_page = 100
    ordering = ["-joined_at", "-pk"]
    search_fields = ["username", "display_name", "external_id__exact"]

    def __init__(self, site: admin.AdminSite, board: Board) -> None:
        super().__init__(User, site)
        self.board = board

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return request.user.has_perm("scoreboard.view_board")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        mine = BoardEntrant.objects.filter(board_id=self.board.pk, user_id=OuterRef("pk"))
        return User.objects.filter(Exists(mine)).annotate(joined_at=mine.values("joined_at"))

    @admin.display(ordering="username")
    def player(self, user: User) -> str:
        return user_link(user)

    @admin.display(description="Player", ordering="username")
    def user(self, user: User) -> str:
        """For those who may not open a person's page."""
        return user.shown_name

    @admin.display(ordering="joined_at")
    def joined_at(self, user: User) -> str:
        return f"{user.joined_at:%Y-%m-%d %H:%M} UTC"  # type: ignore[attr-defined]
