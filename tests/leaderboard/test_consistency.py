"""Whatever happens in whatever order, Redis ends up equal to SQL, and no viewer is ever told less than the truth."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from accounts.models import User
from api import redis_client
from leaderboard import boards, ranking, reads, rebuild, reconcile, sweep
from leaderboard.boards import Board
from scoreboard import ledger
from scoreboard.models import MAX_TOTAL, ScoreHistory
from scoreboard.standing import Standing
from tests.support.agreement import assert_agreement
from tests.support.backups import CopiedTables
from tests.support.database import without_scores
from tests.support.people import entry, players
from tests.support.viewer import Viewer

PEOPLE = 7
SMALL_TOP = 3  # so that seven players reach above and below what is visible

people = st.integers(0, PEOPLE - 1)
told = st.booleans()
# Few and small, so that equal totals are common; and the edge of the range.
deltas = st.sampled_from([1, 1, 2, 5, -1, -5, MAX_TOTAL, -MAX_TOTAL])
targets = st.sampled_from([0, 1, 2, 5, MAX_TOTAL - 1, MAX_TOTAL])
changes = st.sampled_from(
    [
        {"is_hidden": True},
        {"is_hidden": False},
        {"is_active": False},
        {"is_active": True},
        {"avatar_url": "https://example.org/a.png"},
        {"avatar_url": ""},
    ]
)
names = st.sampled_from(["", "é", "😀", "שלום", '"quoted"', "a\\b", "%s", "<b>"])
GARBAGE_MEMBERS = [b"", b"x", b"zzzzzzzzzzzzzzzz", b"0" * 16 + b"nobody", b"\xff\xfe", b"7" * 16]
GARBAGE_ENTRIES = [b"", b"x", b"5", b"5:", b":", b"-1:x", b"1e3:y", b"999999:", b"999999:zzz", b"\xff:\xff", b"1:\n"]
GARBAGE_PROFILES = [b"", b"x", b"{}", b"[]", b"null", b'"x"', b'{"username":5}', b"\xff"]


@pytest.fixture(autouse=True)
def in_slow_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, one step after the other: nothing is in flight for which a reconcile would have to wait."""
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(boards, "VISIBLE_TOP", SMALL_TOP)
    monkeypatch.setattr("scoreboard.changes.CHUNK", 3)  # several pages, between which others write
    # A lost board would be rebuilt by a thread in its own time; here the machine says when.
    monkeypatch.setattr(rebuild, "in_background", lambda board: None)


class Interleavings(RuleBasedStateMachine):
    """The write side, the read side, accidents and vandals, one step at a time."""

    board: Board
    users: list[User]

    def __init__(self) -> None:
        super().__init__()
        self.redis: Any = redis_client.connection()
        self.keys = boards.keys(self.board)
        # In this order: a change of the profile makes and raises rows of user_scores.
        for user in self.users:
            fresh = {"username": user.username, "is_hidden": False, "is_active": True, "avatar_url": ""}
            User.objects.filter(pk=user.pk).update(**fresh)
        without_scores()
        self.lose_everything()
        assert rebuild.rebuild(self.board)
        self.news: list[Standing] = []
        self.backup = CopiedTables()
        self.renames = 0
        self.behind = False  # Redis missed something that a sweep finds
        self.vandalised = False  # Redis holds something that only a reconcile finds
        self.viewer = Viewer(self.board, SMALL_TOP)

    def teardown(self) -> None:
        self.viewer.close()
        reconcile.reconcile(self.board)
        assert_agreement(self.board)

    # --- The write side -----------------------------------------------------------------------------

    def record(self, entries: list[ledger.Entry], announced: bool) -> None:
        changed = [outcome.standing for outcome in ledger.record(entries)]
        self.news += [standing for standing in changed if standing]
        if announced:
            ledger.announce(changed)
        else:
            self.behind = True

    @rule(who=people, delta=deltas, announced=told)
    def score(self, who: int, delta: int, announced: bool) -> None:
        self.record([entry(self.users[who], delta)], announced)

    @rule(who=people, total=targets, announced=told)
    def adjust(self, who: int, total: int, announced: bool) -> None:
        self.record([entry(self.users[who], target=total)], announced)

    @rule(whos=st.lists(people, min_size=2, max_size=6), points=st.integers(1, 3), announced=told)
    def give_bonus_to_many(self, whos: list[int], points: int, announced: bool) -> None:
        """One call: all of them reach their totals at the same microsecond."""
        source = ScoreHistory.Source.BONUS
        given = [entry(self.users[who], points) for who in whos]
        self.record([ledger.Entry(e.user_id, e.action_id, source, delta=points) for e in given], announced)

    @rule(who=people, change=changes, announced=told)
    def change_profile(self, who: int, change: dict[str, Any], announced: bool) -> None:
        User.objects.filter(pk=self.users[who].pk).update(**change)
        self.tell_of(who, announced)

    @rule(who=people, name=names, announced=told)
    def rename(self, who: int, name: str, announced: bool) -> None:
        self.renames += 1
        User.objects.filter(pk=self.users[who].pk).update(username=f"{name}{who}-{self.renames}")
        self.tell_of(who, announced)

    def tell_of(self, who: int, announced: bool) -> None:
        self.news += ledger.standings([self.users[who].pk])
        if announced:
            ledger.announce_players([self.users[who].pk])
        else:
            self.behind = True

    # --- Late, repeated and reordered news ----------------------------------------------------------

    @precondition(lambda self: self.news)
    @rule(seed=st.integers(0, 2**32))
    def old_news_arrives_again(self, seed: int) -> None:
        chance = random.Random(seed)
        late = chance.choices(self.news, k=min(len(self.news), chance.randint(1, 6)))
        ledger.announce(late)
        for standing in late:  # and one by one: `announce` keeps only the newest of each player
            ledger.announce([standing])

    # --- Accidents ----------------------------------------------------------------------------------

    @rule()
    def lose_everything(self) -> None:
        self.redis.delete(*self.keys.all())
        self.behind, self.vandalised = True, False

    @rule(field=st.sampled_from(["epoch", "seq", "updated"]))
    def lose_a_counter(self, field: str) -> None:
        self.redis.hdel(self.keys.meta, field)
        self.behind = True

    @rule(mark=st.sampled_from([None, "", "x", "0", "a/b:", "a/b:5", "a/b:x"]))
    def lose_the_watermark(self, mark: str | None) -> None:
        if mark is None:
            self.redis.hdel(self.keys.meta, "swept")
        else:
            self.redis.hset(self.keys.meta, "swept", mark)

    @rule()
    def back_up(self) -> None:
        self.backup = CopiedTables()

    @rule()
    def restore(self) -> None:
        """Redis is ahead of SQL now. Nothing is on its way to the board: who sent it ended with the old database."""
        self.backup.restore()
        self.news.clear()
        self.behind = True

    # --- What heals ---------------------------------------------------------------------------------

    @rule()
    def sweep(self) -> None:
        """Enough by itself unless an operator wrote into Redis by hand."""
        self.repaired(sweep.sweep(self.board).rebuilt)

    @rule()
    def reconcile(self) -> None:
        """Enough whatever happened, and a second one has nothing to do."""
        reconcile.reconcile(self.board)
        self.repaired(True)
        assert reconcile.reconcile(self.board, check=True).drift == 0

    @rule(seed=st.integers(0, 2**32))
    def reconcile_beside_writers_and_another_reconcile(self, seed: int) -> None:
        """As if the lock had failed: the same session may take it again."""
        chance = random.Random(seed)

        def meanwhile(compared: int) -> None:
            self.record([entry(self.users[chance.randrange(PEOPLE)], chance.choice([1, 2, -1]))], announced=True)
            if chance.random() < 0.5:
                reconcile.reconcile(self.board)

        reconcile.reconcile(self.board, progress=meanwhile)
        self.repaired(True)

    @rule()
    def rebuild(self) -> None:
        lost = ranking.epoch(self.board) is None
        assert rebuild.rebuild(self.board) == lost
        if lost:
            self.repaired(True)

    def repaired(self, everything: bool) -> None:
        self.behind = False
        self.vandalised &= not everything
        if not self.vandalised:
            self.viewer.look_again()

    # --- What holds at every moment -----------------------------------------------------------------

    @invariant()
    def redis_is_sql_unless_it_missed_something(self) -> None:
        if not self.behind and not self.vandalised:
            assert_agreement(self.board)

    @invariant()
    def the_ledger_adds_up(self) -> None:
        assert list(reconcile.ledger_mismatches()) == []

    @invariant()
    def everyone_can_be_read(self) -> None:
        """From Redis or, when it holds nonsense, from SQL; never an error."""
        reads.top(self.board, 10)
        for user in self.users[:2]:
            reads.player(self.board, user.pk)
            reads.around(self.board, user.pk, 2)

    @invariant()
    def the_viewer_has_the_newest_snapshot(self) -> None:
        self.viewer.follow()


class Vandals(Interleavings):
    """The same, and an operator with redis-cli who writes what only a reconcile can undo."""

    def vandalise(self) -> None:
        self.vandalised = True
        self.viewer.look_away()

    @rule(raw=st.sampled_from(GARBAGE_MEMBERS), who=people, own=told, total=st.sampled_from([0.5, 3, 1e300, "inf", -7]))
    def add_to_the_ranking(self, raw: bytes, who: int, own: bool, total: float) -> None:
        member = raw + str(self.users[who].pk).encode() if own else raw
        self.redis.zadd(self.keys.rank, {member: total})
        self.vandalise()

    @rule(position=st.integers(0, 5), total=st.sampled_from([0, 1.5, 4, MAX_TOTAL]))
    def move_somebody(self, position: int, total: float) -> None:
        for member in self.redis.zrevrange(self.keys.rank, position, position):
            self.redis.zadd(self.keys.rank, {member: total})
        self.vandalise()

    @rule(position=st.integers(0, 5))
    def remove_somebody(self, position: int) -> None:
        self.redis.zrem(self.keys.rank, *self.redis.zrevrange(self.keys.rank, position, position), "nobody")
        self.vandalise()

    @rule(which=st.sampled_from(["player", "profile"]), who=people | st.just("nobody"), pick=st.integers(0, 99))
    def scribble(self, which: str, who: int | str, pick: int) -> None:
        values = {"player": GARBAGE_ENTRIES, "profile": GARBAGE_PROFILES}[which]
        field = who if isinstance(who, str) else str(self.users[who].pk)
        self.redis.hset(getattr(self.keys, which), field, values[pick % len(values)])
        self.vandalise()

    @rule(which=st.sampled_from(["player", "profile"]), who=people)
    def erase(self, which: str, who: int) -> None:
        self.redis.hdel(getattr(self.keys, which), str(self.users[who].pk))
        self.vandalise()

    @rule(which=st.sampled_from(["rank", "player", "profile"]))
    def evict(self, which: str) -> None:
        self.redis.delete(getattr(self.keys, which))
        self.vandalise()


def explore(machine: type[RuleBasedStateMachine], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("examples", [5, pytest.param(60, marks=pytest.mark.long)])
def test_any_interleaving_ends_in_agreement(board: Board, examples: int) -> None:
    Interleavings.board, Interleavings.users = board, players(PEOPLE)
    explore(Interleavings, examples)


@pytest.mark.long
def test_whatever_is_written_into_redis_by_hand_a_reconcile_undoes(board: Board) -> None:
    Vandals.board, Vandals.users = board, players(PEOPLE)
    explore(Vandals, 30)
