"""The cursor over what was committed: nothing is passed over, however late it commits, and nothing is sent on twice."""

import random
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest
from django.db import connection, transaction

from accounts.models import User
from scoreboard import changes, ledger
from scoreboard.changes import Recorded
from scoreboard.models import ScoreHistory, UserScore
from tests.support.people import entry, give, players
from tests.support.races import at_once, beside, none_failed, open_transaction, uncommitted

pytestmark = pytest.mark.django_db(transaction=True)


class Reader:
    """What a sink is: the snapshot up to which it has read, and what it was given."""

    def __init__(self) -> None:
        self.since = changes.snapshot()
        self.read: list[Recorded] = []

    def visit(self, limit: int = changes.CHUNK) -> list[int]:
        """The ids it gets now, page by page."""
        until, got = changes.snapshot(), list[int]()
        first = changes.first(self.since, until)
        after = (first or 0) - 1
        while first is not None and (page := changes.entries(self.since, until, after, limit)):
            got += [one.id for one in page]
            self.read += page
            after = got[-1]
        self.since = until
        return got


def ids(*users: User) -> list[int]:
    return list(ScoreHistory.objects.filter(user__in=users).order_by("id").values_list("id", flat=True))


def take_number() -> None:
    """Gives this session's transaction its number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")


def test_an_entry_carries_what_a_sink_sends_on(alice: User) -> None:
    reader = Reader()
    given = give(alice, 7)
    row = ScoreHistory.objects.get()
    assert reader.visit() == [row.pk]
    [one] = reader.read
    assert (one.user_id, one.action_id, one.source) == (alice.pk, given.action_id, "adjustment")
    assert (one.delta, one.new_total, one.version, one.created_at) == (7, 7, 1, row.created_at)
    assert changes.these([row.pk]) == [one]


def test_every_entry_is_read_once_page_by_page(alice: User, bob: User) -> None:
    reader = Reader()
    ledger.record([entry(user, 1) for user in (alice, bob) for _ in range(3)])
    give(alice, 1)
    assert reader.visit(limit=2) == sorted(ids(alice, bob))
    assert reader.visit() == []


def test_an_entry_that_commits_late_holds_no_other_back_and_is_not_passed_over(alice: User, bob: User) -> None:
    reader = Reader()
    with open_transaction(alice, commits=True):
        give(bob, 1)
        assert reader.visit() == ids(bob)
    assert reader.visit() == ids(alice)
    assert reader.visit() == []


def test_the_control_by_the_highest_id_the_late_entry_would_be_passed_over(alice: User, bob: User) -> None:
    with open_transaction(alice, commits=True):
        give(bob, 1)
        highest = max(ids(bob))
    assert ids(alice)[0] < highest


def test_an_entry_that_is_rolled_back_stops_no_other(alice: User, bob: User) -> None:
    reader = Reader()
    with open_transaction(alice, commits=False):
        give(bob, 1)
    assert reader.visit() == ids(bob)
    assert reader.visit() == []


def test_a_player_s_entries_come_in_the_order_of_their_commits_whatever_the_numbers(alice: User) -> None:
    """A transaction takes its number, is overtaken by a later number on the same player, and commits after it; a third
    one, with a number between them, is open all the while. The control: by numbers the order is turned round."""
    reader = Reader()

    def overtaken(pause: Callable[[], None]) -> None:
        with transaction.atomic():
            take_number()
            pause()
            ledger.record([entry(alice, 2)])

    with ExitStack() as still_open:
        with beside(overtaken):
            still_open.enter_context(uncommitted(take_number))
            give(alice, 1)
        first, second = ScoreHistory.objects.order_by("version").values_list("id", "changed_xid")
        assert second[1] < first[1], "the later entry has the lower number"
        assert reader.visit() == [first[0], second[0]]
    assert reader.visit() == []


@pytest.mark.parametrize("visits", [30, pytest.param(400, marks=pytest.mark.long)])
def test_beside_eight_writers_each_entry_comes_once_and_each_player_s_in_order(visits: int) -> None:
    reader, done = Reader(), threading.Event()
    few = players(3)

    def write(number: int) -> None:
        some = random.Random(number)
        while not done.is_set():
            with transaction.atomic():
                take_number()
                for user in some.sample(sorted(few, key=lambda one: one.pk), 1):
                    ledger.record([entry(user, 1) for _ in range(some.randint(1, 3))])
                transaction.set_rollback(some.random() < 0.2)

    def read_and_write(number: int) -> None:
        if number:
            return write(number)
        try:
            for _ in range(visits):
                while not reader.visit(limit=7):
                    pass
        finally:
            done.set()

    none_failed(at_once(8, read_and_write))
    reader.visit()
    read = [one.id for one in reader.read]
    assert sorted(read) == ids(*few)
    for user in few:
        versions = [one.version for one in reader.read if one.user_id == user.pk]
        assert versions == sorted(versions)
        assert len(versions) == UserScore.objects.get(user=user).total


def test_standings_since_a_mark_are_those_that_were_raised_since(alice: User) -> None:
    early, late = players(2)
    give(early, 1)
    kept = str(changes.now())
    give(late, 2)
    User.objects.filter(pk=alice.pk).update(is_hidden=True)
    since = changes.now().since(kept)
    assert since is not None
    found = [standing for page in changes.standings(since) for standing in page]
    # And whom a transaction that is still open anywhere on this server makes it read twice.
    assert {late.pk, alice.pk} <= {standing.user_id for standing in found} <= {early.pk, late.pk, alice.pk}


@pytest.mark.parametrize("kept", [None, "", "nonsense", "1/2/3/4:5", ":7"])
def test_a_mark_that_is_not_of_this_database_begins_with_everything(kept: str | None) -> None:
    assert changes.now().since(kept) is None


def test_a_mark_from_the_future_of_this_database_begins_with_everything() -> None:
    now = changes.now()
    assert now.since(str(now)) == now.oldest
    assert now.since(str(replace(now, oldest=now.next + 1))) is None
