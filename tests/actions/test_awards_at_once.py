"""The same award at one moment on many connections: paid once, and the control, without the claim, pays more often."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts import api_keys, privacy
from accounts.models import ApiKey, User
from accounts.players import Description
from actions import awards
from actions.awards import Entry
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory, UserScore
from tests.support.agreement import assert_agreement
from tests.support.database import unguarded
from tests.support.races import at_once, none_failed

pytestmark = pytest.mark.django_db(transaction=True)
CROWD = 32


@pytest.fixture
def key(transactional_db: None) -> ApiKey:
    return api_keys.issue("site", ["award"], limit="off")[0]


def record(key: ApiKey, *entries: Entry) -> list[Entry]:
    awards.record(key, entries)
    return list(entries)


def entry(deed: str, player: str, **more: Any) -> Entry:
    return Entry(id=deed, action_type="COMPLETE_TASK", player=player, **more)


def repeat(key: ApiKey, deed: str) -> Callable[[int], Entry]:
    return lambda number: record(key, entry(deed, "42"))[0]


def test_one_deed_on_32_connections_is_paid_once(board: Board, key: ApiKey) -> None:
    for count, deed in enumerate(("by a player who is new", "by one who is not"), start=1):
        told = none_failed(at_once(CROWD, repeat(key, deed)))
        assert sorted(one.replayed for one in told) == [False] + [True] * (CROWD - 1)
        user = User.objects.get(external_id="42")
        assert {(one.score_delta, one.new_score, one.user_id) for one in told} == {(10, 10 * count, user.pk)}
        assert (ScoreHistory.objects.count(), UserScore.objects.get(pk=user.pk).total) == (count, 10 * count)
    assert_agreement(board)


@pytest.mark.long
def test_control_without_the_claim_it_is_paid_more_often(board: Board, key: ApiKey) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE awards DROP CONSTRAINT awards_once")
    record(key, entry("before", "42"))
    try:
        for deed in range(10):  # of which one is enough that two calls meet in
            at_once(CROWD, repeat(key, str(deed)))
        assert ScoreHistory.objects.count() > 11
    finally:
        with unguarded() as cursor:
            cursor.execute("DELETE FROM awards")
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE awards ADD CONSTRAINT awards_once UNIQUE (provider, key)")


def test_batches_over_the_same_players_and_deeds_end_beside_renames_and_erasures(board: Board, key: ApiKey) -> None:
    """Each in another order, with names that change: no deadlock, and every deed is paid once."""

    def work(number: int) -> list[Entry]:
        if number % 8 == 7:
            for user in User.objects.exclude(provider="local").filter(erased_at=None)[:2]:
                privacy.erase(user.pk)
            return []
        order = [(place * (2 * number + 1)) % 64 for place in range(64)]
        return record(
            key,
            *(entry(f"d{n}", f"p{n % 16}", description=Description(name=f"{number}-{n}")) for n in order),
        )

    results = none_failed(at_once(16, work))
    assert {one.refusal for entries in results for one in entries} == {None}
    assert ScoreHistory.objects.count() == 64
    assert set(ScoreHistory.objects.values_list("delta", flat=True)) == {10}
    assert_agreement(board)


def test_a_deed_is_not_paid_again_after_its_player_was_erased(board: Board, key: ApiKey) -> None:
    record(key, entry("other", "43"))
    [first] = record(key, entry("deed", "42"))
    assert first.user_id
    privacy.erase(first.user_id)
    [again] = record(key, entry("deed", "42"))
    assert (again.replayed, again.new_score, again.user_id) == (True, 10, first.user_id)
    assert not User.objects.filter(external_id="42").exists(), "a repeat makes no player"
    [anew] = record(key, entry("deed 2", "42"))
    assert (anew.new_score, anew.user_id != first.user_id) == (10, True)
    [again] = record(key, entry("deed", "42"))
    assert (again.replayed, again.refusal) == (True, None)
    for other in (entry("deed", "43"), entry("deed", "42", points=10)):
        assert getattr(record(key, other)[0].refusal, "kind", "") == "id-reused"
    assert_agreement(board)
