"""The boards that a bonus or an adjustment names, by the slugs of their rules.

What names none counts on the boards that sum up all points of all time (`board_counts`). Every entry counts for the
totals of all players, which nothing has to name.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Q, TextField
from django.db.models.expressions import RawSQL
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.authentication import BackEnd
from accounts.models import ApiKey
from scoreboard.models import GLOBAL, Board, ScoreHistory

MOST = 10  # of one bonus
VIEW = "scoreboard.view_board"
KNOWERS = (ApiKey.Scope.READ, ApiKey.Scope.BOARDS)  # keys that may know of hidden boards' rules
SHOWN = ~Q(visibility=Board.Visibility.HIDDEN) & Q(paused=False)
# Of a query over the history: the slugs, as far as the boards still exist.
SLUGS = RawSQL(
    "(SELECT coalesce(string_agg(b.slug, ' ' ORDER BY b.slug), '') FROM boards b"
    " WHERE b.id = ANY (score_history.boards))",
    [],
    output_field=TextField(),
)


def sees_hidden(user: Any, readers: Sequence[ApiKey.Scope]) -> bool:
    """Whether hidden boards are there for this caller, a key with one of these scopes or staff; None is a visitor."""
    if isinstance(user, BackEnd):
        return not set(readers).isdisjoint(user.key.scopes)
    return bool(user is not None and user.has_perm(VIEW))


def eligible(source: ScoreHistory.Source) -> list[Board]:
    """The boards that an entry of this source may name now."""
    return [rule for rule in Board.objects.all() if not objection(rule, source)]


def objection(rule: Board, source: ScoreHistory.Source) -> str:
    """Why such an entry cannot count on a board by its rule; "" if it can."""
    now = timezone.now()
    if rule.value != Board.Value.SUM:
        return f"counts on sums alone, and {rule.slug} is a board of {rule.get_value_display().lower()}"
    if rule.action_types:
        return f"is of no action type, and {rule.slug} counts some types alone"
    if rule.sources and source not in rule.sources:
        return f"is no source that {rule.slug} counts"
    if (rule.opens_at and rule.opens_at > now) or (rule.closes_at and rule.closes_at <= now):
        return f"counts while a board is open, and {rule.slug} is not"
    return ""


def ids(slugs: Iterable[str], source: ScoreHistory.Source, *, hidden: bool) -> dict[str, int]:
    """The id of each of these boards. `hidden`: whether those that are hidden or paused are there for who names them.

    Raises ValidationError of `boards`.
    """
    known = {rule.slug: rule for rule in Board.objects.filter(Q() if hidden else SHOWN, slug__in=list(slugs))}
    said = [wrong for slug in slugs if (wrong := refusal(slug, known, source))]
    if said:
        raise ValidationError({"boards": said})
    return {slug: known[slug].pk for slug in slugs}


def refusal(slug: str, known: Mapping[str, Board], source: ScoreHistory.Source) -> str:
    if slug == GLOBAL:
        return f"{GLOBAL} counts everything: leave it out."
    if slug not in known:
        return f"There is no board {slug!r}."
    why = objection(known[slug], source)
    return f"A{'n' if source == ScoreHistory.Source.ADJUSTMENT else ''} {source.value} {why}." if why else ""


def slugs(entries: Iterable[ScoreHistory], *, hidden: bool) -> dict[int, str]:
    """By id, of the boards that these entries name and that still exist. `hidden`: as for `ids`."""
    named = {board for entry in entries for board in entry.boards or ()}
    if not named:
        return {}
    found = Board.objects.filter(Q() if hidden else SHOWN, pk__in=named)
    return dict(found.values_list("pk", "slug"))
