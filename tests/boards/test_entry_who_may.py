"""What can be joined, and by whom."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from leaderboard import boards
from scoreboard.models import Board as Rule
from scoreboard.models import BoardEntrant
from tests.boards.definitions import BOARDS
from tests.boards.every_rule import assert_all_agree
from tests.boards.joining import join, leave, shown
from tests.support.admin_site import admin
from tests.support.boards import award, in_sql, make
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import player, site_key

pytestmark = pytest.mark.usefixtures("board", "unlimited")

JOIN = f"{BOARDS}/league/join"


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
