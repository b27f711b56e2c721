"""The ledger: every score enters here, each entry is judged alone, nothing else changes a total."""

import uuid

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from scoreboard import ledger
from scoreboard.ledger import Entry
from scoreboard.models import MAX_TOTAL, Bonus, ScoreHistory, UserScore
from tests.support.client import Api
from tests.support.people import entry, give, player, site_key

pytestmark = pytest.mark.django_db


def history(user: User) -> list[tuple[int, int, int, int]]:
    """(old, delta, new, version) of each row, oldest first."""
    rows = ScoreHistory.objects.filter(user=user).order_by("id")
    return list(rows.values_list("old_total", "delta", "new_total", "version"))


def test_a_first_entry_makes_the_total_and_one_history_row(alice: User) -> None:
    outcome = give(alice, 7)
    assert (outcome.outcome, outcome.old_total, outcome.delta, outcome.new_total) == ("recorded", 0, 7, 7)
    assert history(alice) == [(0, 7, 7, 1)]
    score = UserScore.objects.get(user=alice)
    assert (score.total, score.version) == (7, 1)


def test_the_standing_is_what_sql_has_after_the_call(alice: User) -> None:
    outcome = give(alice, 7)
    assert ledger.standings([alice.pk]) == [outcome.standing]


def test_entries_of_one_call_add_up_in_their_order_and_raise_one_version_each(alice: User, bob: User) -> None:
    outcomes = ledger.record([entry(alice, 5), entry(bob, 3), entry(alice, -2), entry(alice, 4)])
    assert [o.outcome for o in outcomes] == ["recorded"] * 4
    assert history(alice) == [(0, 5, 5, 1), (5, -2, 3, 2), (3, 4, 7, 3)]
    assert history(bob) == [(0, 3, 3, 1)]
    assert [o.standing.version for o in outcomes if o.standing] == [1, 1, 2, 3]
    assert ledger.standings([alice.pk]) == [outcomes[3].standing]


def test_what_a_call_looks_up_grows_with_its_entries_and_not_with_their_square(alice: User) -> None:
    """A reviewer takes a thousand entries of one player back in one call."""

    def looked_up(count: int) -> int:
        before = lookups()
        assert {outcome.outcome for outcome in ledger.record([entry(alice, 1) for _ in range(count)])} == {"recorded"}
        return lookups() - before

    looked_up(1)
    assert looked_up(40) < 20 * looked_up(4)


def lookups() -> int:
    """In the index of totals, by this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'user_scores'")
        return int(cursor.fetchone()[0])


def test_no_entries_are_no_call() -> None:
    assert ledger.record([]) == []


def test_a_target_becomes_the_total_and_its_difference_the_delta(alice: User) -> None:
    give(alice, 50)
    outcome = give(alice, target=20)
    assert (outcome.delta, outcome.new_total) == (-30, 20)


def test_what_refuses_one_entry_does_not_touch_the_others(alice: User) -> None:
    give(alice, 10)
    outcomes = ledger.record(
        [
            entry(alice, -11),
            entry(alice, 1),
            entry(alice, 0),
            entry(alice, target=11),
            Entry(uuid.uuid4(), uuid.uuid4(), ScoreHistory.Source.BONUS, delta=1),
            entry(alice, MAX_TOTAL),
            entry(alice, 2),
        ]
    )
    assert [o.outcome for o in outcomes] == [
        "score-out-of-range",
        "recorded",
        "unchanged",
        "unchanged",
        "unknown-user",
        "score-out-of-range",
        "recorded",
    ]
    assert history(alice) == [(0, 10, 10, 1), (10, 1, 11, 2), (11, 2, 13, 3)]


@pytest.mark.parametrize(("start", "delta"), [(0, -1), (5, -6), (MAX_TOTAL, 1), (1, MAX_TOTAL), (0, -MAX_TOTAL)])
def test_a_total_never_leaves_its_range(alice: User, start: int, delta: int) -> None:
    if start:
        give(alice, start)
    before = history(alice)
    assert give(alice, delta).outcome == "score-out-of-range"
    assert history(alice) == before


@pytest.mark.parametrize("target", [-1, MAX_TOTAL + 1])
def test_a_target_outside_the_range_is_refused(alice: User, target: int) -> None:
    assert give(alice, target=target).outcome == "score-out-of-range"
    assert history(alice) == []


def test_a_delta_that_overflows_bigint_is_refused_and_not_an_error(alice: User) -> None:
    give(alice, MAX_TOTAL)
    assert give(alice, 2**63 - 1).outcome == "score-out-of-range"
    assert give(alice, -(2**63)).outcome == "score-out-of-range"
    assert history(alice) == [(0, MAX_TOTAL, MAX_TOTAL, 1)]


def test_the_whole_range_can_be_reached_and_left_again(alice: User) -> None:
    assert give(alice, MAX_TOTAL).new_total == MAX_TOTAL
    assert give(alice, -MAX_TOTAL).new_total == 0


def test_a_repeat_answers_with_the_first_outcome_and_writes_nothing(alice: User) -> None:
    action = uuid.uuid4()
    first = ledger.record([entry(alice, 5, action=action)])[0]
    give(alice, 100)
    repeat = ledger.record([entry(alice, 9, action=action)])[0]
    assert repeat.outcome == "duplicate"
    assert (repeat.delta, repeat.old_total, repeat.new_total) == (5, 0, 5)
    assert repeat.created_at == first.created_at
    assert len(history(alice)) == 2


def test_a_repeat_inside_one_call_answers_with_the_first_outcome(alice: User) -> None:
    action = uuid.uuid4()
    first, repeat = ledger.record([entry(alice, 5, action=action), entry(alice, 9, action=action)])
    assert (first.outcome, repeat.outcome) == ("recorded", "duplicate")
    assert (repeat.delta, repeat.old_total, repeat.new_total, repeat.created_at) == (5, 0, 5, first.created_at)
    assert history(alice) == [(0, 5, 5, 1)]


def test_a_repeat_of_what_was_refused_in_the_same_call_is_refused_alike(alice: User) -> None:
    action = uuid.uuid4()
    outcomes = ledger.record([entry(alice, -5, action=action), entry(alice, -5, action=action)])
    assert [o.outcome for o in outcomes] == ["score-out-of-range"] * 2


def test_one_action_id_of_two_players_is_two_actions(alice: User, bob: User) -> None:
    action = uuid.uuid4()
    outcomes = ledger.record([entry(alice, 5, action=action), entry(bob, 5, action=action)])
    assert [o.outcome for o in outcomes] == ["recorded", "recorded"]


def test_every_history_row_continues_the_one_before(alice: User) -> None:
    for delta in (5, -3, 10, 0, -50, 8):
        give(alice, delta)
    rows = history(alice)
    assert [row[0] for row in rows] == [0, *(row[2] for row in rows[:-1])]
    assert [row[3] for row in rows] == [1, 2, 3, 4]
    assert UserScore.objects.get(user=alice).total == rows[-1][2]


def test_who_acted_why_and_in_which_request_is_kept(alice: User, bob: User) -> None:
    ledger.record(
        [Entry(alice.pk, uuid.uuid4(), ScoreHistory.Source.BONUS, delta=5, actor_id=bob.pk, reason="Nice save. é😀")]
    )
    row = ScoreHistory.objects.get(user=alice)
    assert (row.source, row.actor_id, row.reason) == ("bonus", bob.pk, "Nice save. é😀")


# --- What the tables refuse to every session ---------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE score_history SET delta = delta",
        "UPDATE score_history SET reason = 'better' WHERE false",
        "DELETE FROM score_history",
        "DELETE FROM score_history WHERE false",
        "TRUNCATE score_history CASCADE",
        "TRUNCATE users CASCADE",
    ],
)
def test_history_refuses_update_delete_and_truncate(alice: User, sql: str) -> None:
    give(alice, 5)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # with checks pending PostgreSQL itself refuses to truncate
        with pytest.raises(DatabaseError, match=r"append-only|never removed"), transaction.atomic():
            cursor.execute(sql)
    assert history(alice) == [(0, 5, 5, 1)]


@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("table", ["user_scores", "bonuses", "awards", "django_admin_log"])
def test_totals_bonuses_awards_and_the_admin_log_are_never_removed(
    api: Api, alice: User, bob: User, table: str, statement: str
) -> None:
    award = {"id": "order-1", "user_id": str(alice.pk), "action_type": "WIN_MATCH"}
    assert api.post("/api/v1/awards", award, headers=site_key()).status_code == 201
    Bonus.objects.create(actor=bob, key="k-1", user=alice, points=5, reason="won the cup")
    LogEntry.objects.log_actions(bob.pk, [alice], CHANGE, "Hidden.", single_object=True)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match=f"{table}.* are never removed"), transaction.atomic():
            cursor.execute(statement.format(table))


def test_history_refuses_the_orm_too(alice: User) -> None:
    give(alice, 5)
    with pytest.raises(TypeError):
        ScoreHistory.objects.get(user=alice).save()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ScoreHistory.objects.filter(user=alice).update(delta=6)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ScoreHistory.objects.filter(user=alice).delete()


COPY = """
INSERT INTO score_history (user_id, action_id, source, action_type, delta, old_total, new_total, version, reason,
                           request_id, created_at)
SELECT user_id, {action}, source, action_type, {delta}, old_total, new_total, version, reason, request_id, created_at
  FROM score_history
"""


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"action": "action_id", "delta": "delta"}, "score_history_action_once"),
        ({"action": "gen_random_uuid()", "delta": "delta + 1"}, "score_history_sums"),
    ],
)
def test_a_direct_insert_past_the_ledger_meets_the_constraints(
    alice: User, values: dict[str, str], constraint: str
) -> None:
    give(alice, 5)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(COPY.format(**values))


@pytest.mark.parametrize("total", [-1, MAX_TOTAL + 1, 2**63 - 1])
def test_a_direct_update_cannot_leave_the_range(alice: User, total: int) -> None:
    give(alice, 5)
    with pytest.raises(IntegrityError, match="user_scores_total_range"), transaction.atomic():
        UserScore.objects.filter(user=alice).update(total=total)


def test_a_player_with_points_cannot_be_deleted(alice: User) -> None:
    give(alice, 5)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(IntegrityError, match="violates foreign key"), transaction.atomic():
            cursor.execute("DELETE FROM users WHERE id = %s", [alice.pk])


# --- Changes of the profile -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"username": "renamed"},
        {"avatar_url": "https://example.org/a.png"},
        {"region": "eu"},
        {"is_hidden": True},
        {"is_active": False},
        {"role": "moderator"},  # shown by none: it waits for the ledger, which reads it
    ],
)
def test_what_a_board_shows_raises_the_version_whoever_changes_it(alice: User, change: dict[str, object]) -> None:
    give(alice, 5)
    before = UserScore.objects.get(user=alice)
    User.objects.filter(pk=alice.pk).update(**change)
    after = UserScore.objects.get(user=alice)
    assert (after.version, after.total, after.reached_at) == (before.version + 1, before.total, before.reached_at)


@pytest.mark.parametrize("change", [{"email": "new@example.org"}, {"username": "alice"}])
def test_what_no_board_shows_does_not(alice: User, change: dict[str, object]) -> None:
    give(alice, 5)
    User.objects.filter(pk=alice.pk).update(**change)
    assert UserScore.objects.get(user=alice).version == 1


def test_a_player_without_points_has_a_version_as_soon_as_the_profile_changes() -> None:
    """A first score that is being written beside it must know that it is not the first news."""
    newcomer, other = player(), player()
    User.objects.filter(pk=newcomer.pk).update(is_hidden=True)
    User.objects.filter(pk=other.pk).update(last_login=timezone.now())
    assert set(UserScore.objects.values_list("user_id", "total", "version")) == {(newcomer.pk, 0, 1), (other.pk, 0, 0)}
