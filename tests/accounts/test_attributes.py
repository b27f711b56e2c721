"""What sites may say of their players: declared in admin, judged when written; what an edit does to stored values."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts import attributes, privacy
from accounts.models import PlayerAttribute, User
from tests.support.admin_site import admin, signed_in
from tests.support.client import Api, assert_problem
from tests.support.people import declare, site_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits", "quiet_log")]

PLAYER, PLAYERS, AWARDS = "/api/v1/players/42", "/api/v1/players", "/api/v1/awards"
DECLARED = "/admin/accounts/playerattribute/"


@pytest.fixture
def key(db: None) -> dict[str, str]:
    return site_key()


def put(api: Api, key: dict[str, str], **values: Any) -> Any:
    return api.send("PUT", PLAYER, json.dumps({"attributes": values}).encode(), headers=key)


def save(admin_site: Client, page: str, form: dict[str, str]) -> None:
    """As it is STALE_SECONDS later."""
    assert admin_site.post(f"{DECLARED}{page}/", form).status_code == 302
    attributes.read.cache_clear()


def told(api: Api, key: dict[str, str]) -> Any:
    return api.get(PLAYER, headers=key).json()["data"]["attributes"]


def test_an_attribute_is_declared_edited_and_taken_away_in_admin(
    api: Api, admin_site: Client, key: dict[str, str]
) -> None:
    assert_problem(put(api, key, league="gold"), "invalid-request")
    form = {"name": "league", "kind": "text", "allowed": "gold,silver"}
    save(admin_site, "add", form)
    assert put(api, key, league="gold").status_code == 200
    assert list(assert_problem(put(api, key, league="lead"), "invalid-request")["errors"]) == ["attributes.league"]
    form = {"name": "other", "kind": "text", "allowed": "gold,silver,lead", "private": "on"}
    save(admin_site, "league/change", form)
    assert put(api, key, league="lead").status_code == 200
    assert set(PlayerAttribute.objects.values_list("name", "private")) == {("region", False), ("league", True)}
    save(admin_site, "league/delete", {"post": "yes"})
    assert_problem(put(api, key, league="gold"), "invalid-request")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Level"},
        {"name": "2nd"},
        {"name": "a b"},
        {"name": "a" * 33},
        {"name": ""},
        {"name": "region"},
        {"kind": "float"},
        {"kind": ""},
        {"kind": "integer", "allowed": "1,x"},
        {"kind": "integer", "allowed": "1,01"},
        {"kind": "integer", "allowed": str(2**53)},
        {"kind": "boolean", "allowed": "true"},
        {"allowed": "x" * 33},
        {"allowed": "a\u200bb"},
    ],
)
def test_what_declares_nothing_is_shown_with_its_error(admin_site: Client, wrong: dict[str, str]) -> None:
    page = admin_site.post(f"{DECLARED}add/", {"name": "level", "kind": "text", "allowed": "", **wrong})
    assert page.status_code == 200
    assert page.context["adminform"].form.errors
    assert list(PlayerAttribute.objects.values_list("name", flat=True)) == ["region"]


def test_the_region_stays_a_text(admin_site: Client) -> None:
    page = admin_site.post(f"{DECLARED}region/change/", {"kind": "integer"})
    assert page.status_code == 200
    assert PlayerAttribute.objects.get().kind == "text"


def test_admins_who_are_no_superusers_declare_nothing(api: Api) -> None:
    staff = signed_in(admin())
    for path in ("", "add/", "region/change/", "region/delete/"):
        assert staff.get(f"{DECLARED}{path}").status_code == 403, path


def test_what_an_edit_no_longer_accepts_stays_stored_and_is_not_told(api: Api, key: dict[str, str]) -> None:
    declare("league", allowed=["gold", "silver"])
    declare("level", "integer")
    assert put(api, key, region="eu", league="gold", level=3).status_code == 200
    stored = {"league": "gold", "level": 3}

    declare("league", allowed=["silver"])
    declare("level", "text", allowed=[])
    declare("region", allowed=["us"])
    assert told(api, key) == {}
    user = User.objects.get(external_id="42")
    assert (user.region, user.attributes) == ("eu", stored)
    assert privacy.export(user)["identity"]["attributes"] == stored, "it is a person's data as long as it is stored"

    declare("league", allowed=["gold", "silver"])
    PlayerAttribute.objects.filter(name="level").delete()
    declare("region", allowed=[])
    assert told(api, key) == {"region": "eu", "league": "gold"}

    declare("level", "integer")
    assert told(api, key) == {"region": "eu", "league": "gold", "level": 3}
    declare("league", allowed=["silver"])
    assert put(api, key, league="silver").status_code == 200
    assert User.objects.get(external_id="42").attributes == {"league": "silver", "level": 3}


def test_a_private_one_is_told_to_who_may_write_it(api: Api, key: dict[str, str]) -> None:
    declare("vip", "boolean", private=True)
    assert put(api, key, region="eu", vip=True).json()["data"]["attributes"] == {"region": "eu", "vip": True}
    assert told(api, key) == {"region": "eu", "vip": True}
    reader = site_key("read")
    assert told(api, reader) == {"region": "eu"}
    assert api.get(PLAYERS, headers=reader).json()["data"][0]["attributes"] == {"region": "eu"}
    assert told(api, site_key("read", "players")) == {"region": "eu", "vip": True}


def test_an_award_is_told_what_became_of_it_whatever_is_declared_by_then(api: Api, key: dict[str, str]) -> None:
    """A back end that got no answer repeats the same call, perhaps after an edit."""
    declare("league", allowed=["gold"])
    deed = {"id": "1", "player": "42", "action_type": "COMPLETE_TASK", "attributes": {"league": "gold"}}
    first = api.post(AWARDS, deed, headers=key)
    assert first.status_code == 201
    declare("league", allowed=["silver"])
    repeat = api.post(AWARDS, deed, headers=key)
    assert (repeat.status_code, repeat.json()["data"]["replayed"]) == (200, True)
    batch = {"awards": [deed, {**deed, "id": "2"}, {**deed, "player": "43"}]}
    results = api.post(f"{AWARDS}/batch", batch, headers=key).json()["data"]["results"]
    assert [one["status"] for one in results] == [200, 400, 409]
    assert list(results[1]["errors"]) == ["attributes.league"]
    refused = assert_problem(api.post(AWARDS, {**deed, "id": "2"}, headers=key), "invalid-request")
    assert list(refused["errors"]) == ["attributes.league"]
    assert not User.objects.filter(external_id="43").exists()


def test_an_answer_names_ten_that_are_wrong(key: dict[str, str]) -> None:
    good, wrong = attributes.judge({f"none-{number}": 1 for number in range(12)})
    assert (good, len(wrong)) == ({}, attributes.MOST_WRONG)


def test_they_are_read_once_in_a_while(api: Api, key: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("accounts.attributes.time.monotonic", lambda: clock[0])
    PlayerAttribute.objects.create(name="level", kind="integer")
    assert put(api, key, level=1).status_code == 200
    PlayerAttribute.objects.filter(name="level").delete()  # in another process
    clock[0] += attributes.STALE_SECONDS - 1
    assert put(api, key, level=2).status_code == 200
    clock[0] += 1
    assert_problem(put(api, key, level=3), "invalid-request")
