"""The sweep finds what a crash between commit and Redis left behind, and nothing that commits late escapes it."""

import time
from typing import Any, cast

import pytest
from channels.layers import get_channel_layer
from django.utils import timezone

from accounts.models import User
from api import redis_client
from leaderboard import boards, ranking, rebuild, reconcile, sweep, tasks
from leaderboard.boards import Board
from scoreboard import changes
from scoreboard.models import ScoreHistory, UserScore
from tests.support.agreement import assert_agreement, dump, sql_rows
from tests.support.boards import make
from tests.support.people import give, player, players
from tests.support.processes import PATIENCE, python
from tests.support.races import open_transaction

DIES = """
import json, os, signal, sys
from scoreboard import ledger
from accounts.models import User

def die(standings, notify):
    print("committed", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

# Exactly where the projection would begin: after the commit, before Redis.
ledger.set_projector(die)
user = User.objects.get(pk=sys.argv[1])
"""
DEATHS = {
    "score": """
import uuid
from scoreboard.ledger import Entry
from scoreboard import ledger
from scoreboard.models import ScoreHistory
entry = Entry(user.pk, uuid.uuid4(), ScoreHistory.Source.BONUS, delta=5)
ledger.announce(o.standing for o in ledger.record([entry]))
""",
    "redemption": """
import time
from actions import redemption, tokens
from actions.submission import Submission
minted = tokens.mint(user.pk, "COMPLETE_TASK")
said = {"action_id": minted.action_id, "action_type": minted.action_type, "action_token": minted.action_token}
redemption.redeem(user.pk, Submission(**said, timestamp=time.time()))
""",
    "hide": "User.objects.filter(pk=user.pk).update(is_hidden=True); ledger.announce_players([user.pk])",
    "rename": "User.objects.filter(pk=user.pk).update(username='after'); ledger.announce_players([user.pk])",
    "disable": "User.objects.filter(pk=user.pk).update(is_active=False); ledger.announce_players([user.pk])",
}


# One of those that change points, one of those that change what is shown.
SHORT = {"redemption", "hide"}


@pytest.mark.parametrize(
    "death", [pytest.param(death, marks=[] if death in SHORT else [pytest.mark.long]) for death in DEATHS]
)
def test_a_process_killed_between_commit_and_redis_is_healed(board: Board, death: str) -> None:
    victim, other = players(2)
    give(victim, 10)
    give(other, 12)
    sweep.sweep(board)
    before = dump(board)

    died = python(DIES + DEATHS[death], str(victim.pk))
    assert (died.stdout, died.returncode) == ("committed\n", -9), died.stderr
    assert dump(board)["rank"] == before["rank"]

    assert sweep.sweep(board).healed == 1
    assert_agreement(board)


def test_the_task_heals_every_board(board: Board) -> None:
    give(player(), 3, announced=False)
    tasks.sweep()
    assert_agreement(board)


def test_a_sweep_with_nothing_to_do_does_not_compare_everything(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    for user in players(3):
        give(user, 1)
    sweep.sweep(board)
    monkeypatch.setattr(reconcile, "reconcile", lambda board: pytest.fail("an idle board was compared as a whole"))
    for _ in range(3):
        assert sweep.sweep(board).healed == 0
    assert_agreement(board)


def test_a_transaction_that_commits_after_the_sweep_is_found_by_the_next(board: Board) -> None:
    slow, quick = players(2)
    give(slow, 1)
    with open_transaction(slow, commits=True):
        for _ in range(3):  # the world moves on meanwhile
            give(quick, 1)
            sweep.sweep(board)
        swept_at = timezone.now()

    # The control: by the clock this change happened before the last sweep, so a sweep by time would pass it over.
    score = UserScore.objects.get(user=slow)
    assert score.total == 8
    assert score.reached_at < swept_at
    assert not UserScore.objects.filter(reached_at__gte=swept_at).exists()
    assert not ScoreHistory.objects.filter(created_at__gte=swept_at).exists()
    # And by the highest transaction number that was known by then, too.
    assert score.changed_xid < UserScore.objects.get(user=quick).changed_xid

    assert sweep.sweep(board).healed == 1
    assert_agreement(board)


def test_a_change_that_is_rolled_back_reaches_no_board(board: Board) -> None:
    slow = player()
    give(slow, 1)
    with open_transaction(slow, commits=False):
        sweep.sweep(board)
    sweep.sweep(board)
    assert sql_rows()[0].score == 1
    assert_agreement(board)


@pytest.mark.parametrize(
    "mark",
    [None, "", "nonsense", "0", "7:x", "another-cluster/5:1", "another-cluster/5:99999999", f"{{here}}:{'9' * 5000}"],
)
def test_without_a_watermark_of_this_database_everything_is_compared(board: Board, mark: str | None) -> None:
    give(player(), 3, announced=False)
    redis = redis_client.connection()
    if mark is None:
        redis.hdel(boards.keys(board).meta, "swept")
    else:
        redis.hset(boards.keys(board).meta, "swept", mark.format(here=changes.now().source))
    # As old as it gets: nothing but a comparison finds it.
    UserScore.objects.update(changed_xid=3)
    assert sweep.sweep(board).healed == 1
    assert_agreement(board)


def test_a_period_that_was_asked_for_long_before_it_begins_costs_the_sweep_nothing(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader of next week's board has it built, a week before it is swept for the first time."""
    make("weekly", window="weekly")
    _, following, *_ = boards.listing().slugs["weekly"]
    rebuild.rebuild(following)
    for user in players(3):
        give(user, 5)
    sweep.sweep(board)
    since: list[int] = []
    standings = changes.standings

    def noted(mark: int) -> Any:
        since.append(mark)
        return standings(mark)

    monkeypatch.setattr(changes, "standings", noted)
    sweep.sweep(board)
    sweep.sweep_all([board, following])
    alone, together = since
    assert together >= alone


def test_a_lost_board_is_rebuilt(board: Board) -> None:
    give(player(), 3)
    redis_client.connection().delete(*boards.keys(board).all())
    assert sweep.sweep(board).rebuilt
    assert_agreement(board)


def test_redis_back_from_an_older_copy_gets_what_the_copy_lacks(board: Board) -> None:
    """What BGSAVE wrote before, and what a restart loads after: the watermark is as old as the rest."""
    early, late = players(2)
    give(early, 3)
    sweep.sweep(board)
    redis = cast(Any, redis_client.connection())
    copy = {key: redis.dump(key) for key in boards.keys(board).all()}
    give(late, 5)
    give(early, 9)
    User.objects.filter(pk=late.pk).update(username="renamed")
    for _ in range(3):
        sweep.sweep(board)
    for key, value in copy.items():
        redis.restore(key, 0, value, replace=True)
    assert sweep.sweep(board).healed == 2
    assert_agreement(board)


def test_a_restarted_redis_begins_a_new_epoch_so_that_viewers_take_what_follows_for_news(board: Board) -> None:
    redis = cast(Any, redis_client.connection())
    meta = boards.keys(board).meta
    give(player(), 3)
    epoch, seq = ranking.epoch(board), redis.hget(meta, "seq")
    sweep.sweep(board)
    assert (ranking.epoch(board), redis.hget(meta, "seq")) == (epoch, seq)

    redis.hset(meta, "run", "0" * 40)  # as written by another start of the server
    pubsub = redis.pubsub()
    pubsub.subscribe(boards.channel(board))
    pubsub.get_message(timeout=PATIENCE)
    sweep.sweep(board)
    renewed = ranking.epoch(board)
    assert renewed not in (None, epoch)
    told = pubsub.get_message(timeout=PATIENCE)
    pubsub.close()
    layer: Any = get_channel_layer()
    assert layer.deserialize(told["data"])["epoch"] == renewed

    give(player(), 4, announced=False)
    assert sweep.sweep(board).healed == 1
    assert ranking.epoch(board) == renewed
    assert_agreement(board)


def test_a_sweep_overtaken_by_the_loss_of_the_board_marks_nothing(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watermark belongs to an epoch: one that was read before a flush must not stand beside the board after it."""
    give(player(), 3)
    real = sweep.project_changes

    def flushed_meanwhile(since: dict[Board, int]) -> dict[Board, sweep.Swept]:
        swept = real(since)
        redis_client.connection().delete(*boards.keys(board).all())
        return swept

    monkeypatch.setattr(sweep, "project_changes", flushed_meanwhile)
    sweep.sweep(board)
    assert dump(board)["meta"] == {}
    monkeypatch.undo()
    assert sweep.sweep(board).rebuilt
    assert_agreement(board)


def test_when_it_swept_last_is_kept_beside_the_board(board: Board) -> None:
    redis, meta = redis_client.connection(), boards.keys(board).meta
    redis.hset(meta, "swept_at", "1.5")
    before = time.time()
    sweep.sweep(board)
    assert float(cast(Any, redis.hget(meta, "swept_at"))) >= before
