"""The calls that read the board."""

import uuid
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from leaderboard import ranking, snapshots
from leaderboard.boards import Board
from scoreboard import ledger
from scoreboard.models import MAX_TOTAL
from tests.support.agreement import shown, sql_rows
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import entry, give, player, players

pytestmark = pytest.mark.usefixtures("board", "unlimited")

PUBLIC = "public, max-age=1, stale-while-revalidate=5"
ME = "/api/v1/score/me"


def of(user: User, rest: str = "") -> str:
    return f"/api/v1/score/{user.pk}{rest}"


@pytest.fixture
def crowd() -> list[User]:
    """Thirty players in rank order, three of each total."""
    crowd = players(30)
    for turn in range(3):  # at one moment each: who reaches a total in an earlier turn ranks higher
        given = [entry(user, 100 - number) for number, user in enumerate(crowd[turn::3])]
        ledger.announce([outcome.standing for outcome in ledger.record(given)])
    return crowd


# --- Top --------------------------------------------------------------------------------------------


def test_an_empty_board_is_an_answer(api: Api, board: Board) -> None:
    answer = api.get(TOP)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["success"], body["data"], body["players"]) == (True, [], 0)
    assert body["epoch"] == ranking.epoch(board)
    assert body["seq"] == 1


def test_ten_lines_unless_asked_otherwise(api: Api, crowd: list[User]) -> None:
    assert api.get(TOP).json()["data"] == shown(sql_rows())[:10]


@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (100, 0), (5, 28), (5, 30), (5, 99), (100, 1), (7, 1_000_000)])
def test_any_slice_is_that_slice_of_the_order(api: Api, crowd: list[User], limit: int, offset: int) -> None:
    body = api.get(f"{TOP}?limit={limit}&offset={offset}").json()
    assert body["data"] == shown(sql_rows())[offset : offset + limit]
    assert body["players"] == 30


def test_a_line_shows_names_and_pictures_of_any_kind_and_the_largest_total(api: Api, board: Board) -> None:
    name = "Zoë 李 שלום 😀 <b>&amp;\"'"
    give(player(name, avatar_url="https://example.org/ä.png?a=1&b=2"), MAX_TOTAL)
    answer = api.get(TOP)
    assert answer["Content-Type"] == "application/json"
    [line] = answer.json()["data"]
    assert (line["username"], line["score"], line["avatar"]) == (name, MAX_TOTAL, "https://example.org/ä.png?a=1&b=2")


def test_hidden_disabled_and_pointless_players_are_on_no_line(api: Api, crowd: list[User]) -> None:
    User.objects.filter(pk=crowd[0].pk).update(is_hidden=True)
    User.objects.filter(pk=crowd[1].pk).update(is_active=False)
    ledger.announce_players([crowd[0].pk, crowd[1].pk])
    give(crowd[2], target=0)
    player("newcomer")
    body = api.get(f"{TOP}?limit=100").json()
    assert [line["user_id"] for line in body["data"]] == [str(user.pk) for user in crowd[3:]]
    assert [line["rank"] for line in body["data"]] == list(range(1, 28))
    assert body["players"] == 27


# --- ETag and caches --------------------------------------------------------------------------------


def test_the_etag_is_epoch_and_seq_and_caches_may_keep_it_for_a_second(api: Api, crowd: list[User]) -> None:
    answer = api.get(TOP)
    body = answer.json()
    assert answer["ETag"] == f'"{body["epoch"]}:{body["seq"]}"'
    assert answer["Cache-Control"] == PUBLIC


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '{} , "other"', "*"])
def test_who_has_it_is_told_so_without_a_body(api: Api, crowd: list[User], form: str) -> None:
    etag = api.get(TOP)["ETag"]
    answer = api.get(TOP, headers={"If-None-Match": form.format(etag)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer["ETag"], answer["Cache-Control"]) == (etag, PUBLIC)
    assert "Content-Type" not in answer  # a cache would put it on the answer it has


@pytest.mark.parametrize("form", ["", '""', "nonsense", '"a:1"', "\x00", '"' * 999, "W/"])
def test_who_has_something_else_gets_the_board(api: Api, crowd: list[User], form: str) -> None:
    assert api.get(TOP, headers={"If-None-Match": form}).status_code == 200


def test_the_etag_moves_when_the_top_does(api: Api, crowd: list[User], board: Board) -> None:
    etag = api.get(TOP)["ETag"]
    give(crowd[9], 1000)
    snapshots.of(board).current = None
    answer = api.get(TOP, headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer["ETag"] != etag
    assert answer.json()["data"][0]["user_id"] == str(crowd[9].pk)


def test_an_answer_below_the_visible_top_is_tagged_by_what_it_says(api: Api, crowd: list[User]) -> None:
    """seq stands still when only that part of the board moves."""
    crowded = players(90)
    for user in crowded:
        give(user, 5)
    below = crowded[-1]
    for path in (f"{TOP}?limit=10&offset=95", of(below), of(below, "/around?radius=1")):
        answer = api.get(path)
        assert answer["Cache-Control"] == PUBLIC
        again = api.get(path, headers={"If-None-Match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    give(below, -1)
    for path in (f"{TOP}?limit=30&offset=95", of(below), of(below, "/around?radius=1")):
        before = api.get(path)["ETag"]
        give(below, -1)
        assert api.get(path, headers={"If-None-Match": before}).status_code == 200


@pytest.mark.parametrize("rest", ["", "/around"])
def test_an_id_may_be_written_in_capitals(api: Api, crowd: list[User], rest: str) -> None:
    """RFC 9562, section 4: on input in either case."""
    capitals = api.get(f"/api/v1/score/{str(crowd[3].pk).upper()}{rest}")
    assert (capitals.status_code, capitals.json()) == (200, api.get(of(crowd[3], rest)).json())


# --- One player -------------------------------------------------------------------------------------


def test_my_score_is_my_line_of_the_board(api: Api, crowd: list[User]) -> None:
    for position in (0, 14, 29):
        row = sql_rows()[position]
        answer = api.get(ME, crowd[position])
        assert answer["Cache-Control"] == "private, no-store"
        data = answer.json()["data"]
        assert data.pop("updated_at").startswith(row.reached_at.isoformat()[:23])
        assert data == {
            "user_id": row.user_id,
            "username": row.username,
            "score": row.score,
            "rank": position + 1,
            "players": 30,
            "percentile": round(100 * (29 - position) / 29, 2),
        }


def test_a_players_score_is_public_and_the_same(api: Api, crowd: list[User]) -> None:
    answer = api.get(of(crowd[4]))
    assert answer["Cache-Control"] == PUBLIC
    assert answer.json() == api.get(ME, crowd[4]).json()


def test_who_has_no_points_has_a_score_and_no_rank(api: Api, crowd: list[User]) -> None:
    newcomer = player("newcomer")
    expected: dict[str, Any] = {
        "user_id": str(newcomer.pk),
        "username": "newcomer",
        "score": 0,
        "rank": None,
        "players": 30,
        "percentile": None,
        "updated_at": None,
    }
    assert api.get(ME, newcomer).json()["data"] == expected
    assert api.get(of(newcomer)).json()["data"] == expected
    assert api.get(of(newcomer, "/around")).json()["data"] == []


def test_the_only_player_is_better_than_all_others(api: Api) -> None:
    only = player()
    give(only, 1)
    assert api.get(ME, only).json()["data"]["percentile"] == 100.0


def test_a_hidden_player_sees_the_own_score_and_nobody_else_does(api: Api, crowd: list[User]) -> None:
    User.objects.filter(pk=crowd[0].pk).update(is_hidden=True)
    ledger.announce_players([crowd[0].pk])
    mine = api.get(ME, crowd[0]).json()["data"]
    assert (mine["score"], mine["rank"], mine["players"]) == (100, None, 29)
    assert_problem(api.get(of(crowd[0])), "not-found")
    assert_problem(api.get(of(crowd[0], "/around")), "not-found")


def test_a_disabled_player_is_not_found_and_not_signed_in(api: Api, crowd: list[User]) -> None:
    User.objects.filter(pk=crowd[0].pk).update(is_active=False)
    ledger.announce_players([crowd[0].pk])
    assert_problem(api.get(ME, crowd[0]), "not-authenticated")
    assert_problem(api.get(of(crowd[0])), "not-found")


@pytest.mark.parametrize("rest", ["", "/around"])
def test_nobody_is_not_found(api: Api, rest: str) -> None:
    assert_problem(api.get(f"/api/v1/score/{uuid.uuid4()}{rest}"), "not-found")


@pytest.mark.parametrize("position", [0, 2, 15, 29])
@pytest.mark.parametrize("radius", [0, 1, 5, 50])
def test_around_is_a_window_of_the_board(api: Api, crowd: list[User], position: int, radius: int) -> None:
    body = api.get(of(crowd[position], f"/around?radius={radius}")).json()
    assert body["data"] == shown(sql_rows())[max(0, position - radius) : position + radius + 1]
    assert body["players"] == 30


# --- Who may look -----------------------------------------------------------------------------------


PATHS = [TOP, f"{TOP}?offset=100", "/api/v1/score/{0}", "/api/v1/score/{0}/around"]


@pytest.mark.parametrize("path", PATHS)
def test_on_a_public_board_a_bad_or_expired_token_costs_nobody_the_view(api: Api, crowd: list[User], path: str) -> None:
    for credentials in ("Bearer nonsense", "Bearer a.b.c", "Basic eDp5", "Bearer"):
        assert api.get(path.format(crowd[0].pk), headers={"Authorization": credentials}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_private_board_is_for_the_signed_in_and_kept_by_no_shared_cache(
    api: Api, crowd: list[User], settings: Settings, path: str
) -> None:
    settings.LEADERBOARD_PUBLIC = False
    path = path.format(crowd[0].pk)
    assert_problem(api.get(path), "not-authenticated")
    assert_problem(api.get(path, headers={"Authorization": "Bearer nonsense"}), "not-authenticated")
    etag = api.get(TOP, crowd[0])["ETag"]
    assert_problem(api.get(path, headers={"If-None-Match": etag}), "not-authenticated")
    answer = api.get(path, crowd[3])
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-cache"
    assert "Authorization" in answer["Vary"]


def test_my_score_is_for_the_signed_in(api: Api) -> None:
    refusal = api.get(ME)
    assert_problem(refusal, "not-authenticated")
    assert refusal["WWW-Authenticate"] == 'Bearer realm="api"'


def test_an_unknown_board_is_not_found(api: Api, alice: User) -> None:
    for path in (TOP, ME, of(alice), of(alice, "/around")):
        assert_problem(api.get(f"{path}?board=galactic", alice), "not-found")
