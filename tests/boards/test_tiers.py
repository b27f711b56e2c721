"""Tiers: names for the best ranks, said wherever a rank is, and never counted anew."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.models import User
from leaderboard import boards, rebuild, snapshots, tiers
from leaderboard.tiers import Tier
from scoreboard import periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod
from tests.boards.definitions import BOARDS, put
from tests.boards.exports import exported_lines
from tests.support.admin_site import admin, signed_in
from tests.support.boards import award, end_period, keep, make
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import player, site_key

pytestmark = pytest.mark.usefixtures("board", "unlimited")

TIERS = [{"name": "gold", "ranks": 1}, {"name": "silver", "percent": 40}, {"name": "the others", "percent": 80}]
TOLD = ["gold", "silver", "the others", "the others", None]  # of five players


@pytest.fixture
def five(board: Any) -> list[User]:
    """Five players, the first with the most points, on a board with tiers."""
    crowd = [player(f"player-{rank}") for rank in range(1, 6)]
    for rank, user in enumerate(crowd):
        award(user, 50 - rank)
    make("league", tiers=TIERS)
    return crowd


def told(api: Api, query: str = "board=league", path: str = TOP, **headers: str) -> list[Any]:
    snapshots._snapshots.clear()
    answer = api.get(f"{path}?{query}", headers=headers)
    assert answer.status_code == 200, answer.content
    return [row["tier"] for row in answer.json()["data"]]


def test_a_width_is_so_many_ranks_or_a_share_of_the_players_rounded_up() -> None:
    league = (Tier("gold", ranks=2), Tier("silver", percent=34))
    assert [tiers.name(league, rank, 6) for rank in range(1, 7)] == ["gold", "gold", "silver", None, None, None]
    assert [tiers.name(league, rank, 3) for rank in (1, 2, 3)] == ["gold", "gold", None]
    assert tiers.name(league, None, 6) is None
    assert Tier("one", percent=1).width(1) == Tier("one", percent=1).width(100) == 1
    assert Tier("one", percent=1).width(101) == 2
    assert Tier("all", percent=100).width(7) == 7


def test_the_tier_is_told_wherever_a_rank_is(api: Api, five: list[User]) -> None:
    now = datetime.now(UTC).isoformat()
    assert told(api) == TOLD
    assert told(api, f"board=league&at={quote(now)}") == TOLD
    assert told(api, "board=league&limit=2&offset=3") == TOLD[3:]
    assert told(api, "board=league&radius=1", f"/api/v1/score/{five[2].pk}/around") == TOLD[1:4]
    for user, tier in zip(five, TOLD, strict=True):
        assert api.get(f"/api/v1/score/{user.pk}?board=league").json()["data"]["tier"] == tier
        assert api.get("/api/v1/score/me?board=league", user).json()["data"]["tier"] == tier
    newcomer = player()
    assert api.get("/api/v1/score/me?board=league", newcomer).json()["data"]["tier"] is None


def test_a_board_without_tiers_says_nothing_of_them(api: Api, five: list[User]) -> None:
    make("plain")
    for board in ("global", "plain"):
        assert "tier" not in api.get(f"{TOP}?board={board}").json()["data"][0]
        assert "tier" not in api.get(f"/api/v1/score/{five[0].pk}?board={board}").json()["data"]
        assert "tier" not in exported_lines(api, board, headers=site_key("read"))[0]


def in_file(api: Api, board: str, period: str = "") -> list[str | None]:
    return [line["tier"] or None for line in exported_lines(api, board, period, site_key("read"))]


def test_the_file_has_a_column_of_tiers(api: Api, five: list[User]) -> None:
    assert in_file(api, "league") == TOLD


def test_a_closed_period_keeps_its_tiers_also_when_a_player_is_hidden(api: Api, five: list[User]) -> None:
    make("daily", window="daily", tiers=TIERS)
    ended, _ = end_period("daily")
    User.objects.filter(pk=five[1].pk).update(is_hidden=True)
    award(five[4], 100)
    asked = f"board=daily&period={ended}"
    assert told(api, asked) == [TOLD[0], *TOLD[2:]]
    assert in_file(api, "daily", ended) == [TOLD[0], *TOLD[2:]]
    assert api.get(f"/api/v1/score/{five[4].pk}?{asked}").json()["data"]["tier"] is None


def test_a_frozen_board_has_the_tiers_of_what_the_public_sees(api: Api, five: list[User]) -> None:
    Rule.objects.filter(slug="league").update(freeze_at=periods.clock())
    keep()
    for _ in range(5):
        award(player(), 100)
    keep()
    assert told(api) == TOLD
    assert api.get(f"/api/v1/score/{five[0].pk}?board=league").json()["data"]["tier"] == "gold"
    whole = told(api, "board=league&view=truth", **site_key("read"))
    assert whole == ["gold", *["silver"] * 3, *["the others"] * 4, None, None]


def test_changing_them_counts_nothing_anew_and_shows_at_once(api: Api, five: list[User]) -> None:
    before = list(BoardPeriod.objects.order_by("pk").values())
    rebuild.rebuild(boards.get("league"))  # Redis' answers have an ETag
    tag = api.get(f"{TOP}?board=league")["ETag"]
    assert api.get(f"{TOP}?board=league", headers={"If-None-Match": tag}).status_code == 304
    changed = put(api, "league", {"tiers": [{"name": "elite", "ranks": 2}]}, site_key("boards"))
    assert changed.json()["data"]["tiers"] == [{"name": "elite", "ranks": 2}]
    answer = api.get(f"{TOP}?board=league", headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert [row["tier"] for row in answer.json()["data"]] == ["elite", "elite", None, None, None]
    assert list(BoardPeriod.objects.order_by("pk").values()) == before
    assert put(api, "league", {"tiers": []}, site_key("boards")).json()["data"]["tiers"] == []
    assert "tier" not in api.get(f"{TOP}?board=league").json()["data"][0]


def test_the_etag_moves_when_a_share_does(board: Any) -> None:
    """Also where the players who make it wider are below the visible top, which leaves epoch and seq as they are."""
    half = (Tier("half", percent=50),)
    assert tiers.tag(half, 9) == tiers.tag(half, 10) != tiers.tag(half, 11)
    assert tiers.tag((), 9) == ""


BAD: list[Any] = [
    None,
    "gold",
    {"name": "gold", "ranks": 1},
    ["gold"],
    [None],
    [{"name": "gold"}],
    [{"ranks": 1}],
    [{"name": "gold", "ranks": 1, "percent": 1}],
    [{"name": "gold", "ranks": 1, "colour": "#fd0"}],
    [{"name": "gold", "ranks": 0}],
    [{"name": "gold", "ranks": -3}],
    [{"name": "gold", "ranks": True}],
    [{"name": "gold", "ranks": "3"}],
    [{"name": "gold", "ranks": 3.0}],
    [{"name": "gold", "ranks": None}],
    [{"name": "gold", "ranks": 10**30}],
    [{"name": "gold", "percent": 0}],
    [{"name": "gold", "percent": 101}],
    [{"name": "", "ranks": 1}],
    [{"name": " ", "ranks": 1}],
    [{"name": " gold", "ranks": 1}],
    [{"name": 5, "ranks": 1}],
    [{"name": ["gold"], "ranks": 1}],
    [{"name": "x" * 33, "ranks": 1}],
    [{"name": "go\nld", "ranks": 1}],
    [{"name": "\u202egold", "ranks": 1}],
    [{"name": "gold", "ranks": 3}, {"name": "Gold", "ranks": 5}],
    [{"name": "gold", "ranks": 3}, {"name": "silver", "ranks": 3}],
    [{"name": "gold", "percent": 20}, {"name": "silver", "ranks": 3}, {"name": "bronze", "percent": 10}],
    [{"name": f"tier {rank}", "ranks": rank} for rank in range(1, 12)],
]


def test_what_cannot_be_is_a_400_on_the_field_and_changes_nothing(api: Api) -> None:
    make("mine", tiers=TIERS)
    before, key = Rule.objects.values().get(), site_key("boards")
    for wrong in BAD:
        for answer in (
            api.post(BOARDS, {"slug": "new", "title": "New", "tiers": wrong}, headers=key),
            put(api, "mine", {"tiers": wrong}, key),
        ):
            said = assert_problem(answer, "invalid-request")["errors"]
            assert list(said) == ["tiers"], (wrong, said)
        assert Rule.objects.values().get() == before


def test_what_can_be_is_told_as_it_was_said(api: Api) -> None:
    key = site_key("boards")
    for number, good in enumerate(
        (
            [],
            [{"name": "Élite 🏆", "ranks": 1_000_000}],
            [{"name": "a:b", "percent": 100}],
            [{"name": f"tier {rank}", "ranks": rank} for rank in range(1, 11)],
            TIERS,
        )
    ):
        body = {"slug": f"board-{number}", "title": "Board", "tiers": good}
        assert api.post(BOARDS, body, headers=key).json()["data"]["tiers"] == good
    assert api.get(f"{BOARDS}/global").json()["data"]["tiers"] == []


TYPED = {
    "title": "League",
    "slug": "league",
    "visibility": "public",
    "window": "all",
    "zone": "UTC",
    "entry": "open",
    "value": "sum",
    "order": "high",
    "ties": "earliest",
}


def test_in_admin_they_are_lines_of_text() -> None:
    organiser = signed_in(admin())
    wrong = organiser.post("/admin/scoreboard/board/add/", {**TYPED, "tiers": "gold: many"})
    assert "gold: 3, or silver: 20%" in wrong.context["adminform"].form.errors["tiers"][0]
    narrow = organiser.post("/admin/scoreboard/board/add/", {**TYPED, "tiers": "gold: 3\nsilver: 2"})
    assert "no wider" in narrow.context["adminform"].form.errors["tiers"][0]
    text = "gold: 1\r\n\r\nsilver: 40%\r\n the others : 80 %"
    assert organiser.post("/admin/scoreboard/board/add/", {**TYPED, "tiers": text}).status_code == 302
    rule = Rule.objects.get()
    assert rule.tiers == TIERS
    change = f"/admin/scoreboard/board/{rule.pk}/change/"
    assert "gold: 1\nsilver: 40%\nthe others: 80%" in organiser.get(change).content.decode()
    same = organiser.post(change, {**TYPED, "tiers": "gold: 1\nsilver: 40%\nthe others: 80%"})
    assert same.status_code == 302
    assert LogEntry.objects.latest("pk").change_message == "[]"


def test_a_page_says_the_tier_beside_the_name_and_takes_no_markup(client: Client, five: list[User]) -> None:
    Rule.objects.update(tiers=[{"name": "<b>gold</b>", "ranks": 1}])
    keep()
    for path in ("/?board=league", "/embed/league"):
        page = client.get(path).content.decode()
        assert '<bdi title="player-1">player-1</bdi> <small>&lt;b&gt;gold&lt;/b&gt;</small></th>' in page
        assert '<bdi title="player-2">player-2</bdi></th>' in page


def test_no_period_is_made_anew_by_them_in_sql() -> None:
    rule = make("daily", window="daily")
    before = set(BoardPeriod.objects.values_list("pk", flat=True))
    Rule.objects.filter(pk=rule.pk).update(tiers=TIERS)
    periods.keep()
    assert set(BoardPeriod.objects.values_list("pk", flat=True)) == before
    assert boards.get("daily").tiers == ()  # as this process has read it
    keep()
    assert [tier.name for tier in boards.get("daily").tiers] == ["gold", "silver", "the others"]
