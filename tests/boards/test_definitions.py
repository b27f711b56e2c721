"""Boards over the API: made, listed and described."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import User
from leaderboard import boards
from leaderboard.boards import known
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod
from tests.boards.definitions import BOARDS, LATER, SOON, WEEKLY, give_type, iso, put
from tests.support.boards import award, make
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import declare, player
from tests.support.races import at_once, none_failed

pytestmark = pytest.mark.usefixtures("board", "unlimited")


def test_global_is_listed_first_and_is_a_board_like_any_other(api: Api) -> None:
    make("aaa")
    answer = api.get(BOARDS)
    assert answer["Cache-Control"] == "public, max-age=1, stale-while-revalidate=5"
    [first, second] = answer.json()["data"]
    assert (first["slug"], first["window"], first["who"], first["value"]) == ("global", "all", None, "sum")
    assert first["period"] == {"key": "all", "starts_at": None, "ends_at": None}
    assert second["slug"] == "aaa"
    assert answer.json()["total"] == 2
    assert api.get(f"{BOARDS}?limit=1&offset=1").json()["data"] == [second]
    assert api.get(f"{BOARDS}/global").json()["data"] == first
    assert api.get(BOARDS, headers={"If-None-Match": answer["ETag"]}).status_code == 304


def test_reading_what_boards_there_are_asks_sql_nothing(
    api: Api, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("weekly", window="weekly")
    boards.refresh(at_once=True)
    monkeypatch.setattr(known, "STALE_SECONDS", 3600.0)
    with django_assert_num_queries(0):
        assert len(api.get(BOARDS).json()["data"]) == 2
        assert api.get(f"{BOARDS}/weekly").json()["data"]["state"] == "open"


def test_a_board_is_made_in_the_words_in_which_it_is_told(api: Api, key: dict[str, str], alice: User) -> None:
    give_type("LAP")
    body = {
        **WEEKLY,
        "description": "From Monday",
        "visibility": "signed-in",
        "opens_at": None,
        "closes_at": iso(LATER),
        "freeze_at": iso(SOON),
        "counts": {"types": ["LAP"], "sources": ["award"]},
        "who": {"attribute": "region", "value": "eu"},
        "unit": "player",
        "entry": "join",
        "attempts": 3,
        "value": "best",
        "order": "low",
        "ties": "latest",
        "tiers": [{"name": "gold", "ranks": 3}],
        "close": [{"ranks": [1, 3], "notice": "You made the podium."}, {"ranks": [1, 100], "webhook": True}],
        "archive": 12,
        "paused": False,
    }
    answer = api.post(BOARDS, body, headers=key)
    assert answer.status_code == 201
    told = answer.json()["data"]
    assert {name: told[name] for name in body} == body
    assert told["state"] == "open"
    assert told["period"]["ends_at"] == told["next_reset"]
    rule = Rule.objects.get(slug="weekly")
    assert (rule.window, rule.attribute, rule.attribute_value) == ("weekly", "region", "eu")
    assert (rule.action_types, rule.sources) == (["LAP"], ["award"])
    assert api.get(f"{BOARDS}/weekly", alice).json()["data"] == told


def test_left_out_it_is_all_time_utc_every_type_everyone_the_sum(api: Api, key: dict[str, str]) -> None:
    told = api.post(BOARDS, {"slug": "plain", "title": "Plain"}, headers=key).json()["data"]
    assert {
        name: told[name]
        for name in (
            *("window", "zone", "counts", "who", "unit", "value", "order", "ties", "visibility"),
            *("entry", "attempts", "tiers", "close", "archive"),
        )
    } == {
        "entry": "open",
        "attempts": None,
        "tiers": [],
        "window": "all",
        "zone": "UTC",
        "counts": {"types": [], "sources": []},
        "who": None,
        "unit": "player",
        "value": "sum",
        "order": "high",
        "ties": "earliest",
        "close": [],
        "archive": None,
        "visibility": "public",
    }
    assert told["next_reset"] is None


@pytest.mark.parametrize(
    "window",
    ["all", "daily", "monthly", "yearly", {"days": 14, "from": "2026-01-05"}, {"from": iso(SOON), "to": iso(LATER)}],
    ids=str,
)
def test_every_window_is_taken_and_told_alike(api: Api, key: dict[str, str], window: Any) -> None:
    told = api.post(BOARDS, {"slug": "one", "title": "One", "window": window}, headers=key).json()["data"]
    assert told["window"] == window
    again = put(api, "one", {"window": told["window"], "title": "Two"}, key).json()["data"]
    assert again == {**told, "title": "Two"}


BAD: list[tuple[str, Any]] = [
    ("slug", {"slug": "No Slug"}),
    ("slug", {"slug": "a.b"}),
    ("slug", {"slug": None}),
    ("title", {"title": ""}),
    ("title", {"title": 5}),
    ("zone", {"zone": "Europe/Atlantis"}),
    ("zone", {"zone": "CEST"}),
    ("zone", {"zone": "x" * 65}),
    ("window", {"window": "hourly"}),
    ("window", {"window": None}),
    ("window", {"window": ["daily"]}),
    ("window", {"window": {}}),
    ("window", {"window": {"from": iso(SOON)}}),
    ("window.days", {"window": {"days": 0, "from": "2026-01-05"}}),
    ("window.days", {"window": {"days": True, "from": "2026-01-05"}}),
    ("window.days", {"window": {"days": 10**30, "from": "2026-01-05"}}),
    ("window.from", {"window": {"days": 7}}),
    ("window.from", {"window": {"days": 7, "from": "20260105"}}),
    ("window", {"window": {"days": 7, "from": "9999-01-01"}}),
    ("window.to", {"window": {"from": iso(SOON), "to": "tomorrow"}}),
    ("window.hours", {"window": {"hours": 7}}),
    ("closes_at", {"window": {"from": iso(LATER), "to": iso(SOON)}}),
    ("opens_at", {"window": {"from": iso(SOON), "to": iso(LATER)}, "opens_at": iso(LATER)}),
    ("opens_at", {"opens_at": "2026-11-26"}),
    ("opens_at", {"opens_at": "9999-12-31T23:59:59Z"}),
    ("opens_at", {"opens_at": "0001-01-01T00:00:00Z", "window": "daily", "zone": "Europe/Paris"}),
    ("closes_at", {"closes_at": "0001-01-01T00:00:00Z", "window": "daily", "zone": "America/New_York"}),
    ("freeze_at", {"freeze_at": "0001-01-01T00:00:00Z", "window": "daily", "zone": "Europe/Paris"}),
    ("closes_at", {"closes_at": "2001-01-01T00:00:00Z"}),
    ("freeze_at", {"freeze_at": iso(LATER), "closes_at": iso(SOON)}),
    ("freeze_at", {"freeze_at": "9999-12-31T23:59:59Z"}),
    ("counts.types", {"counts": {"types": ["NO_SUCH_TYPE"]}}),
    ("counts.types.0", {"counts": {"types": [5]}}),
    ("counts.sources.0", {"counts": {"sources": ["correction"]}}),
    ("counts.kinds", {"counts": {"kinds": []}}),
    ("unit", {"unit": "team"}),
    ("who", {"who": "everyone"}),
    ("who", {"who": {"attribute": "region"}}),
    ("who", {"who": {"attribute": "region", "value": "eu", "each": True}}),
    ("who.each", {"who": {"attribute": "region", "each": False}}),
    ("who.value", {"who": {"attribute": "region", "value": "*"}}),
    ("who.value", {"who": {"attribute": "region", "value": None}}),
    ("who.attribute", {"who": {"attribute": "shoe_size", "value": "42"}}),
    ("who.attribute", {"who": {"attribute": "secret", "value": "x"}}),
    ("who.value", {"who": {"attribute": "league", "value": "wooden"}}),
    ("value", {"value": "median"}),
    ("order", {"order": "up"}),
    ("ties", {"ties": "random"}),
    ("entry", {"entry": "invite"}),
    ("attempts", {"attempts": 0}),
    ("tiers", {"tiers": [{"name": "gold"}]}),
    ("visibility", {"visibility": "private"}),
    ("paused", {"paused": "no"}),
    ("unit", {"unit": "team"}),
    ("points", {"points": 5}),
]


def test_what_cannot_be_is_a_400_that_names_the_field_and_changes_nothing(api: Api, key: dict[str, str]) -> None:
    declare("league", allowed=["gold", "silver"])
    declare("secret", private=True)
    make("mine")
    before = Rule.objects.values().get()
    for field, wrong in BAD:
        for answer in [api.post(BOARDS, {**WEEKLY, **wrong}, headers=key), put(api, "mine", wrong, key)]:
            told = assert_problem(answer, "invalid-request")["errors"]
            assert list(told) == [field], (wrong, told)
        assert Rule.objects.values().get() == before


@pytest.mark.parametrize("slug", ["%00", "a%00b", "%ED%A0%80", "x" * 66, "No-Such", "%C3%A9"])
def test_what_cannot_be_a_slug_is_not_there(api: Api, key: dict[str, str], slug: str) -> None:
    assert_problem(api.get(f"{BOARDS}/{slug}"), "not-found")
    assert_problem(api.get(f"{BOARDS}/{slug}/periods"), "not-found")
    assert_problem(put(api, slug, {"title": "Mine"}, key), "not-found")
    assert_problem(api.send("DELETE", f"{BOARDS}/{slug}", b"", headers=key), "not-found")
    assert_problem(put(api, f"{slug}/reveal", {"pace": 2}, key), "not-found")


def test_values_of_attributes_are_of_their_kind(api: Api, key: dict[str, str]) -> None:
    declare("level", "integer")
    declare("beta", "boolean")
    for slug, attribute, value, told in (("a", "level", 5, "5"), ("b", "beta", True, "true"), ("c", "level", "7", "7")):
        made = api.post(
            BOARDS, {"slug": slug, "title": "A", "who": {"attribute": attribute, "value": value}}, headers=key
        )
        assert made.json()["data"]["who"] == {"attribute": attribute, "value": told}
    wrong = {"slug": "d", "title": "D", "who": {"attribute": "level", "value": "high"}}
    assert "who.value" in assert_problem(api.post(BOARDS, wrong, headers=key), "invalid-request")["errors"]


def test_a_private_attribute_decides_over_hidden_boards_alone(api: Api, key: dict[str, str]) -> None:
    declare("segment", private=True)
    body = {"slug": "a", "title": "A", "visibility": "hidden", "who": {"attribute": "segment", "each": True}}
    assert api.post(BOARDS, body, headers=key).status_code == 201
    told = assert_problem(put(api, "a", {"visibility": "public"}, key), "invalid-request")
    assert "private" in told["errors"]["who.attribute"][0]


def test_a_slug_is_taken_once(api: Api, key: dict[str, str]) -> None:
    assert api.post(BOARDS, WEEKLY, headers=key).status_code == 201
    assert_problem(api.post(BOARDS, WEEKLY, headers=key), "slug-taken")
    assert_problem(api.post(BOARDS, {"slug": "global", "title": "Mine"}, headers=key), "slug-taken")
    assert Rule.objects.count() == 1


def test_of_two_at_once_one_makes_it(api: Api, key: dict[str, str]) -> None:
    answers = none_failed(at_once(2, lambda _: Api().post(BOARDS, WEEKLY, headers=key).status_code))
    assert sorted(answers) == [201, 409]


def test_one_board_for_each_value(api: Api, key: dict[str, str]) -> None:
    for region in ("EU", "us"):
        award(player(f"of-{region}", region=region), 5)
    made = api.post(
        BOARDS, {"slug": "region", "title": "By region", "who": {"attribute": "region", "each": True}}, headers=key
    )
    assert made.json()["data"]["parts"] == ["eu", "us"]
    part = api.get(f"{BOARDS}/region.eu").json()["data"]
    assert (part["slug"], part["parts"], part["period"]["key"]) == ("region.eu", [], "all")
    assert_problem(api.get(f"{BOARDS}/region.mars"), "not-found")
    assert [row["username"] for row in api.get(f"{TOP}?board=region.eu").json()["data"]] == ["of-EU"]
    assert len(api.get(f"{BOARDS}/region.us/periods").json()["data"]) == 1


def test_periods_are_listed_the_newest_first(api: Api, alice: User) -> None:
    award(alice, 5)
    rule = make("daily", window="daily")
    [current, *_] = BoardPeriod.objects.filter(board=rule).order_by("starts_at")
    for day in (1, 2, 3):
        BoardPeriod.objects.create(
            board=rule,
            key=f"2020-01-0{day}",
            starts_at=datetime(2020, 1, day, tzinfo=UTC),
            ends_at=datetime(2020, 1, day + 1, tzinfo=UTC),
            filled_at=current.filled_at,
            closed_at=datetime(2020, 1, day + 1, tzinfo=UTC),
        )
    listed = api.get(f"{BOARDS}/daily/periods").json()["data"]
    assert [one["key"] for one in listed] == [current.key, "2020-01-03", "2020-01-02", "2020-01-01"]
    assert [one["state"] for one in listed] == ["open", "closed", "closed", "closed"]
    assert api.get(f"{BOARDS}/daily/periods?limit=2&offset=1").json()["data"] == listed[1:3]
    assert [one["key"] for one in api.get(f"{BOARDS}/global/periods").json()["data"]] == ["all"]
    assert_problem(api.get(f"{BOARDS}/nothing/periods"), "not-found")


def test_each_state_is_told(api: Api, key: dict[str, str]) -> None:
    make("open")
    make("upcoming", opens_at=SOON)
    make("frozen", freeze_at=datetime.now(UTC))
    make("empty", attribute="region", attribute_value="*")
    make("paused", paused=True)
    make("closed", closes_at=datetime.now(UTC))
    Rule.objects.create(slug="counting", title="Counting")  # and not filled
    boards.forget()
    told = {one["slug"]: one["state"] for one in api.get(BOARDS, headers=key).json()["data"]}
    assert told.pop("global") == "open"
    assert told == {state: state for state in told}
    assert len(told) == 7


def test_what_is_not_there_of_a_board_is_said_and_of_a_hidden_one_nothing(api: Api) -> None:
    award(player("of-eu", region="eu"), 5)
    make("region", attribute="region", attribute_value="*")
    make("weekly", window="weekly")
    make("secret", window="weekly", visibility="hidden")
    make("secret-region", attribute="region", attribute_value="*", visibility="hidden")
    make("away", window="weekly", paused=True)
    said = {
        "weekly&period=1999-W01": "This board has no period 1999-W01.",
        "region": "This board has one for each value, such as region.eu.",
        "region.mars": "There is no such board.",
        "secret&period=1999-W01": "There is no such board.",
        "secret-region": "There is no such board.",
        "away&period=1999-W01": "There is no such board.",
    }
    assert {query: api.get(f"{TOP}?board={query}").json()["detail"] for query in said} == said
