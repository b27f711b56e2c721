"""`{% live_leaderboard board="global" limit=10 theme="auto" %}`: the live board in any template of the site."""

from typing import Any

from django import template
from django.template import TemplateSyntaxError

from leaderboard import boards, choices, pages

register = template.Library()
register.filter("heading", choices.heading)


@register.inclusion_tag("leaderboard/element.html", takes_context=True)
def live_leaderboard(
    context: template.Context,
    board: str = "global",
    limit: int = pages.DEFAULT_LIMIT,
    theme: str = "auto",
    period: str | None = None,
) -> dict[str, Any]:
    """The element, its script, and the first rows for visitors without script; nothing of a board that is hidden.

    Raises TemplateSyntaxError for a board, period, limit or theme that does not exist: the template is wrong, not the
    visitor.
    """
    found = choices.find(board, period)
    if found is None and period is not None and choices.find(board) is not None:
        raise TemplateSyntaxError(f"live_leaderboard: period is {period!r}; expected one that {board!r} has")
    if found is None:
        raise TemplateSyntaxError(f"live_leaderboard: board is {board!r}; expected one of {boards.slugs()}")
    if not (isinstance(limit, int) and 1 <= limit <= boards.VISIBLE_TOP):
        raise TemplateSyntaxError(f"live_leaderboard: limit is {limit!r}; expected 1 to {boards.VISIBLE_TOP}")
    if theme not in pages.THEMES:
        raise TemplateSyntaxError(f"live_leaderboard: theme is {theme!r}; expected one of {pages.THEMES}")
    request = context.get("request")
    return pages.element(request, found, period, limit, theme) if pages.there(request, found) else {}
