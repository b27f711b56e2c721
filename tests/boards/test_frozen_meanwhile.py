"""A frozen board that is paused, edited or deleted before it is revealed: nothing is told, and nothing is lost."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from accounts.models import User
from leaderboard import boards, sweep
from leaderboard.boards import Board
from scoreboard import freezing, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, BoardReveal, BoardStanding, FinalStanding
from tests.boards.exports import exported
from tests.boards.freezing import SECRET, freeze, reveal_all, scores, ways_out
from tests.support import past
from tests.support.admin_site import admin, signed_in
from tests.support.boards import award, away, in_finals, in_sql, keep, make, recounted, take_back
from tests.support.client import Api, assert_problem
from tests.support.people import player, site_key
from tests.support.processes import eventually
from tests.support.races import Meanwhile, uncommitted

pytestmark = pytest.mark.usefixtures("unlimited")


def paused(rule: Rule, *, paused: bool = True) -> None:
    rule.refresh_from_db()
    rule.paused = paused
    rule.save()
    keep()


def edited(rule: Rule) -> None:
    rule.refresh_from_db()
    rule.ties = Rule.Ties.LATEST
    rule.save()
    keep()


def pause_and_back(rule: Rule) -> None:
    paused(rule)
    paused(rule, paused=False)


def deleted(rule: Rule) -> None:
    rule.delete()


def held_back(alice: User, bob: User, **more: Any) -> Rule:
    """A frozen board on which alice has ten points, and SECRET more that nobody is to know of."""
    rule = make("final", **more)
    award(alice, 10)
    freeze(rule)
    award(bob, SECRET)
    return rule


@pytest.mark.parametrize("meanwhile", [pause_and_back, edited])
def test_after_a_pause_or_an_edit_it_holds_back_what_it_did_and_is_revealed(
    board: Board, api: Api, alice: User, bob: User, meanwhile: Callable[[Rule], None]
) -> None:
    rule, staff = held_back(alice, bob), signed_in(admin())
    meanwhile(rule)
    award(alice, SECRET)
    for one in boards.everyone():
        sweep.sweep(one)
    assert scores(boards.get("final")) == [("alice", 10)]
    secrets = (str(SECRET), str(SECRET + 10))
    for way, said in ways_out(api, bob, staff).items():
        if way != "me/export":
            assert not [secret for secret in secrets if secret.encode() in said], way
    reveal_all(rule, 1)
    assert scores(boards.get("final")) == [("alice", SECRET + 10), ("bob", SECRET)]
    assert not BoardPeriod.objects.filter(truth=True).exists()


def test_while_it_is_paused_no_way_out_knows_it_not_even_its_truth(
    board: Board, api: Api, alice: User, bob: User
) -> None:
    rule, staff = held_back(alice, bob), signed_in(admin())
    first = api.get("/api/v1/scoreboard/top?board=final")["ETag"]
    instant = periods.clock().isoformat().replace("+", "%2B")
    paused(rule)
    for path in ("top?board=final", "top?board=final&period=all", f"top?board=final&at={instant}"):
        assert_problem(api.get(f"/api/v1/scoreboard/{path}"), "not-found")
        assert_problem(api.get(f"/api/v1/scoreboard/{path}", headers={"If-None-Match": first}), "not-found")
        assert staff.get(f"/api/v1/scoreboard/{path}&view=truth").status_code == 404
    for path in (f"score/{bob.pk}", f"score/{bob.pk}/around", "boards/final"):
        assert_problem(api.get(f"/api/v1/{path}?board=final" if "score" in path else f"/api/v1/{path}"), "not-found")
    assert_problem(api.get("/api/v1/boards/final/periods"), "not-found")
    assert_problem(api.get("/api/v1/score/me?board=final", user=bob), "not-found")
    assert staff.get("/api/v1/exports/board.csv?board=final&view=truth").status_code == 404
    assert api.get("/embed/final").status_code == 404
    paused(rule, paused=False)
    assert str(SECRET).encode() not in exported(staff, "board=final")
    assert str(SECRET).encode() in exported(staff, "board=final&view=truth")


def test_what_it_holds_back_does_not_show_in_its_version_either(board: Board, api: Api, alice: User, bob: User) -> None:
    held_back(alice, bob)
    boards.forget()
    paths = [f"/api/v1/{path}?board=final" for path in ("scoreboard/top", f"score/{alice.pk}", f"score/{bob.pk}")]
    before = [(api.get(path)["ETag"], api.get(path).content) for path in paths]
    award(bob, 5)
    award(alice, 5)
    for one in boards.everyone():
        sweep.sweep(one)
    assert [(api.get(path)["ETag"], api.get(path).content) for path in paths] == before


def test_a_reveal_goes_on_after_a_pause_whenever_it_was_begun(board: Board, alice: User, bob: User) -> None:
    rule = held_back(alice, bob)
    award(alice, 1)
    freezing.reveal(rule, 0.5)
    freezing.step(BoardReveal.objects.select_related("board").get())
    paused(rule)
    freezing.step(BoardReveal.objects.select_related("board").get())  # there is nothing to be shown
    freezing.reveal(rule, 60)
    paused(rule, paused=False)
    assert scores(boards.get("final")) == [("bob", SECRET), ("alice", 10)]
    while one := BoardReveal.objects.select_related("board").first():
        freezing.step(one)
    boards.forget()
    assert scores(boards.get("final")) == [("bob", SECRET), ("alice", 11)]
    assert boards.get("final").frozen_at is None


@pytest.mark.parametrize("meanwhile", [pause_and_back, edited, deleted])
def test_a_step_that_a_change_of_the_board_overtakes_does_no_harm(
    board: Board, alice: User, bob: User, meanwhile: Callable[[Rule], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has looked at the board's periods, and goes by what it saw."""
    rule = held_back(alice, bob)
    [before] = freezing.frozen(rule)
    asked: list[str] = []
    changed = freezing.changed

    def counted(sql: str, *parameters: Any) -> Any:
        asked.append(sql)
        assert len(asked) < 10, "it goes round in circles"
        return changed(sql, *parameters)

    monkeypatch.setattr(freezing, "changed", counted)
    meanwhile(rule)
    assert freezing.changed(freezing.REVEAL, before.pk, periods.clock(), 1) is None
    freezing.end(before)
    boards.forget()
    if meanwhile is deleted:
        assert not BoardPeriod.objects.exists()
        return
    assert scores(boards.get("final")) == [("alice", 10)]
    assert scores(boards.truth("final")) == [("bob", SECRET), ("alice", 10)]
    for period in BoardPeriod.objects.all():
        assert in_sql(boards.truth("final") if period.truth else boards.get("final")) == recounted(period)


def test_a_deleted_board_that_is_made_again_is_a_new_one(board: Board, alice: User, bob: User) -> None:
    rule = held_back(alice, bob)
    freezing.reveal(rule, 0.5)
    at = rule.freeze_at
    rule.delete()
    make("final", freeze_at=at)
    assert scores(boards.get("final")) == [("alice", 10)]
    assert not BoardReveal.objects.exists()
    assert not freezing.take_due()


def test_a_paused_board_whose_period_is_over_and_not_revealed_keeps_its_rule_too(
    board: Board, api: Api, alice: User, bob: User
) -> None:
    begun = periods.clock()
    rule = held_back(
        alice, bob, window="fixed", opens_at=begun - timedelta(hours=1), closes_at=begun + timedelta(hours=1)
    )
    BoardPeriod.objects.update(ends_at=periods.clock())
    paused(rule)
    body = json.dumps({"ties": "latest", "paused": False}).encode()
    assert_problem(api.send("PUT", "/api/v1/boards/final", body, headers=site_key("boards")), "invalid-request")
    rule.ties = Rule.Ties.LATEST
    with pytest.raises(OperationalError, match="not revealed yet"):
        rule.save()
    paused(rule, paused=False)
    reveal_all(rule)
    keep()
    found = FinalStanding.objects.order_by("rank").values_list("user", flat=True)
    assert list(found) == [bob.pk, alice.pk]


@pytest.mark.parametrize("window", ["daily", "all"])
@pytest.mark.parametrize("at_once", [False, True])
def test_what_ended_during_a_pause_is_counted_by_the_rule_that_is_made_in_it(
    board: Board, api: Api, alice: User, bob: User, window: str, at_once: bool
) -> None:
    yesterday = periods.clock() - timedelta(days=1)
    past.write([past.Event(yesterday, alice.pk, 10), past.Event(yesterday, bob.pk, 3)])
    rule = make("final", window=window, paused=True)
    if window == "daily":
        away(rule, yesterday)
    else:
        closes_at = yesterday + timedelta(seconds=1)
        Rule.objects.filter(pk=rule.pk).update(closes_at=closes_at)
        BoardPeriod.objects.create(board_id=rule.pk, key="all", ends_at=closes_at)
    for change in ({"order": "low", "paused": False},) if at_once else ({"order": "low"}, {"paused": False}):
        body = json.dumps(change).encode()
        assert api.send("PUT", "/api/v1/boards/final", body, headers=site_key("boards")).status_code == 200
    keep()
    [ended] = BoardPeriod.objects.filter(board=rule, closed_at__isnull=False)
    assert [line.score for line in in_finals(ended)] == [3, 10]


def test_a_part_that_opens_while_a_reveal_ends_is_revealed_too(
    board: Board, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a transaction that begins when the last step has waited for those before it."""
    User.objects.filter(pk=alice.pk).update(region="eu")
    rule = make("final", attribute="region", attribute_value="*")
    award(alice, 10)
    rule.freeze_at = periods.clock()
    rule.save()
    keep()
    award(alice, SECRET)
    mover = player("dora", region="eu")
    monkeypatch.setattr(periods, "settled", lambda: True)

    def move() -> None:
        User.objects.filter(pk=mover.pk).update(region="us")

    with uncommitted(move):
        reveal_all(rule, 1)
        rule.refresh_from_db()
        assert rule.revealed == rule.freeze_at
    monkeypatch.undo()
    assert frozen_parts() == ["us"]
    award(mover, 5)
    freezing.once()
    assert BoardReveal.objects.exists() or not frozen_parts(), "somebody is at it"
    while frozen_parts():
        freezing.once()
    keep()
    assert scores(boards.get("final.us")) == [("dora", 5)]
    assert not BoardReveal.objects.exists()


def frozen_parts() -> list[str]:
    return list(BoardPeriod.objects.filter(counts_until__isnull=False).values_list("part", flat=True))


@pytest.mark.parametrize("change", [paused, edited, deleted])
def test_who_corrects_on_both_halves_and_who_changes_the_board_never_wait_in_a_circle(
    board: Board, alice: User, change: Callable[[Rule], None]
) -> None:
    """A player's standings are found in the order in which they lie there: here the truth's is the first."""
    rule = make("final")
    wrong = award(alice, 5)
    public, _ = freeze(rule)
    one = BoardStanding.objects.get(period_id=public.id)
    BoardStanding.objects.filter(period_id=public.id).delete()
    BoardStanding.objects.bulk_create([one])
    with transaction.atomic():
        list(BoardPeriod.objects.select_for_update().filter(pk=public.id))
        changing = Meanwhile(lambda: change(rule))
        changing.wait_until_blocked()
        correcting = Meanwhile(lambda: take_back(wrong))
        eventually(lambda: waiting_for_periods() == 2, "both wait")
    correcting.outcome()
    changing.outcome()


def waiting_for_periods() -> int:
    """Sessions that wait for another, and have to do with periods of this database's boards."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_locks p ON p.pid = l.pid AND NOT l.granted"
            " WHERE p.relation = 'board_periods'::regclass"
            " AND p.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return int(cursor.fetchone()[0])
