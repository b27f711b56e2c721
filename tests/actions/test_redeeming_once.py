"""One token, many threads, one moment: it is paid once. And the control: the same race is lost without the guard."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import connection

from accounts.models import User
from actions import redemption, tokens
from actions.batcher import Batcher
from actions.models import ActionToken
from actions.tokens import Minted
from api.problems import Problem
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory, UserScore
from tests.support.agreement import assert_agreement
from tests.support.client import UPDATE, Api, assert_problem
from tests.support.people import give, outcome, submission, update_body
from tests.support.processes import PATIENCE
from tests.support.races import at_once, none_failed

THREADS = 32

pytestmark = pytest.mark.usefixtures("board", "unlimited")


@pytest.fixture(params=["each its own statement", "group commit"])
def way(request: pytest.FixtureRequest, board: Board, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands and tasks redeem for themselves; a server process hands everything to its batcher."""
    if request.param == "group commit":
        batcher = Batcher(redemption.commit)
        monkeypatch.setattr(redemption, "_batcher", batcher)
        yield
        batcher.close()
    else:
        yield


@pytest.mark.usefixtures("way")
def test_of_32_threads_with_one_token_one_is_paid_and_31_learn_what_it_got(board: Board, alice: User) -> None:
    give(alice, 7)
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    body = update_body(minted)
    apis = [Api() for _ in range(THREADS)]
    answers = none_failed(at_once(THREADS, lambda number: apis[number].post(UPDATE, body, alice)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: THREADS - 1}
    [paid] = [answer.json()["data"] for answer in answers if answer.status_code == 200]
    assert (paid["new_score"], paid["score_delta"]) == (57, 50)
    row = ScoreHistory.objects.get(action_id=minted.action_id)
    for answer in answers:
        if answer.status_code == 409:
            original = assert_problem(answer, "already-redeemed")["original"]
            assert original["redeemed_at"] == row.created_at.isoformat().replace("+00:00", "Z")
            assert (original["new_score"], original["score_delta"]) == (57, 50)
    assert UserScore.objects.get(user=alice).total == 57
    assert ScoreHistory.objects.filter(user=alice).count() == 2
    assert_agreement(board)


SPENT = "SELECT redeemed_at IS NOT NULL FROM action_tokens WHERE id = %s"
SPEND = "UPDATE action_tokens SET redeemed_at = now() WHERE id = %s"
PAY = "UPDATE user_scores SET total = total + %s WHERE user_id = %s"


def test_the_control_look_then_pay_on_the_same_tables_pays_more_than_once(alice: User) -> None:
    """What a straightforward view would do: is it spent? no: spend it and pay."""
    give(alice, 7)
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    looked = threading.Barrier(8)

    def look_then_pay(_: int) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(SPENT, [minted.action_id])
            [spent] = cursor.fetchone()
            looked.wait(PATIENCE)
            if not spent:
                cursor.execute(SPEND, [minted.action_id])
                cursor.execute(PAY, [minted.points, alice.pk])
            return not spent

    assert at_once(8, look_then_pay) == [True] * 8
    assert UserScore.objects.get(user=alice).total == 7 + 8 * 50


def test_the_control_even_with_every_token_marked_unspent_the_history_pays_once(board: Board, alice: User) -> None:
    """The first guard removed at every moment by another thread: UNIQUE (user, action) still holds."""
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    done = threading.Event()

    def redeem(_: int) -> str:
        one = submission(minted)
        redemption.redeem_all(alice.pk, [one])
        return outcome(one)

    def vandal() -> None:
        try:
            while not done.is_set():
                ActionToken.objects.filter(pk=minted.action_id).update(redeemed_at=None)
        finally:
            connection.close()

    thread = threading.Thread(target=vandal)
    thread.start()
    try:
        results = none_failed(at_once(16, redeem))
    finally:
        done.set()
        thread.join(PATIENCE)
    assert Counter(results)["paid"] == 1
    assert UserScore.objects.get(user=alice).total == 50
    assert_agreement(board)


@pytest.mark.usefixtures("way")
def test_many_tokens_of_many_players_handed_in_by_several_threads_each(board: Board, alice: User, bob: User) -> None:
    """Every token four times at once, and everyone's sums come out exact."""
    minted: list[tuple[User, Minted]] = [
        (user, tokens.mint(user.pk, "COMPLETE_TASK")) for _ in range(6) for user in (alice, bob)
    ]

    def redeem(number: int) -> list[str]:
        outcomes = []
        for user, one in minted[number % 4 :] + minted[: number % 4]:
            try:
                redemption.redeem(user.pk, submission(one))
                outcomes.append("paid")
            except Problem as problem:
                outcomes.append(problem.kind)
        return outcomes

    outcomes = Counter(outcome for result in none_failed(at_once(4, redeem)) for outcome in result)
    assert outcomes == {"paid": 12, "already-redeemed": 36}
    for user in (alice, bob):
        assert UserScore.objects.get(user=user).total == 60
        totals = list(ScoreHistory.objects.filter(user=user).order_by("id").values_list("new_total", flat=True))
        assert totals == [10, 20, 30, 40, 50, 60]
    assert_agreement(board)


@pytest.mark.usefixtures("way")
def test_different_tokens_of_one_player_at_once_are_all_paid(board: Board, alice: User) -> None:
    minted = [tokens.mint(alice.pk, "DAILY_LOGIN") for _ in range(16)]
    results = none_failed(at_once(16, lambda number: redemption.redeem(alice.pk, submission(minted[number]))))
    assert sorted(result.new_score or 0 for result in results) == list(range(5, 85, 5))
    assert UserScore.objects.get(user=alice).total == 80
    assert_agreement(board)
