"""A frozen board: nothing newer than the freeze on any way out, corrections at once, and the revealing step by step."""

import json
import random
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import OperationalError
from pytest_django.fixtures import Settings

from accounts.models import User
from api import redis_client
from api.problems import Problem
from leaderboard import boards, privacy, ranking, reads, reconcile, truth
from leaderboard.boards import Board
from leaderboard.metrics import Lag
from scoreboard import freezing, ledger, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, BoardReveal, FinalStanding
from tests.boards.every_rule import RULES, in_redis, live_at_random
from tests.boards.exports import exported
from tests.boards.freezing import SECRET, freeze, reveal_all, scores, ways_out
from tests.support.admin_site import admin, signed_in
from tests.support.boards import award, in_sql, make, recounted, take_back
from tests.support.client import Api, assert_problem
from tests.support.people import bearer, players, site_key
from tests.support.processes import eventually
from tests.support.races import at_once, none_failed
from tests.support.worker import Worker


def test_frozen_boards_elsewhere_still_move_this_one_stands_still(board: Board, alice: User, bob: User) -> None:
    rule = make("final")
    award(alice, 10)
    public, whole = freeze(rule)
    award(bob, 30)
    award(alice, 5)
    assert scores(public) == [("alice", 10)]
    assert scores(whole) == [("bob", 30), ("alice", 15)]
    assert public.frozen_at == rule.freeze_at
    assert truth.top(public, 10).rows == reads.top(public, 10).rows
    assert in_sql(public) == recounted(BoardPeriod.objects.get(truth=False))
    assert in_sql(whole) == recounted(BoardPeriod.objects.get(truth=True))
    for one in (public, whole):
        assert reconcile.reconcile(one, check=True).drift == 0


def test_both_halves_of_a_frozen_board_have_one_lag_the_older(board: Board) -> None:
    public, whole = freeze(make("final"))
    for one, ago in ((boards.GLOBAL, 0), (public, 500), (whole, 6000)):
        ranking.mark_swept(one, str(ranking.epoch(one)), "", time.time() - ago)
    lag = Lag()
    [family] = lag.collect()
    lags = {sample.labels["board"]: round(sample.value, -3) for sample in family.samples}
    assert lags == {"global": 0, "final": 6000}
    assert len(family.samples) == 2
    redis_client.connection().delete(*boards.keys(whole).all())
    [family] = lag.collect()
    assert sorted(round(sample.value, -3) for sample in family.samples) == [0, 6000]  # what was known of it last
    Rule.objects.all().delete()
    boards.forget()
    [family] = lag.collect()
    assert [sample.labels["board"] for sample in family.samples] == ["global"]
    assert set(lag.swept_at) == {"global"}


def test_a_freeze_that_is_set_ahead_begins_at_its_moment_without_another_look(board: Board, alice: User) -> None:
    rule = make("final", freeze_at=periods.clock() + timedelta(hours=1))
    award(alice, 10)
    public = boards.get("final")
    assert (public.frozen_at, scores(public)) == (None, [("alice", 10)])
    # The hour is over: PostgreSQL's clock cannot be moved, but the moment can, past the trigger that applies rules.
    at = periods.clock()
    BoardPeriod.objects.filter(truth=False).update(counts_until=at)
    Rule.objects.filter(pk=rule.pk).update(revealed=None)
    award(alice, 5)
    assert scores(public) == [("alice", 10)]
    assert scores(boards.truth("final")) == [("alice", 15)]


@pytest.mark.usefixtures("unlimited")
def test_nothing_newer_than_the_freeze_gets_out(board: Board, api: Api, alice: User, bob: User) -> None:
    rule, staff = make("final", action_types=["LAP"]), signed_in(admin())
    award(alice, 10)
    public, _ = freeze(rule)
    first = api.get("/api/v1/scoreboard/top?board=final")
    award(alice, SECRET)
    award(bob, SECRET + 1)
    entries = {str(SECRET), str(SECRET + 1), str(SECRET + 10)}
    for lost in (False, True):
        if lost:
            ranking.command("delete", boards.keys(public).rank)
        for way, said in ways_out(api, bob, staff).items():
            if way != "me/export":  # which has the player's own history: what they did, and no board
                assert not [secret for secret in entries if secret.encode() in said], way
    assert f"period-{boards.truth('final').id}" not in privacy.export(bob)["boards"]
    own = api.get("/api/v1/score/me?board=final", user=bob).json()["data"]
    assert (own["score"], own["rank"], own["updated_at"]) == (0, None, None)
    again = api.get("/api/v1/scoreboard/top?board=final", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304 or again.json()["board"]["frozen_at"]
    assert first.json()["board"]["frozen_at"] == rule.freeze_at.isoformat()  # type: ignore[union-attr]


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("public", [True, False])
def test_only_staff_and_keys_that_may_read_see_the_truth(
    board: Board, api: Api, settings: Settings, alice: User, public: bool
) -> None:
    settings.LEADERBOARD_PUBLIC = public
    freeze(make("final"))
    award(alice, SECRET)
    for path in ("scoreboard/top", f"score/{alice.pk}", f"score/{alice.pk}/around"):
        asked = f"/api/v1/{path}?board=final&view=truth"
        assert_problem(api.get(asked), "not-authenticated")
        assert_problem(api.get(asked, headers=bearer(alice)), "not-authenticated")
        assert_problem(api.get(asked, headers=bearer(admin("jwt-only" + path[-3:]))), "not-authenticated")
        assert signed_in(alice).get(asked).status_code == 403
        assert_problem(api.get(asked, headers=site_key("award")), "forbidden")
        for answer in (api.get(asked, headers=site_key("read")), signed_in(admin("ada" + path[-3:])).get(asked)):
            assert str(SECRET) in answer.content.decode(), answer.content
            assert answer["Cache-Control"] == "private, no-store"
    staff = signed_in(admin("eve"))
    assert str(SECRET).encode() in exported(staff, "board=final&view=truth")


def test_corrections_and_hiding_reach_a_frozen_board_at_once(board: Board, alice: User, bob: User) -> None:
    rule = make("final")
    wrong, _ = award(alice, 10), award(alice, 3)
    award(bob, 5)
    public, whole = freeze(rule)
    late = award(bob, 50)
    take_back(wrong)
    take_back(late)
    assert scores(public) == [("bob", 5), ("alice", 3)]
    assert scores(whole) == [("bob", 5), ("alice", 3)]
    User.objects.filter(pk=bob.pk).update(is_hidden=True)
    ledger.announce_players([bob.pk])
    assert scores(public) == scores(whole) == [("alice", 3)]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_a_reveal_is_the_history_played_in_its_order_and_ends_with_the_truth(board: Board, seed: int) -> None:
    chance, crowd = random.Random(seed), players(4)
    rules = [make(f"rule-{number}", **rule) for number, rule in enumerate(RULES)]
    live_at_random(chance, crowd, 8)
    at = periods.clock()
    for rule in rules:
        rule.freeze_at = at
        rule.save()
    periods.keep()
    live_at_random(chance, crowd, 8)
    periods.keep()
    boards.forget()
    for one in boards.everyone():
        reconcile.reconcile(one)
    held = BoardPeriod.objects.filter(counts_until__isnull=False).select_related("board")
    assert held
    for rule in rules:
        freezing.reveal(rule, 0.5, 3)
    while reveals := BoardReveal.objects.select_related("board").order_by("pk"):
        for one_reveal in reveals:
            freezing.step(one_reveal)
        assert_shown_as_counted(list(held.all()))
        if chance.random() < 0.3:
            live_at_random(chance, crowd, 1)
    assert not BoardPeriod.objects.filter(truth=True).exists()
    assert_shown_as_counted(list(BoardPeriod.objects.select_related("board")))
    for rule in rules:
        rule.refresh_from_db()
        assert rule.revealed == rule.freeze_at == at


def assert_shown_as_counted(found: list[BoardPeriod]) -> None:
    boards.forget()
    for period in found:
        shown = boards.listing().boards.get(period.pk)
        if shown and shown.ready:
            assert in_sql(shown) == recounted(period), period.board.slug
            if ranking.epoch(shown):
                assert in_redis(shown) == in_sql(shown), period.board.slug


def test_a_step_that_many_workers_see_is_taken_once(board: Board, alice: User) -> None:
    rule = make("final")
    public, _ = freeze(rule)
    for _ in range(5):
        award(alice, 1)
    freezing.reveal(rule, 60, 2)
    assert sum(none_failed(at_once(4, lambda _: freezing.take_due()))) == 1
    assert scores(public) == [("alice", 2)]
    one = BoardReveal.objects.select_related("board").get()
    [period] = freezing.frozen(rule)
    # Two that read the same limit: the second changes nothing.
    none_failed(at_once(2, lambda _: freezing.changed(freezing.REVEAL, period.pk, one.until, 1)))
    assert scores(boards.get("final"))[0][1] <= 4
    reveal_all(rule)
    assert scores(public) == [("alice", 5)]


def test_a_frozen_period_is_closed_once_it_is_revealed_with_the_ranks_of_the_truth(
    board: Board, alice: User, bob: User
) -> None:
    begun = periods.clock()
    rule = make("final", window="fixed", opens_at=begun - timedelta(hours=1), closes_at=begun + timedelta(hours=1))
    award(alice, 10)
    public, _ = freeze(rule)
    award(bob, 30)
    BoardPeriod.objects.update(ends_at=periods.clock())  # the hour is over
    periods.keep()
    boards.forget()
    assert scores(boards.get("final")) == [("alice", 10)]
    assert not FinalStanding.objects.exists()
    reveal_all(rule)
    periods.keep()
    ranked = [(one.user_id, one.rank) for one in FinalStanding.objects.filter(period_id=public.id).order_by("rank")]
    assert ranked == [(bob.pk, 1), (alice.pk, 2)]


def test_a_revealed_board_does_not_freeze_again_when_its_rule_is_edited(board: Board, alice: User) -> None:
    rule = make("final")
    freeze(rule)
    award(alice, 10)
    reveal_all(rule)
    rule.ties = Rule.Ties.LATEST
    rule.save()
    periods.keep()
    boards.forget()
    assert scores(boards.get("final")) == [("alice", 10)]
    public, _ = freeze(rule)
    award(alice, 5)
    assert scores(public) == [("alice", 10)]


def test_what_cannot_be_revealed_is_refused(board: Board) -> None:
    rule = make("final")
    for pace, changes in ((1, 1), (0.4, 1), (61, 1), (1, 0), (1, 1001)):
        with pytest.raises(Problem):
            freezing.reveal(rule, pace, changes)
    Rule.objects.filter(pk=rule.pk).update(freeze_at=periods.clock() + timedelta(hours=1))
    rule.refresh_from_db()
    with pytest.raises(Problem, match="not frozen"):
        freezing.reveal(rule, 1)
    assert not BoardReveal.objects.exists()


@pytest.mark.usefixtures("unlimited")
def test_a_key_that_edits_boards_freezes_and_reveals_over_the_api(board: Board, api: Api, alice: User) -> None:
    key = site_key("boards")

    def put(path: str, body: Any, headers: dict[str, str] = key) -> Any:
        return api.send("PUT", f"/api/v1/boards/{path}", json.dumps(body).encode(), headers=headers)

    make("final")
    assert_problem(put("final/reveal", {"pace": 1}), "invalid-request")
    answer = put("final", {"freeze_at": periods.clock().isoformat()})
    assert answer.status_code == 200
    assert answer.json()["data"]["freeze_at"] is not None
    periods.keep()
    award(alice, SECRET)
    boards.forget()
    assert scores(boards.get("final")) == []
    assert len(api.get("/api/v1/boards/final/periods").json()["data"]) == 1
    assert_problem(put("final/reveal", {"pace": 1}, site_key("read")), "forbidden")
    assert_problem(put("nothing/reveal", {"pace": 1}), "not-found")
    for pace in ("1", 0.1, 61, None, True):
        assert_problem(put("final/reveal", {"pace": pace}), "invalid-request")
    assert_problem(put("final/reveal", {"pace": 1, "changes": 0}), "invalid-request")
    assert put("final/reveal", {"pace": 60, "changes": 2}).json()["data"] == {"pace": 60.0, "changes": 2}
    assert LogEntry.objects.filter(change_message__contains="Revealed over the API").count() == 1
    assert freezing.take_due()
    boards.forget()
    assert scores(boards.get("final")) == [("alice", SECRET)]
    assert put("final/reveal", {"pace": 2}).status_code == 202
    assert BoardReveal.objects.get().pace == 2
    assert put("final", {"freeze_at": None}).status_code == 200
    assert not BoardReveal.objects.exists()


def test_a_rule_is_not_changed_while_a_period_that_is_over_waits_to_be_revealed(board: Board, alice: User) -> None:
    begun = periods.clock()
    rule = make("final", window="fixed", opens_at=begun - timedelta(hours=1), closes_at=begun + timedelta(hours=1))
    freeze(rule)
    award(alice, SECRET)
    BoardPeriod.objects.update(ends_at=periods.clock())
    rule.freeze_at = None
    with pytest.raises(ValidationError, match="Reveal it first"):
        rule.full_clean()
    with pytest.raises(OperationalError, match="not revealed yet"):
        rule.save()
    rule.refresh_from_db()
    rule.title = "The final"
    rule.full_clean()
    rule.save()
    assert FinalStanding.objects.count() == 0


def test_a_worker_takes_the_steps(board: Board, alice: User, tmp_path: Path) -> None:
    rule = make("final")
    public, _ = freeze(rule)
    award(alice, 1)
    award(alice, 2)
    freezing.reveal(rule, 0.5)
    worker = Worker(tmp_path / "worker.log")
    try:
        eventually(lambda: not BoardReveal.objects.exists(), "the board is revealed")
    finally:
        worker.close()
    assert [line.score for line in in_sql(public)] == [3]
    assert not BoardPeriod.objects.filter(truth=True).exists()
