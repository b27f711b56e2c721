"""The projector between the write side and the read side: told after commit; its failure costs nothing."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from weakref import ReferenceType

import pytest
from django.apps import apps
from django.db import transaction
from django.db.models import signals as model_signals
from prometheus_client import REGISTRY

from accounts.models import User
from actions import redemption, tokens
from actions.admission import admit
from leaderboard import ranking
from leaderboard.boards import Board
from leaderboard.projection import project
from scoreboard import ledger
from scoreboard.models import ScoreHistory, UserScore
from scoreboard.standing import Standing
from tests.support.agreement import assert_agreement
from tests.support.client import UPDATE, Api
from tests.support.people import entry, give, player, submission, update_body


def failures() -> float:
    return REGISTRY.get_sample_value("scoreboard_projection_failures_total") or 0.0


def recorded(source: str) -> float:
    return REGISTRY.get_sample_value("score_increment_total", {"source": source}) or 0.0


def test_what_is_rolled_back_is_not_counted_as_recorded(board: Board, alice: User) -> None:
    minted, before = tokens.mint(alice.pk, "WIN_MATCH"), (recorded("adjustment"), recorded("action"))
    for error in (ZeroDivisionError, None):
        with suppress(ZeroDivisionError), transaction.atomic():
            ledger.record([entry(alice, 5)])
            redemption.spend(admit(alice.pk, [submission(minted)]))
            if error:
                raise error
    assert (recorded("adjustment"), recorded("action")) == (before[0] + 1, before[1] + 1)
    assert UserScore.objects.get(user=alice).total == 55


def test_the_projector_is_the_read_side_s_and_ready_sets_it() -> None:
    assert ledger._projector is project
    ledger.set_projector(None)
    apps.get_app_config("leaderboard").ready()
    assert ledger._projector is project


def test_without_a_projector_ranks_are_unknown_and_nothing_fails(board: Board, alice: User) -> None:
    ledger.set_projector(None)
    before = failures()
    assert ledger.announce([give(alice, 5, announced=False).standing]) == {}
    assert failures() == before


def test_no_signal_of_django_s_models_has_a_receiver_of_ours() -> None:
    ours = {"scoreboard", "actions", "leaderboard", "api", "config"}
    for name in ("pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed", "pre_init", "post_init"):
        heard = [receiver for _, receiver, *_ in getattr(model_signals, name).receivers]
        called = [receiver() if isinstance(receiver, ReferenceType) else receiver for receiver in heard]
        assert ours.isdisjoint(receiver.__module__.split(".")[0] for receiver in called if receiver)


@pytest.fixture
def failing() -> None:
    """A read side that breaks in an unforeseen way."""

    def fail(standings: Sequence[Standing], notify: bool) -> dict[uuid.UUID, int | None]:
        raise ZeroDivisionError("a defect of the read side")

    ledger.set_projector(fail)


@pytest.fixture(autouse=True)
def reconnected() -> Iterator[None]:
    """Whatever a test did to the projector is undone."""
    yield
    apps.get_app_config("leaderboard").ready()


@pytest.mark.usefixtures("unlimited", "failing")
def test_a_projector_that_raises_leaves_the_rank_unknown_and_the_score_standing(
    board: Board, api: Api, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    before = failures()
    answer = api.post(UPDATE, update_body(minted), alice)
    assert answer.status_code == 200
    assert answer.json()["data"] == {
        "action_id": str(minted.action_id),
        "new_score": 50,
        "score_delta": 50,
        "rank": None,
    }
    assert failures() == before + 1
    assert "projection_failed" in caplog.text
    assert UserScore.objects.get(user=alice).total == 50
    assert ScoreHistory.objects.filter(user=alice).count() == 1


def test_the_answer_of_the_projector_reaches_the_caller(board: Board, alice: User, bob: User) -> None:
    give(bob, 7)
    [outcome] = ledger.record([entry(alice, 5)])
    assert ledger.announce([outcome.standing]) == {alice.pk: 2}


def test_of_several_standings_of_one_player_the_newest_is_told(board: Board, alice: User) -> None:
    heard: list[Sequence[Standing]] = []

    def listen(standings: Sequence[Standing], notify: bool) -> dict[uuid.UUID, int | None]:
        heard.append(standings)
        return {}

    ledger.set_projector(listen)
    first, second = give(alice, 1, announced=False).standing, give(alice, 2, announced=False).standing
    ledger.announce([second, first, None])
    assert heard == [[second]]
    ledger.announce([])
    ledger.announce([None])
    assert heard == [[second]]


def test_inside_a_transaction_the_telling_waits_for_the_commit(board: Board, alice: User) -> None:
    with transaction.atomic():
        assert give(alice, 5).outcome == "recorded"
        assert ranking.top(board, 10).rows == []
    assert [row.score for row in ranking.top(board, 10).rows] == [5]


def test_of_a_transaction_that_is_rolled_back_nothing_is_told(board: Board, alice: User) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():  # noqa: PT012
        give(alice, 5)
        raise RuntimeError
    assert ranking.top(board, 10).rows == []
    assert_agreement(board)


def test_a_change_of_the_profile_inside_a_transaction_is_told_as_committed(board: Board, alice: User) -> None:
    give(alice, 5)
    with transaction.atomic():
        ledger.announce_players([alice.pk])
        User.objects.filter(pk=alice.pk).update(username="renamed")
    assert ranking.top(board, 1).rows[0].username == "renamed"
    assert_agreement(board)


def test_announcing_somebody_without_points_or_nobody_is_no_error(board: Board) -> None:
    ledger.announce_players([player().pk, uuid.uuid4()])
    ledger.announce_players([])
    assert_agreement(board)
