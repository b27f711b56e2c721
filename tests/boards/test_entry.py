"""Boards that players join: who has joined is on them, with everything that their open periods hold."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import privacy
from accounts.models import User
from leaderboard import boards, past, rebuild, snapshots
from scoreboard import board_preview, entrants, freezing, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardEntrant, BoardPeriod, BoardStanding
from tests.boards.test_definitions import BOARDS, put
from tests.boards.test_freezing import SECRET, freeze, reveal_all, ways_out
from tests.boards.test_freezing import award as secretly
from tests.boards.test_standings import assert_all_agree, in_redis
from tests.support.admin_site import admin, signed_in
from tests.support.boards import award, end_period, in_sql, keep, make, recounted
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import player, players, site_key
from tests.support.processes import eventually
from tests.support.races import Meanwhile, at_once, blocking, none_failed

pytestmark = pytest.mark.usefixtures("board", "unlimited")

JOIN = f"{BOARDS}/league/join"


def join(api: Api, user: User, slug: str = "league") -> Any:
    return api.send("POST", f"{BOARDS}/{slug}/join", b"", user)


def leave(api: Api, user: User, slug: str = "league") -> Any:
    return api.send("DELETE", f"{BOARDS}/{slug}/join", b"", user)


def shown(api: Api, query: str = "board=league") -> list[tuple[str, int]]:
    snapshots._snapshots.clear()
    answer = api.get(f"{TOP}?{query}")
    assert answer.status_code == 200, answer.content
    return [(row["username"], row["score"]) for row in answer.json()["data"]]


def mine(api: Api, user: User, board: str = "league") -> tuple[bool, int, int | None]:
    said = api.get(f"/api/v1/score/me?board={board}", user).json()["data"]
    return said["joined"], said["score"], said["rank"]


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


# --- What can be joined, and by whom -------------------------------------------------------------------


def test_a_board_that_the_caller_may_not_see_is_not_there(api: Api, alice: User) -> None:
    make("league", entry="join", visibility="hidden")
    make("rest", entry="join", paused=True)
    for slug in ("league", "rest", "never-made", "global", "league.eu", "%00", "x" * 500):
        for call in (join, leave):
            assert_problem(call(api, alice, slug), "not-found")
    for method in ("POST", "DELETE"):
        for slug in ("league", "never-made"):
            assert_problem(api.send(method, f"{BOARDS}/{slug}/join", b""), "not-authenticated")
    assert not BoardEntrant.objects.exists()


def test_what_is_over_or_paused_takes_nobody_in_and_what_is_to_come_does(api: Api, alice: User) -> None:
    soon, key = datetime.now(UTC) + timedelta(days=1), site_key("boards")
    make("upcoming", entry="join", opens_at=soon)
    make("members", entry="join", visibility="signed-in")
    assert join(api, alice, "upcoming").status_code == join(api, alice, "members").status_code == 201
    api.send("PUT", "/api/v1/players/42", b"{}", headers=site_key("players"))
    make("over", entry="join", closes_at=soon)
    assert join(api, alice, "over").status_code == 201
    Rule.objects.filter(slug="over").update(closes_at=datetime.now(UTC))
    make("paused", entry="join", paused=True)
    assert_problem(join(api, player(), "over"), "not-joinable")
    for slug in ("over", "paused"):
        assert_problem(api.send("PUT", f"{BOARDS}/{slug}/players/42", b"", headers=key), "not-joinable")
    assert leave(api, alice, "over").status_code == 204


def test_the_calls_take_no_parameters_and_no_other_method(api: Api, alice: User) -> None:
    make("league", entry="join")
    assert_problem(api.send("POST", f"{JOIN}?board=other", b"", alice), "invalid-request")
    assert_problem(api.send("PUT", JOIN, b"", alice), "method-not-allowed")
    assert_problem(api.send("POST", JOIN, b"", headers={"Authorization": "Bearer nonsense"}), "not-authenticated")
    assert_problem(api.send("POST", JOIN, b"", headers=site_key("boards")), "not-authenticated")
    assert not BoardEntrant.objects.exists()


def test_joining_is_limited_as_other_calls_are(api: Api, alice: User, settings: Settings) -> None:
    make("league", entry="join")
    settings.LIMITS = {**settings.LIMITS, "user": "2/minute"}
    assert [join(api, alice).status_code for _ in range(3)] == [201, 200, 429]


def test_a_back_end_has_its_players_join_and_leave(api: Api) -> None:
    make("league", entry="join", visibility="hidden")
    make("all")
    key = site_key("boards", "players", "award", "read")
    path = f"{BOARDS}/league/players/4%2F2"
    assert_problem(api.send("PUT", path, b"", headers=key), "not-found")
    deed = {"id": "1", "player": "4/2", "action_type": "COMPLETE_TASK"}
    assert api.post("/api/v1/awards", deed, headers=key).status_code in (200, 201)
    answers = [api.send("PUT", path, b"", headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert [row["score"] for row in api.get(f"{TOP}?board=league", headers=key).json()["data"]] == [10]
    assert api.send("DELETE", path, b"", headers=key).status_code == 204
    assert api.send("DELETE", path, b"", headers=key).status_code == 204
    assert in_sql(boards.get("league")) == []
    for slug, player_id, kind in (
        ("all", "4%2F2", "not-joinable"),
        ("nothing", "4%2F2", "not-found"),
        ("league", "nobody", "not-found"),
    ):
        for method in ("PUT", "DELETE"):
            assert_problem(api.send(method, f"{BOARDS}/{slug}/players/{player_id}", b"", headers=key), kind)
    other = site_key("boards", provider="elsewhere")
    assert_problem(api.send("PUT", path, b"", headers=other), "not-found")
    for scope in ("award", "players", "read"):
        assert_problem(api.send("PUT", path, b"", headers=site_key(scope)), "forbidden")
    assert_problem(api.send("PUT", path, b""), "not-authenticated")
    assert not BoardEntrant.objects.exists()


def test_staff_the_banned_and_the_hidden_are_as_to_the_ledger(api: Api, alice: User) -> None:
    rule = make("league", entry="join")
    award(alice, 5)
    join(api, alice)
    assert_problem(join(api, player("mod", role=User.Role.MODERATOR)), "forbidden")
    assert_problem(join(api, admin()), "forbidden")
    api.send("PUT", "/api/v1/players/42", b"{}", headers=site_key("players"))
    User.objects.filter(external_id="42").update(is_active=False)
    answer = api.send("PUT", f"{BOARDS}/league/players/42", b"", headers=site_key("boards"))
    assert_problem(answer, "player-disabled")
    hidden = player(is_hidden=True)
    award(hidden, 9)
    assert join(api, hidden).status_code == 201
    assert shown(api) == [("alice", 5)]
    User.objects.filter(pk=alice.pk).update(role=User.Role.MODERATOR)
    assert shown(api) == [("alice", 5)]  # what one had before stays
    assert leave(api, User.objects.get(pk=alice.pk)).status_code == 204
    assert list(BoardEntrant.objects.values_list("board_id", "user_id")) == [(rule.pk, hidden.pk)]
    assert_all_agree()


# --- At the same time ----------------------------------------------------------------------------------


def hasty_join(rule: Rule, user: User) -> None:
    """Without the lock of the total: what joining would be if it did not wait."""
    period = BoardPeriod.objects.get(board=rule, closed_at=None)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO board_entrants (board_id, user_id) VALUES (%s, %s)", [rule.pk, user.pk])
        cursor.execute("SELECT standings_recount(%s, ARRAY[%s]::uuid[])", [period.pk, user.pk])


@pytest.mark.parametrize("hasty", [False, True])
def test_who_joins_while_an_award_is_written_loses_nothing(alice: User, hasty: bool) -> None:
    rule = make("league", entry="join")
    award(alice, 5)
    with transaction.atomic():
        award(alice, 3)
        join = Meanwhile(lambda: (hasty_join if hasty else entrants.join)(rule, alice))
        eventually(lambda: join.ended or blocking(), "the join waits, or has not had to")
        assert join.ended == hasty
    join.outcome()
    scores = [line.score for line in in_sql(boards.get("league"))]
    assert scores == ([5] if hasty else [8])  # the control: without the lock three points are lost
    assert [line.score for line in recounted(BoardPeriod.objects.get(board=rule))] == [8]


def test_an_award_that_waits_for_a_join_counts(alice: User) -> None:
    rule = make("league", entry="join")
    award(alice, 5)
    with transaction.atomic():
        entrants.join(rule, alice)
        given = Meanwhile(lambda: award(alice, 3))
        given.wait_until_blocked()
    given.outcome()
    assert [line.score for line in in_sql(boards.get("league"))] == [8]
    assert_all_agree()


@pytest.mark.long
def test_a_thousand_join_at_once(board: Any) -> None:
    rule, crowd, hands = make("league", entry="join"), players(1000), 16
    for user in crowd[::50]:
        award(user, 5)
    league = boards.get("league")
    rebuild.rebuild(league)

    def some(number: int) -> None:
        for user in crowd[number::hands]:
            assert entrants.join(rule, user)
            award(user, 1)

    none_failed(at_once(hands, some))
    assert BoardEntrant.objects.count() == 1000
    lines = in_sql(league)
    assert len(lines) == 1000
    assert lines == in_redis(league) == recounted(BoardPeriod.objects.get(board=rule))


def test_joins_leaves_awards_and_changes_of_the_rule_at_once(board: Any) -> None:
    rule, crowd = make("league", entry="join"), players(4)

    def one(number: int) -> None:
        for turn in range(12):
            user = crowd[(number + turn) % 4]
            match (number + turn) % 3:
                case 0:
                    award(user, 2)
                case 1:
                    entrants.join(rule, user)
                case _:
                    entrants.leave(rule, user)

    def change(number: int) -> None:
        for turn in range(6):
            Rule.objects.filter(pk=rule.pk).update(value=("best", "sum")[turn % 2])

    none_failed(at_once(7, lambda number: change(number) if number == 6 else one(number)))
    keep()
    assert_all_agree()


def test_a_board_that_is_deleted_leaves_no_entrant_behind(api: Api, alice: User) -> None:
    rule = make("league", entry="join")
    entrants.join(rule, alice)
    crowd = players(8)

    def one(number: int) -> Any:
        if number == 4:
            Rule.objects.get(pk=rule.pk).delete()
            return 204
        return join(Api(), crowd[number]).status_code

    answers = none_failed(at_once(8, one))
    assert answers[4] == 204
    assert set(answers) <= {201, 204, 404}
    assert not BoardEntrant.objects.exists()
    assert_problem(join(api, alice), "not-found")
    assert_problem(leave(api, alice), "not-found")
    boards.forget()
    periods.purge_stray()
    assert not BoardStanding.objects.exists()


# --- What may not leak, and what goes with the player --------------------------------------------------


def test_joining_a_frozen_board_shows_one_s_points_as_of_the_freeze_and_no_more(
    api: Api, alice: User, bob: User
) -> None:
    rule, staff = make("final", entry="join", attempts=5), signed_in(admin())
    secretly(alice, 10)
    freeze(rule)
    secretly(alice, SECRET)
    secretly(bob, SECRET + 1)
    entries = {str(number).encode() for number in (SECRET, SECRET + 1, SECRET + 10)}
    for _ in range(2):  # and again, after leaving
        for user in (alice, bob):
            assert join(api, user, "final").status_code == 201
        assert shown(api, "board=final") == [("alice", 10)]
        assert mine(api, bob, "final") == (True, 0, None)
        for who in (alice, bob):
            for way, said in ways_out(api, who, staff).items():
                assert way == "me/export" or not [one for one in entries if one in said], way
        assert api.get("/api/v1/score/me?board=final", alice).json()["data"]["attempts_left"] == 4
        whole = api.get(f"{TOP}?board=final&view=truth", headers=site_key("read")).json()["data"]
        assert [row["score"] for row in whole] == [SECRET + 10, SECRET + 1]
        for user in (alice, bob):
            assert leave(api, user, "final").status_code == 204
        assert shown(api, "board=final") == []
    join(api, alice, "final")
    reveal_all(rule)
    keep()
    assert shown(api, "board=final") == [("alice", SECRET + 10)]
    assert_all_agree()


def test_who_joins_while_a_board_is_revealed_is_where_the_reveal_is(api: Api, alice: User, bob: User) -> None:
    rule = make("final", entry="join")
    entrants.join(rule, alice)
    freeze(rule)
    for user in (alice, bob, alice):
        secretly(user, 5)
    freezing.reveal(rule, 0.5)
    one = rule.reveal
    freezing.step(one)
    join(api, bob, "final")
    assert shown(api, "board=final") == [("alice", 5)]
    freezing.step(one)
    assert shown(api, "board=final") == [("alice", 5), ("bob", 5)]
    leave(api, alice, "final")
    reveal_all(rule)
    keep()
    assert shown(api, "board=final") == [("bob", 5)]
    assert_all_agree()


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


# --- The page ------------------------------------------------------------------------------------------


def test_the_page_has_a_button_to_join_and_to_leave(alice: User) -> None:
    make("league", entry="join")
    make("plain")
    award(alice, 5)
    page = signed_in(alice, enforce_csrf_checks=True)

    def said(path: str = "/?board=league") -> str:
        snapshots._snapshots.clear()
        return str(page.get(path).content.decode())

    assert 'value="join"' in said()
    assert "alice</bdi></th>" not in said()
    assert page.post("/enter", {"board": "league", "entry": "join"}).status_code == 403
    form = {"board": "league", "entry": "join", "csrfmiddlewaretoken": page.cookies["csrftoken"].value}
    answer = page.post("/enter", form)
    assert (answer.status_code, answer["Location"]) == (302, "/?board=league")
    assert 'value="leave"' in said()
    assert "alice</bdi></th>" in said()
    assert page.post("/enter", {**form, "entry": "leave"}).status_code == 302
    assert 'value="join"' in said()
    assert 'name="entry"' not in said("/?board=plain") + said("/")
    assert page.get("/enter").status_code == 405


def test_the_page_refuses_in_a_sentence_and_hides_what_is_hidden(client: Client, alice: User) -> None:
    make("league", entry="join", closes_at=datetime.now(UTC) + timedelta(days=1))
    make("secret", entry="join", visibility="hidden")
    make("plain")
    assert 'name="entry"' not in client.get("/?board=league").content.decode()
    visitor = client.post("/enter", {"board": "league", "entry": "join"})
    assert (visitor.status_code, visitor["Location"]) == (302, "/accounts/sign-in")
    page, staff = signed_in(alice), signed_in(admin())
    for slug in ("secret", "never-made", "", "x" * 100, "//elsewhere.org", "a%0d%0aSet-Cookie: x"):
        assert page.post("/enter", {"board": slug, "entry": "join"}).status_code == 404
    assert page.post("/enter").status_code == 404
    answer = page.post("/enter", {"board": "plain", "entry": "join"}, follow=True)
    assert "there is nothing to join" in answer.content.decode()
    assert 'name="entry"' not in staff.get("/?board=league").content.decode()
    answer = staff.post("/enter", {"board": "league", "entry": "join"})
    assert str(next(iter(get_messages(answer.wsgi_request)))).startswith("Moderators and admins")
    assert not BoardEntrant.objects.exists()
