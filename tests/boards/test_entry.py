"""Boards that players join: who has joined is on them, with everything that their open periods hold."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.core.management import call_command

from accounts import privacy
from accounts.models import User
from leaderboard import boards, past, rebuild
from scoreboard import board_preview, entrants, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardEntrant, BoardPeriod
from tests.boards.definitions import BOARDS, put
from tests.boards.every_rule import assert_all_agree, in_redis
from tests.boards.joining import join, leave, mine, shown
from tests.support.boards import award, end_period, in_sql, keep, make
from tests.support.client import Api, assert_problem
from tests.support.people import site_key

pytestmark = pytest.mark.usefixtures("board", "unlimited")


def test_who_joins_brings_along_what_the_open_period_holds_and_who_leaves_is_off(
    api: Api, alice: User, bob: User
) -> None:
    award(alice, 5)
    make("league", entry="join")
    award(bob, 7)
    assert shown(api) == []
    assert mine(api, alice) == (False, 0, None)
    answer = join(api, alice)
    assert (answer.status_code, answer.json()["data"]) == (201, {"board": "league", "joined": True})
    assert join(api, alice).status_code == 200
    assert (shown(api), mine(api, alice)) == ([("alice", 5)], (True, 5, 1))
    award(alice, 1)
    award(bob, 1)
    assert join(api, bob).status_code == 201
    assert shown(api) == [("bob", 8), ("alice", 6)]
    assert leave(api, bob).status_code == leave(api, bob).status_code == 204
    assert (shown(api), mine(api, bob)) == ([("alice", 6)], (False, 0, None))
    award(bob, 2)
    assert shown(api) == [("alice", 6)]
    assert join(api, bob).status_code == 201
    assert shown(api) == [("bob", 10), ("alice", 6)]
    assert_all_agree()
    assert "joined" not in api.get("/api/v1/score/me", alice).json()["data"]


def test_it_is_in_redis_as_soon_as_it_is_answered(api: Api, alice: User) -> None:
    award(alice, 5)
    make("league", entry="join")
    league = boards.get("league")
    rebuild.rebuild(league)
    join(api, alice)
    assert in_redis(league) == in_sql(league) != []
    leave(api, alice)
    assert in_redis(league) == in_sql(league) == []


def test_a_closed_period_stays_and_the_past_is_that_of_who_has_joined_by_now(
    api: Api, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "SETTLED", timedelta(0))  # answers are kept, as those of older instants
    make("daily", window="daily", entry="join")
    award(alice, 5)
    award(bob, 7)
    join(api, bob, "daily")
    then = f"board=daily&at={quote(datetime.now(UTC).isoformat())}"
    assert shown(api, then) == [("bob", 7)]
    ended, _ = end_period("daily")
    join(api, alice, "daily")
    leave(api, bob, "daily")
    assert shown(api, f"board=daily&period={ended}") == [("bob", 7)]
    assert shown(api, then) == [("alice", 5)]
    award(alice, 1)
    assert shown(api, "board=daily") == [("alice", 1)]


def test_one_joins_all_parts_of_a_rule(api: Api, alice: User) -> None:
    make("region", entry="join", attribute="region", attribute_value="*")
    for region in ("eu", "us"):
        User.objects.filter(pk=alice.pk).update(region=region)
        award(alice, 5)
    keep()
    assert_problem(join(api, alice, "region.eu"), "not-found")
    assert join(api, alice, "region").status_code == 201
    assert shown(api, "board=region.eu") == shown(api, "board=region.us") == [("alice", 5)]
    assert mine(api, alice, "region.eu") == (True, 5, 1)
    User.objects.filter(pk=alice.pk).update(region="asia")
    award(alice, 2)
    keep()
    assert shown(api, "board=region.asia") == [("alice", 2)]
    assert_all_agree()


def test_a_board_that_becomes_one_to_join_counts_anew_and_who_joined_stays(api: Api, alice: User, bob: User) -> None:
    award(alice, 5)
    award(bob, 7)
    key = site_key("boards")
    made = api.post(BOARDS, {"slug": "league", "title": "League"}, headers=key).json()["data"]
    assert (made["entry"], shown(api)) == ("open", [("bob", 7), ("alice", 5)])
    assert_problem(join(api, alice), "not-joinable")
    assert_problem(leave(api, alice), "not-joinable")
    assert put(api, "league", {"entry": "join"}, key).json()["data"]["entry"] == "join"
    assert shown(api) == []
    join(api, alice)
    assert put(api, "league", {"entry": "open"}, key).json()["data"]["entry"] == "open"
    assert shown(api) == [("bob", 7), ("alice", 5)]
    put(api, "league", {"entry": "join"}, key)
    assert shown(api) == [("alice", 5)]
    put(api, "league", {"value": "best"}, key)
    assert shown(api) == [("alice", 5)]
    for wrong in ("invite", "", None, 5, True, ["join"]):
        refused = assert_problem(put(api, "league", {"entry": wrong}, key), "invalid-request")
        assert list(refused["errors"]) == ["entry"]


def test_a_preview_has_who_has_joined(alice: User, bob: User) -> None:
    award(alice, 5)
    award(bob, 7)
    rule = make("league", entry="join")
    entrants.join(rule, alice)
    [saved], [new] = board_preview.of(rule), board_preview.of(Rule(slug="new", title="New", entry="join"))
    assert (saved.lines, new.lines) == ([(1, "alice", 5)], [])


def test_it_is_exported_and_erased_with_the_player(api: Api, alice: User, capsys: pytest.CaptureFixture[str]) -> None:
    rule = make("league", entry="join")
    award(alice, 5)
    entrants.join(rule, alice)
    [said] = privacy.export(alice)["boards_joined"]
    assert said == {"board": "league", "joined_at": BoardEntrant.objects.get().joined_at}
    call_command("export_user", "alice")
    assert json.loads(capsys.readouterr().out)["boards_joined"][0]["board"] == "league"
    # also from a board that is open to all by now
    Rule.objects.filter(pk=rule.pk).update(entry="open")
    privacy.erase(alice.pk)
    assert not BoardEntrant.objects.exists()
    Rule.objects.filter(pk=rule.pk).update(entry="join")
    keep()
    assert_all_agree()


def test_a_reconcile_mends_the_standing_of_who_has_not_joined(alice: User) -> None:
    rule = make("league", entry="join")
    award(alice, 5)
    entrants.join(rule, alice)
    BoardEntrant.objects.all().delete()
    period = BoardPeriod.objects.get(board=rule).pk
    assert periods.wrong_standings(period) == [alice.pk]
    periods.mend(period, [alice.pk])
    assert in_sql(boards.get("league")) == []
