"""The cursor over what was committed: nothing is passed over, however late it commits, and nothing is sent on twice."""

from dataclasses import replace

import pytest

from accounts.models import User
from scoreboard import changes, ledger
from scoreboard.changes import Recorded
from scoreboard.models import ScoreHistory
from tests.leaderboard.test_sweep import open_transaction
from tests.support.people import entry, give, players
from tests.support.processes import eventually

pytestmark = pytest.mark.django_db(transaction=True)


class Reader:
    """What a sink is: a mark of its own, and what it was given.

    A transaction of another database holds entries back, too: other tests may run on the same server.
    """

    def __init__(self) -> None:
        self.at = (changes.now().oldest, 0)
        self.read: list[Recorded] = []

    def visit(self, limit: int = changes.CHUNK) -> list[int]:
        """The ids it gets now."""
        found = changes.entries(self.at, limit)
        if found:
            self.at = (found[-1].changed_xid, found[-1].id)
        self.read += found
        return [one.id for one in found]

    def visit_until(self, wanted: list[int], limit: int = changes.CHUNK) -> None:
        """Visits until it has read as many as these; it has then read exactly these, in this order."""

        def caught_up() -> bool:
            self.visit(limit)
            return len(self.read) >= len(wanted)

        eventually(caught_up, "the entries are readable")
        assert [one.id for one in self.read] == wanted
        assert self.visit() == []


def ids(*users: User) -> list[int]:
    return list(ScoreHistory.objects.filter(user__in=users).order_by("id").values_list("id", flat=True))


def test_an_entry_carries_what_a_sink_sends_on(alice: User) -> None:
    reader = Reader()
    given = give(alice, 7)
    row = ScoreHistory.objects.get()
    reader.visit_until([row.pk])
    [one] = reader.read
    assert (one.user_id, one.action_id, one.source) == (alice.pk, given.action_id, "adjustment")
    assert (one.delta, one.new_total, one.version, one.created_at) == (7, 7, 1, row.created_at)


def test_every_entry_is_read_once_page_by_page(alice: User, bob: User) -> None:
    reader = Reader()
    ledger.record([entry(user, 1) for user in (alice, bob) for _ in range(3)])
    give(alice, 1)
    reader.visit_until(ids(alice, bob), limit=2)


def test_an_entry_that_commits_late_is_waited_for_and_comes_in_its_place(alice: User, bob: User) -> None:
    reader = Reader()
    with open_transaction(alice, commits=True):
        give(bob, 1)
        assert reader.visit() == [], "alice's may still be committed before it"
    give(bob, 1)
    reader.visit_until([*ids(alice), *ids(bob)])


def test_the_control_by_the_highest_id_the_late_entry_would_be_passed_over(alice: User, bob: User) -> None:
    with open_transaction(alice, commits=True):
        give(bob, 1)
        highest = max(ids(bob))
    assert ids(alice)[0] < highest


def test_an_entry_that_is_rolled_back_stops_nobody(alice: User, bob: User) -> None:
    reader = Reader()
    with open_transaction(alice, commits=False):
        give(bob, 1)
    reader.visit_until(ids(bob))


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
