"""Boards that are frozen and revealed: what the public is shown of them meanwhile, on every way out."""

from django.test import Client

from accounts.models import User
from leaderboard import boards, reads, reconcile
from leaderboard.boards import Board
from scoreboard import freezing, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardReveal
from tests.boards.exports import exported
from tests.support.client import Api

SECRET = 777_123  # points that come after the freeze


def freeze(rule: Rule) -> tuple[Board, Board]:
    """From this moment on: what the public is shown, and the truth, both in Redis."""
    rule.freeze_at = periods.clock()
    rule.save()
    periods.keep()
    boards.forget()
    both = boards.get(rule.slug), boards.truth(rule.slug)
    for one in both:
        reconcile.reconcile(one)
    return both


def scores(board: Board) -> list[tuple[str, int]]:
    return [(row.username, row.score) for row in reads.top(board, 100).rows]


def reveal_all(rule: Rule, changes: int = 1000) -> None:
    freezing.reveal(rule, 0.5, changes)
    while one := BoardReveal.objects.select_related("board").first():
        freezing.step(one)
    rule.refresh_from_db()
    boards.forget()


def ways_out(api: Api, who: User, staff: Client, slug: str = "final") -> dict[str, bytes]:
    """Everything that the public is told of a board, and a file of it as staff get it without asking for the truth."""
    asked = f"board={slug}"
    found = {
        path: api.get(f"/api/v1/{path}?{asked}{more}").content
        for path, more in (
            ("scoreboard/top", ""),
            ("scoreboard/top", "&limit=100&offset=1"),
            (f"score/{who.pk}", ""),
            (f"score/{who.pk}/around", ""),
        )
    }
    for path in ("score/me", "me/export"):
        answer = api.get(f"/api/v1/{path}" + (f"?{asked}" if path == "score/me" else ""), user=who)
        assert answer.status_code == 200
        found[path] = answer.content
    found["embed"] = api.get(f"/embed/{slug}").content
    found["file"] = exported(staff, asked)
    return found
