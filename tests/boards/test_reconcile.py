"""Reconcile finds and mends standings in SQL that are not what the history says, and Redis follows."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from prometheus_client import REGISTRY

from accounts.models import User
from leaderboard import boards, ranking, reconcile, tasks
from leaderboard.boards import Board
from scoreboard import ledger
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, BoardStanding
from tests.boards.every_rule import in_redis
from tests.support.boards import award, end_period, in_sql, make, recounted
from tests.support.people import give, player, players
from tests.support.races import at_once, none_failed
from tests.support.spoiling import Hand

pytestmark = pytest.mark.usefixtures("at_rest")


@pytest.fixture
def weekly(board: Board) -> Board:
    make("weekly", window="weekly")
    weekly = boards.get("weekly")
    reconcile.reconcile(weekly)  # which builds it
    for position, user in enumerate(players(4)):
        award(user, 48 + position)
    return weekly


@pytest.fixture
def victim(weekly: Board) -> User:
    victim = player("victim")
    award(victim, 50)
    return victim


def of(user: User, weekly: Board) -> "BoardStanding":
    return BoardStanding.objects.get(period_id=weekly.id, user_id=user.pk)


def change(**fields: object) -> Callable[[User, Board], None]:
    def spoil(user: User, weekly: Board) -> None:
        BoardStanding.objects.filter(period_id=weekly.id, user_id=user.pk).update(**fields)

    return spoil


def earlier(user: User, weekly: Board) -> None:
    change(reached_at=of(user, weekly).reached_at - timedelta(microseconds=1))(user, weekly)


def lose(user: User, weekly: Board) -> None:
    BoardStanding.objects.filter(period_id=weekly.id, user_id=user.pk).delete()


SPOILS = {"more": change(points=51), "less": change(points=1), "unshown": change(shown=False), "earlier": earlier}


@pytest.mark.parametrize("spoil", [*SPOILS.values(), lose], ids=[*SPOILS, "lost"])
def test_a_standing_that_is_not_its_history_is_named_and_mended(
    weekly: Board, victim: User, spoil: Callable[[User, Board], None]
) -> None:
    spoil(victim, weekly)
    spoiled = list(BoardStanding.objects.order_by("user_id").values())
    assert reconcile.reconcile(weekly, check=True).players["standing"] == [str(victim.pk)]
    assert list(BoardStanding.objects.order_by("user_id").values()) == spoiled
    report = reconcile.reconcile(weekly)
    assert (report.players["standing"], report.repaired) == ([str(victim.pk)], 1)
    expected = recounted(BoardPeriod.objects.get(pk=weekly.id))
    assert in_sql(weekly) == expected
    assert in_redis(weekly) == expected
    assert reconcile.reconcile(weekly, check=True).drift == 0


def test_what_redis_took_over_from_a_wrong_standing_goes_with_it(weekly: Board, victim: User) -> None:
    change(points=1000)(victim, weekly)
    award(victim, 1)
    assert in_redis(weekly)[0].score == 1001
    reconcile.reconcile(weekly)
    assert in_redis(weekly) == recounted(BoardPeriod.objects.get(pk=weekly.id))


def test_who_scores_while_a_period_is_compared_is_judged_by_the_standing_in_it(weekly: Board, victim: User) -> None:
    give(victim, 100)  # which is no deed, and counts in no week
    award(victim, 1)
    assert reconcile.clashing(weekly, ledger.standings([victim.pk])) == {}
    Hand(weekly, victim).redis.zadd(boards.keys(weekly).rank, {Hand(weekly, victim).member: 151})
    assert list(reconcile.clashing(weekly, ledger.standings([victim.pk]))) == [str(victim.pk)]


def test_a_player_without_an_entry_is_taken_off(weekly: Board, victim: User) -> None:
    ghost, at = player("ghost"), of(victim, weekly).reached_at
    BoardStanding.objects.create(period_id=weekly.id, user_id=ghost.pk, points=99, reached_at=at, shown=True, joins=1)
    assert reconcile.reconcile(weekly).players["standing"] == [str(ghost.pk)]
    assert in_sql(weekly) == recounted(BoardPeriod.objects.get(pk=weekly.id))


def test_the_nightly_task_counts_and_repairs_it(weekly: Board, victim: User) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("scoreboard_drift_total", {"kind": "standing"}) or 0.0

    before = counted()
    change(points=7)(victim, weekly)
    tasks.reconcile()
    assert counted() == before + 1
    assert in_sql(weekly) == recounted(BoardPeriod.objects.get(pk=weekly.id))


def test_the_command_says_of_which_board_and_ends_with_0_after_the_repair(weekly: Board, victim: User) -> None:
    change(points=7)(victim, weekly)
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("reconcile_leaderboard", "--check", "--board", "weekly", stdout=out)
    assert end.value.code == 1
    assert f"board weekly {weekly.period}" in out.getvalue()
    assert f"  standing: {victim.pk}" in out.getvalue()
    call_command("reconcile_leaderboard", stdout=out)
    assert "repaired 1" in out.getvalue()


def test_nothing_is_wrong_beside_live_traffic(weekly: Board, victim: User) -> None:
    """Entries and corrections in several threads, comparisons in another."""
    crowd = [victim, *players(3)]

    def work(number: int) -> list[int]:
        if number == len(crowd):
            return [len(list(boards_wrong(weekly))) for _ in range(30)]
        for step in range(15):
            award(crowd[number], step + 1)
        return []

    *_, found = none_failed(at_once(len(crowd) + 1, work))
    assert found == [0] * 30


def change_rule(slug: str) -> None:
    rule = Rule.objects.get(slug=slug)
    rule.value = "best"
    rule.save()


@pytest.mark.parametrize("end", [end_period, change_rule], ids=["closed", "changed"])
def test_a_period_that_ends_before_or_while_it_is_compared_has_no_drift(
    weekly: Board, victim: User, end: Callable[[str], object]
) -> None:
    before = in_redis(weekly)
    ended: list[int] = []

    def overtaken(compared: int) -> None:
        ended.append(compared)
        end("weekly")

    assert reconcile.reconcile(weekly, progress=overtaken).drift == 0
    assert ended == [5]
    assert reconcile.reconcile(weekly).drift == 0
    assert in_redis(weekly) == before, "who still watches it is shown nothing else"
    ranking.command("delete", boards.keys(weekly).meta)
    report = reconcile.reconcile(weekly)
    assert (report.lost, report.drift) == (False, 0)


def boards_wrong(weekly: Board) -> list[str]:
    report = reconcile.Report(weekly.slug, weekly.period)
    reconcile.judge_sql(weekly, report, check=True)
    return report.players["standing"]
