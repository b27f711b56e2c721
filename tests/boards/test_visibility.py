"""A board that is hidden, or for the signed-in, is so on every way out. The live ones: tests/system/live/
test_board_visibility.py."""

import re
import uuid
from typing import Any

import pytest
from django.db import connection
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts.models import ApiKey, User
from leaderboard import boards, snapshots
from leaderboard.boards import Board
from scoreboard import entrants
from scoreboard.models import Board as Rule
from tests.support.admin_site import admin, signed_in
from tests.support.boards import award, end_period, keep, make
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import player, site_key

pytestmark = pytest.mark.usefixtures("board", "unlimited")

PUBLIC = "public, max-age=1, stale-while-revalidate=5"
ME = "/api/v1/score/me?board={board}"
JOIN = "/api/v1/boards/{board}/join"
READS = [
    f"{TOP}?board={{board}}",
    f"{TOP}?board={{board}}&period=all",
    f"{TOP}?board={{board}}&offset=100",
    "/api/v1/score/{player}?board={board}",
    "/api/v1/score/{player}/around?board={board}",
    "/api/v1/boards/{board}",
    "/api/v1/boards/{board}/periods",
]
AS_OF = f"{TOP}?board={{board}}&at=2026-01-02T00:00:00Z"
TIME = re.compile(r"[\d-]{10} [\d:.+]+")
NOBODYS = {"Authorization": "Bearer nonsense"}
NO_KEY = {"X-API-Key": "sb_0123456789ab_" + "x" * 43}


@pytest.fixture
def paths(alice: User) -> list[str]:
    """Alice is on each of the boards."""
    award(alice, 5)
    for visibility in Rule.Visibility.values:
        make(visibility, visibility=visibility)
    return [path.format(board="{board}", player=alice.pk) for path in READS]


def refusal(answer: Any, kind: str) -> dict[str, Any]:
    """What it and its headers say, without what differs between any two requests."""
    headers = {name: value for name, value in answer.items() if name not in ("X-Request-ID", "Date", "Content-Length")}
    return {**assert_problem(answer, kind), "request_id": "", **headers}


def test_a_public_board_is_for_everybody_whatever_they_bring(api: Api, paths: list[str]) -> None:
    for path in paths:
        for headers in ({}, NOBODYS, NO_KEY):
            answer = api.get(path.format(board="public"), headers=headers)
            assert (answer.status_code, answer["Cache-Control"]) == (200, PUBLIC), path


def test_a_board_for_the_signed_in_is_401_without_a_token_and_kept_by_no_shared_cache(
    api: Api, paths: list[str], bob: User
) -> None:
    for path in (path.format(board="signed-in") for path in [*paths, AS_OF]):
        for headers in ({}, NOBODYS):
            assert_problem(api.get(path, headers=headers), "not-authenticated")
        assert_problem(api.get(path, headers=NO_KEY), "forbidden")
        assert_problem(api.get(path, headers=site_key("award")), "forbidden")
        for answer in (api.get(path, bob), api.get(path, headers=site_key("read"))):
            assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-cache"), path
            assert "Authorization" in answer["Vary"]


def test_a_hidden_board_is_to_others_as_one_that_is_not_there(api: Api, paths: list[str], bob: User) -> None:
    strangers: list[dict[str, Any]] = [
        {},
        {"headers": NOBODYS},
        {"headers": NO_KEY},
        {"headers": site_key("award", "players")},
        {"user": bob},
    ]
    for path in [*paths, AS_OF]:
        for stranger in strangers:
            hidden = refusal(api.get(path.format(board="hidden"), **stranger), "not-found")
            assert hidden == refusal(api.get(path.format(board="never-made"), **stranger), "not-found"), path
    assert_problem(api.get(ME.format(board="hidden"), bob), "not-found")


def test_nor_do_limits_tell_a_hidden_board_from_one_that_is_not_there(
    api: Api, paths: list[str], settings: Settings
) -> None:
    make("paused", paused=True)
    settings.LIMITS = {**settings.LIMITS, "user": "2/minute"}
    for board in ("hidden", "never-made", "paused"):
        who = player(f"who-asks-of-{board}")
        told = [api.get(f"{TOP}?board={board}", who) for _ in range(3)]
        assert [answer.status_code for answer in told] == [404, 404, 429], board


@pytest.mark.parametrize("pages", [False, True])
def test_a_hidden_board_is_looked_for_as_long_as_one_that_is_not_there(
    api: Api, client: Client, paths: list[str], *, pages: bool
) -> None:
    make("paused", paused=True)
    for path in ["/?board={board}", "/embed/{board}", "/embed?board={board}"] if pages else [*paths, AS_OF]:
        for board in ("hidden", "paused"):
            assert queries(client if pages else api, path, board) == queries(client if pages else api, path), path


def test_so_is_a_closed_period_of_it(client: Client, alice: User) -> None:
    make("daily", window="daily")
    award(alice, 5)
    ended, _ = end_period("daily")
    Rule.objects.update(visibility="hidden")
    keep()
    for path in (f"/?board={{board}}&period={ended}", f"/embed/{{board}}?period={ended}"):
        assert queries(client, path, "daily") == queries(client, path), path


def test_so_it_is_by_who_is_signed_in(client: Client, alice: User) -> None:
    client.force_login(alice)
    make("hidden", visibility="hidden", entry="join")
    make("paused", paused=True, entry="join")
    for method, path in (("GET", ME), ("POST", JOIN), ("DELETE", JOIN), ("GET", "/?board={board}")):
        for board in ("hidden", "paused"):
            assert queries(client, path, board, method) == queries(client, path, method=method), path


def queries(client: Api | Client, path: str, board: str = "never-made", method: str = "GET") -> list[str]:
    """What SQL is asked before the answer that there is no such board."""
    raw = client.client if isinstance(client, Api) else client
    with CaptureQueriesContext(connection) as asked:
        assert raw.generic(method, path.format(board=board)).status_code == 404
    return sorted(TIME.sub("", query["sql"]).replace(f"'{board}'", "…") for query in asked)


def test_staff_and_keys_that_read_see_a_hidden_board(api: Api, paths: list[str]) -> None:
    for path in (path.format(board="hidden") for path in paths):
        for seen in ({"user": admin(f"ada-{uuid.uuid4().hex[:6]}")}, {"headers": site_key("read")}):
            answer = api.get(path, **seen)
            assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-cache"), path
    assert api.get(ME.format(board="hidden"), player("mod", role=User.Role.MODERATOR)).status_code == 200


def test_a_site_that_is_not_public_asks_who_it_is_of_hidden_boards_too(
    api: Api, paths: list[str], settings: Settings
) -> None:
    settings.LEADERBOARD_PUBLIC = False
    for path in paths:
        for board in ("public", "signed-in", "hidden", "never-made"):
            assert_problem(api.get(path.format(board=board)), "not-authenticated")


def test_while_it_is_counted_a_hidden_board_does_not_say_that_it_is_there(api: Api, alice: User) -> None:
    Rule.objects.create(slug="hidden", title="Hidden", visibility="hidden")  # and not filled
    boards.forget()
    assert_problem(api.get(f"{TOP}?board=hidden"), "not-found")


def test_the_list_has_what_its_reader_may_see(api: Api, paths: list[str], bob: User) -> None:
    def listed(**who: Any) -> list[str]:
        answer = api.get("/api/v1/boards", **who)
        assert answer["Cache-Control"] == "private, no-cache"
        return [one["slug"] for one in answer.json()["data"]]

    assert listed() == listed(headers=NOBODYS) == listed(headers=site_key("award")) == ["global", "public"]
    assert listed(user=bob) == ["global", "public", "signed-in"]
    everything = ["global", "hidden", "public", "signed-in"]
    assert listed(user=admin()) == listed(headers=site_key("read")) == listed(headers=site_key("boards")) == everything


def test_who_may_edit_boards_sees_their_rules_and_nobody_s_score(api: Api, paths: list[str]) -> None:
    editor = site_key("boards")
    assert api.get("/api/v1/boards/hidden", headers=editor).status_code == 200
    assert_problem(api.get(f"{TOP}?board=hidden", headers=editor), "not-found")


def test_an_export_of_a_hidden_board_is_for_those_who_see_it(api: Api, paths: list[str]) -> None:
    path = "/api/v1/exports/board.csv?board=hidden"
    assert_problem(api.get(path), "not-authenticated")
    for scope in ApiKey.Scope.values:
        if scope != ApiKey.Scope.READ:
            assert_problem(api.get(path, headers=site_key(scope)), "forbidden")
    rows = b"".join(api.get(path, headers=site_key("read"))).decode().splitlines()
    assert [row.split(",")[0] for row in rows] == ["rank", "1"]
    assert signed_in(admin()).get(path).status_code == 200


def test_the_embedded_page_shows_it_to_those_who_may_see_it(
    client: Client, paths: list[str], alice: User, bob: User
) -> None:
    assert ">alice<" in client.get("/embed/public").content.decode()
    page = client.get("/embed/signed-in").content.decode()
    assert "Sign in to see this board" in page
    assert ">alice<" not in page
    assert client.get("/embed/hidden").status_code == client.get("/embed/never-made").status_code == 404
    client.force_login(bob)
    assert ">alice<" in client.get("/embed/signed-in").content.decode()
    assert client.get("/embed/hidden").status_code == 404
    assert ">alice<" in signed_in(admin()).get("/embed/hidden").content.decode()


def test_the_site_s_page_offers_and_shows_what_its_visitor_may_see(client: Client, paths: list[str], bob: User) -> None:
    assert client.get("/?board=hidden").status_code == client.get("/embed?board=hidden").status_code == 404
    page = client.get("/?board=signed-in").content.decode()
    assert ">alice<" not in page
    assert "Hidden" not in client.get("/").content.decode()
    client.force_login(bob)
    assert ">alice<" in client.get("/?board=signed-in").content.decode()
    assert client.get("/?board=hidden").status_code == 404
    assert "Hidden" not in client.get("/").content.decode()
    staff = signed_in(admin())
    assert ">alice<" in staff.get("/?board=hidden").content.decode()
    assert "Hidden" in staff.get("/").content.decode()


def test_the_template_tag_leaves_out_what_its_visitor_may_not_see(paths: list[str], bob: User) -> None:
    def rendered(board: str, user: User | None) -> str:
        request = RequestFactory().get("/")
        if user:
            request.user = user
        template = Template(f'{{% load live_leaderboard %}}{{% live_leaderboard board="{board}" %}}')
        return template.render(Context({"request": request} if user else {})).strip()

    assert ">alice<" in rendered("public", None)
    assert "Sign in to see this board" in rendered("signed-in", None)
    assert ">alice<" in rendered("signed-in", bob)
    assert rendered("hidden", None) == rendered("hidden", bob) == ""
    assert ">alice<" in rendered("hidden", admin())


def test_a_change_of_visibility_counts_at_once_and_no_copy_outlives_it(
    api: Api, board: Board, paths: list[str]
) -> None:
    path = f"{TOP}?board=public"
    assert api.get(path).status_code == 200
    shown = boards.get("public")
    kept = snapshots.of(shown)
    key, body = site_key("boards"), b'{"visibility": "signed-in"}'
    assert api.send("PUT", "/api/v1/boards/public", body, headers=key).status_code == 200
    assert_problem(api.get(path), "not-authenticated")
    now = boards.get("public")
    assert now.id == shown.id  # it is not counted anew for that
    assert snapshots.of(now) is not kept
    api.send("PUT", "/api/v1/boards/public", b'{"visibility": "hidden"}', headers=key)
    assert_problem(api.get(path), "not-found")


def test_a_player_s_own_data_says_nothing_of_a_hidden_board(api: Api, alice: User) -> None:
    rules = [make(slug, entry="join", window="daily", close=[{"ranks": [1, 1], "notice": "Won."}]) for slug in "ab"]
    for rule in rules:
        entrants.join(rule, alice)
    award(alice, 5)
    for rule in rules:
        end_period(rule.slug)
        keep()

    def told() -> list[set[str]]:
        document = api.get("/api/v1/me/export", alice).json()["data"]
        slugs = {board.name: board.slug for board in boards.everyone()}
        parts = [{one["board"] for one in document[part]} for part in ("boards_joined", "notices", "final_ranks")]
        return [*parts, {slugs[name] for name in document["boards"]} - {"global"}]

    assert told() == [{"a", "b"}] * 4
    Rule.objects.filter(slug="b").update(visibility="hidden")
    boards.forget()
    assert told() == [{"a"}] * 4
