"""The write script and what it answers: newer versions only, exact ranks, seq and announcement only when due."""

import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from api import redis_client
from leaderboard import boards, ranking
from leaderboard.boards import Board
from leaderboard.ranking import members
from scoreboard.models import MAX_TOTAL
from scoreboard.standing import Standing
from tests.support.agreement import dump
from tests.support.viewer import Viewer

START = datetime(2026, 1, 1, tzinfo=UTC)
LATEST_FIRST = Board("last", "Who was there last", id=1, ties="latest")


def standing(number: int = 0, total: int = 10, version: int = 1, **changes: object) -> Standing:
    made = Standing(
        user_id=uuid.UUID(int=number),
        total=total,
        version=version,
        reached_at=START + timedelta(microseconds=number),
        visible=True,
        username=f"player {number}",
        avatar_url="",
        region="",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def fill(board: Board, count: int) -> list[Standing]:
    """`count` players in rank order: ten times `count`, …, 20, 10."""
    made = [standing(number, 10 * (count - number)) for number in range(count)]
    ranking.write(board, made)
    return made


def test_the_answer_has_each_rank_as_it_is_after_all_of_them(board: Board) -> None:
    made = fill(board, 5)
    written = ranking.write(board, [replace(made[4], total=60, version=2), replace(made[0], total=1, version=2)])
    assert written.ranks == [1, 5]
    assert [row.user_id for row in ranking.top(board, 10).rows] == [str(made[n].user_id) for n in (4, 1, 2, 3, 0)]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_only_a_newer_version_is_applied_and_the_answer_has_the_rank_all_the_same(board: Board, version: int) -> None:
    fill(board, 3)
    ranking.write(board, [standing(1, 500, version=3)])
    before = dump(board)
    written = ranking.write(board, [standing(1, 1, version=version)])
    assert (written.applied, written.ranks) == ([False], [1])
    assert dump(board) == before


def test_any_order_of_all_versions_ends_at_the_newest(board: Board) -> None:
    chance = random.Random(5)
    versions = [standing(1, chance.randint(0, 50), version, visible=version % 4 != 0) for version in range(1, 20)]
    for _ in range(10):
        chance.shuffle(versions)
        for one in versions:
            ranking.write(board, [one])
        newest = max(versions, key=lambda one: one.version)
        assert [row.score for row in ranking.top(board, 10).rows] == [newest.total]


def test_a_version_beyond_what_a_number_of_lua_shows_short_is_compared_exactly(board: Board) -> None:
    high = 2**53 - 2
    ranking.write(board, [standing(1, 5, high)])
    assert ranking.write(board, [standing(1, 6, high)]).applied == [False]
    assert ranking.write(board, [standing(1, 7, high + 1)]).applied == [True]


@pytest.mark.parametrize("gone", [standing(1, version=2, visible=False), standing(1, 0, version=2)])
def test_who_is_not_shown_is_on_no_key_but_the_memory_of_the_version(board: Board, gone: Standing) -> None:
    fill(board, 3)
    written = ranking.write(board, [gone])
    assert (written.applied, written.ranks, written.players) == ([True], [None], 2)
    content = dump(board)
    field = str(uuid.UUID(int=1)).encode()
    assert content["player"][field] == b"2:"
    assert field not in content["profile"]
    assert ranking.write(board, [standing(1, 99, version=1)]).applied == [False]


def test_a_total_at_the_end_of_the_range_keeps_its_last_digit(board: Board) -> None:
    ranking.write(board, [standing(1, MAX_TOTAL), standing(2, MAX_TOTAL - 1), standing(3, MAX_TOTAL - 2)])
    assert [row.score for row in ranking.top(board, 10).rows] == [MAX_TOTAL, MAX_TOTAL - 1, MAX_TOTAL - 2]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_a_member_gives_back_the_time_to_the_microsecond(moment: datetime) -> None:
    one = replace(standing(), user_id=uuid.uuid4(), reached_at=moment)
    for board in (boards.GLOBAL, LATEST_FIRST):
        raw = members.member(board, one)
        assert len(raw) == members.MEMBER_TIME_DIGITS + 36
        assert members.member_parts(board, raw) == (moment, str(one.user_id))


def test_of_two_members_the_earlier_sorts_higher() -> None:
    chance = random.Random(3)
    moments = sorted(START + timedelta(microseconds=chance.randrange(10**15)) for _ in range(500))
    made = [
        members.member(boards.GLOBAL, replace(standing(), user_id=uuid.uuid4(), reached_at=moment))
        for moment in moments
    ]
    assert made == sorted(made, reverse=True)
    made = [
        members.member(LATEST_FIRST, replace(standing(), user_id=uuid.uuid4(), reached_at=moment)) for moment in moments
    ]
    assert made == sorted(made)


# --- seq and announcement ---------------------------------------------------------------------------


@pytest.fixture
def small_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "VISIBLE_TOP", 3)


CHANGES = {
    "a score in the top": (standing(1, 45, 2), True),
    "a name in the top": (standing(1, 40, 2, username="renamed"), True),
    "a hide in the top": (standing(1, 40, 2, visible=False), True),
    "into the top": (standing(4, 99, 2), True),
    "out of the top": (standing(0, 1, 2), True),
    "a newcomer in the top": (standing(9, 99, 1), True),
    "a score below": (standing(4, 11, 2), False),
    "a name below": (standing(4, 10, 2, username="renamed"), False),
    "a hide below": (standing(4, 10, 2, visible=False), False),
    "a newcomer below": (standing(9, 1, 1), False),
    "a hidden newcomer": (standing(9, 99, 1, visible=False), False),
    "old news of the top": (standing(1, 99, 1), False),
}


@pytest.mark.usefixtures("small_top")
@pytest.mark.parametrize("change", CHANGES)
def test_seq_rises_and_viewers_are_told_only_of_what_they_can_see(board: Board, change: str) -> None:
    news, visible = CHANGES[change]
    fill(board, 5)
    viewer = Viewer(board, 3)
    seq = ranking.top(board, 3).seq
    assert seq is not None
    written = ranking.write(board, [news])
    assert written.seq == seq + visible
    assert viewer.announced() == visible
    viewer.close()


@pytest.mark.usefixtures("small_top")
def test_one_call_raises_seq_once_and_announces_once_however_many_it_moves(board: Board) -> None:
    made = fill(board, 5)
    seq = ranking.top(board, 3).seq
    assert seq is not None
    written = ranking.write(board, [replace(one, total=one.total + 100, version=2) for one in made])
    assert written.seq == seq + 1


def test_no_standings_are_no_change(board: Board) -> None:
    before = dump(board)
    assert ranking.write(board, []).applied == []
    assert dump(board) == before


def test_scripts_come_back_after_a_restart_forgot_them(board: Board) -> None:
    fill(board, 2)
    cast(Any, redis_client.connection()).script_flush()
    assert [row.score for row in ranking.top(board, 10).rows] == [20, 10]
