"""Boards made and changed without code, previewed before they are saved; and how their closed periods came out."""

import copy
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db import OperationalError, transaction
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from accounts.admin.records import ReadOnlyAdmin, ShownAdmin
from api.problems import Problem
from scoreboard import board_preview, board_rules, freezing
from scoreboard.admin.board_form import BoardForm
from scoreboard.admin.entrants import EntrantAdmin
from scoreboard.models import EACH, Board, BoardPeriod, BoardStanding, FinalStanding

COUNTED = 10_000  # players; more are "10000+"
SHOWN_RANKS = 100
PERIOD = ("board", "part", "key", "starts_at", "ends_at", "closed_at", "players", "csv", "final_ranks")


class BoardChangeList(ChangeList):
    """Looks up the open periods of one page in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        now, found = timezone.now(), dict[int, list[BoardPeriod]]()
        begun = Q(starts_at=None) | Q(starts_at__lte=now)
        going_on = Q(ends_at=None) | Q(ends_at__gt=now) | Q(counts_until__isnull=False)  # a frozen one waits
        mine = BoardPeriod.objects.filter(begun, going_on, board__in=self.result_list, closed_at=None, truth=False)
        for period in mine.order_by("starts_at"):
            found.setdefault(period.board_id, []).append(period)
        for board in self.result_list:
            board.current = found.get(board.pk, [])


@admin.register(Board)
class BoardAdmin(ShownAdmin):
    form = BoardForm
    change_form_template = "admin/scoreboard/board/change_form.html"
    list_display = ["title", "slug", "state", "period", "next_reset", "players", "visibility"]
    list_filter = ["window", "visibility", "paused"]
    list_per_page = 50
    search_fields = ["slug", "title"]
    prepopulated_fields = {"slug": ["title"]}
    fieldsets = [
        (None, {"fields": ["title", "slug", "description", "visibility", "paused"]}),
        (
            "When",
            {
                "fields": ["window", "zone", "every_days", "starts_on", "opens_at", "closes_at", "freeze_at"],
                "description": "A board begins anew with each of its periods. Opening, closing and freezing are "
                "in UTC; left empty it is always open, and never frozen.",
            },
        ),
        ("Which points", {"fields": ["action_types", "sources"]}),
        (
            "Who",
            {
                "fields": ["attribute", "attribute_value", "entry"],
                "description": "Empty: everyone. Points count by what a player was when they were given.",
            },
        ),
        ("Who wins", {"fields": ["value", "order", "attempts", "ties", "tiers"]}),
        ("When a period is over", {"fields": ["close", "archive"]}),
    ]

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[ChangeList]:
        return BoardChangeList

    def get_readonly_fields(self, request: HttpRequest, obj: Board | None = None) -> list[str]:
        """The slug is its address, on other sites' pages as well."""
        return ["slug"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Board | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["title"]}

    # --- the list ---

    def state(self, board: Board) -> str:
        now = timezone.now()
        if board.paused:
            return "paused"
        if any(period.filled_at is None for period in current(board)):
            return "being counted"
        if board.freeze_at and board.freeze_at <= now and any(period.counts_until for period in current(board)):
            return "frozen"
        if current(board):
            return "open"
        if board.closes_at and board.closes_at <= now:
            return "closed"
        return f"opens {board.opens_at:%Y-%m-%d %H:%M}" if board.opens_at and board.opens_at > now else "nobody yet"

    @admin.display(empty_value="")
    def period(self, board: Board) -> str | None:
        keys = sorted({period.key for period in current(board)})
        return f"{', '.join(keys)}{f' in {len(current(board))} parts' if board.attribute_value == EACH else ''}" or None

    @admin.display(empty_value="")
    def next_reset(self, board: Board) -> str | None:
        ends = [period.ends_at for period in current(board) if period.ends_at]
        return f"{min(ends):%Y-%m-%d %H:%M} UTC" if ends else None

    def players(self, board: Board) -> str:
        """Of a board that is over, those with a final rank in its last period, of all parts."""
        found: QuerySet[Any] = BoardStanding.objects.filter(
            period_id__in=[period.pk for period in current(board)], shown=True
        )
        if not current(board) and board.closes_at:
            closed = BoardPeriod.objects.filter(board=board, closed_at__isnull=False, truth=False)
            last = closed.order_by("-ends_at").values("ends_at")[:1]
            found = FinalStanding.objects.filter(period__in=closed.filter(ends_at=last))
        number = len(found.values_list("user_id")[: COUNTED + 1])
        return f"{COUNTED}+" if number > COUNTED else str(number)

    # --- one board ---

    def get_urls(self) -> list[Any]:
        entrants = self.admin_site.admin_view(self.entrants)
        return [path("<int:board>/entrants/", entrants, name="scoreboard_board_entrants"), *super().get_urls()]

    def entrants(self, request: HttpRequest, board: int) -> HttpResponse:
        """Who has joined it."""
        of = get_object_or_404(Board, pk=board)
        context = {"board": of, "title": f"Players who have joined {of}"}
        return EntrantAdmin(self.admin_site, of).changelist_view(request, context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = dict(extra_context or {})
        may = self.has_change_permission(request) if object_id else self.has_add_permission(request)
        if request.method == "POST" and "_preview" in request.POST and may:
            context |= self.preview(request, object_id)
        if object_id and may:
            board = super().get_object(request, object_id)
            if board is not None and freezing.frozen(board).exists():
                if "_reveal" in request.POST:
                    return self.reveal(request, board)
                context["frozen"] = board.freeze_at
        return super().changeform_view(request, object_id, form_url, context)

    def preview(self, request: HttpRequest, object_id: str | None) -> dict[str, Any]:
        """What the form as it is typed would make; nothing is saved. A form with mistakes shows them, as ever."""
        before = self.get_object(request, object_id) if object_id else None
        made = self.get_form(request, before, change=bool(object_id))(request.POST, instance=copy.copy(before))
        if not made.is_valid():
            return {}
        # From here on the request shows the form, with what is in it.
        request.typed = made  # type: ignore[attr-defined]
        request.method = "GET"
        try:
            return {"previews": board_preview.of(made.instance), "previewed": True}
        except OperationalError:
            messages.warning(
                request, "The preview took too long: there is too much history. Saved, it will be counted."
            )
            return {}

    def reveal(self, request: HttpRequest, board: Board) -> HttpResponseRedirect:
        """Begins it, or sets another pace."""
        try:
            pace, changes = float(request.POST.get("pace", "")), int(request.POST.get("changes", ""))
            freezing.reveal(board, pace, changes)
        except ValueError:
            messages.error(request, "Nothing was begun: say the pace in seconds, and how many changes a step has.")
        except Problem as refusal:
            messages.error(request, refusal.sentence)
        else:
            self.log_change(request, board, f"Reveal begun: {changes} every {pace:g} s.")
            messages.success(request, "The board is being revealed, on every visitor's screen.")
        return HttpResponseRedirect(request.path)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Board | None:
        typed = getattr(request, "typed", None)
        return typed.instance if typed else super().get_object(request, object_id, from_field)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        typed = getattr(request, "typed", None)
        return typed.cleaned_data if typed else dict(super().get_changeform_initial_data(request))

    def save_model(self, request: HttpRequest, obj: Board, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        transaction.on_commit(board_rules.apply)

    # --- deleting ---

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """What goes with each, in sentences: SQL deletes it, not Django."""
        gone: list[Any] = []
        for board in objs:
            closed = BoardPeriod.objects.filter(board=board, truth=False).exclude(closed_at=None)
            with_ranks = FinalStanding.objects.filter(period__in=closed).count()
            gone += [
                f"The board {board.title} ({board.slug})",
                [
                    f"Its {closed.count()} closed periods with {with_ranks} final ranks, for good: first take the CSV.",
                    "How players stand in its open periods.",
                    "No points: totals, the history and all other boards stay as they are.",
                ],
            ]
        allowed = self.has_delete_permission(request)
        return gone, {"boards": len(list(objs))}, set() if allowed else {"board"}, []

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Board]) -> None:
        for board in queryset:
            board.delete()


def current(board: Board) -> list[BoardPeriod]:
    """Of each part, as the list has looked them up."""
    found: list[BoardPeriod] = board.current  # type: ignore[attr-defined]
    return found


@admin.register(BoardPeriod)
class BoardPeriodAdmin(ReadOnlyAdmin):
    """Closed periods."""

    list_display = ["key", "board", "part", "starts_at", "ends_at", "closed_at", "players", "csv"]
    list_display_links: Any = ["key"]
    list_filter = ["board"]
    list_select_related = ["board"]
    ordering = ["-ends_at", "-pk"]
    fields = PERIOD
    readonly_fields = PERIOD

    def get_queryset(self, request: HttpRequest) -> QuerySet[BoardPeriod]:
        found: QuerySet[BoardPeriod] = (
            super()
            .get_queryset(request)
            .filter(closed_at__isnull=False, truth=False)
            .annotate(ranked=Max("final__place"))
        )
        return found

    def players(self, period: BoardPeriod) -> int:
        return period.ranked or 0  # type: ignore[attr-defined]

    @admin.display(description="CSV")
    def csv(self, period: BoardPeriod) -> str:
        asked = f"?board={period.address}&period={period.key}"
        return format_html(
            '<a href="{}">{}</a>', f"{reverse('export-board', args=['csv'])}{asked}", f"board.csv{asked}"
        )

    def final_ranks(self, period: BoardPeriod) -> str:
        """The first of them; all are in the file."""
        found = FinalStanding.objects.filter(period=period).select_related("user").order_by("place")[:SHOWN_RANKS]
        rows = format_html_join(
            "", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", ((f.rank, f.user.shown_name, f.points) for f in found)
        )
        head = "<table><thead><tr><th>Rank</th><th>Player</th><th>Score</th></tr></thead>"
        return format_html(head + "<tbody>{}</tbody></table>", rows)
