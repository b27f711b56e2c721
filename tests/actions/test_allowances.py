"""How many rewarded actions a player may start: counted when a token is minted, so that tokens cannot be hoarded."""

import time
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from actions import catalog, tokens
from actions.models import ActionToken, ActionType
from tests.client import MINT, UPDATE, Api, assert_problem
from tests.people import bearer, update_body

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh_limits", "catalogue")]


@pytest.fixture(autouse=True)
def read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of the catalogue reaches the limits at once instead of within two seconds."""
    monkeypatch.setattr(catalog, "REFRESH_SECONDS", 0.0)


def edit(slug: str, **changes: Any) -> None:
    ActionType.objects.filter(slug=slug).update(**changes)


def mint(api: Api, user: User, slug: str = "WIN_MATCH") -> Any:
    return api.post(MINT, {"action_type": slug}, user)


def policy(refused: Any) -> str:
    assert_problem(refused, "rate-limited")
    assert refused["RateLimit"].endswith(f";r=0;t={refused['Retry-After']}")
    return str(refused["RateLimit-Policy"])


def test_each_type_and_each_player_has_an_allowance_of_its_own(
    api: Api, alice: User, bob: User, settings: Settings
) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "2/hour"}
    assert [mint(api, alice).status_code for _ in range(3)] == [201, 201, 429]
    assert mint(api, alice, "DAILY_LOGIN").status_code == 201
    assert mint(api, bob).status_code == 201
    assert policy(mint(api, alice)) == '"actions";q=2;w=3600'


def test_tokens_that_are_never_redeemed_count_and_redeeming_does_not(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "3/hour"}
    minted = [tokens.mint(alice.pk, "WIN_MATCH") for _ in range(3)]
    assert [api.post(UPDATE, update_body(one), alice).status_code for one in minted] == [200] * 3
    assert [api.post(UPDATE, update_body(one), alice).status_code for one in minted] == [409] * 3
    assert mint(api, alice).status_code == 429
    assert ActionToken.objects.count() == 3


def test_a_cooldown_says_how_long(api: Api, alice: User) -> None:
    edit("WIN_MATCH", cooldown=30)
    begun = time.monotonic()
    assert mint(api, alice).status_code == 201
    refused = mint(api, alice)
    passed = time.monotonic() - begun
    assert policy(refused) == '"cooldown-WIN_MATCH";q=1;w=30'
    assert 30 - passed <= int(refused["Retry-After"]) <= 30


def test_a_types_own_number_comes_on_top_of_the_sites(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "5/hour"}
    edit("WIN_MATCH", max_per_hour=2)
    edit("DAILY_LOGIN", max_per_hour=50)
    assert [mint(api, alice).status_code for _ in range(3)] == [201, 201, 429]
    assert policy(mint(api, alice)) == '"actions-WIN_MATCH";q=2;w=3600'
    assert [mint(api, alice, "DAILY_LOGIN").status_code for _ in range(6)] == [201] * 5 + [429]
    assert policy(mint(api, alice, "DAILY_LOGIN")) == '"actions";q=5;w=3600'


def test_what_a_type_refuses_does_not_use_up_the_sites_allowance(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "5/hour"}
    edit("WIN_MATCH", max_per_hour=1)
    assert [mint(api, alice).status_code for _ in range(9)] == [201] + [429] * 8
    edit("WIN_MATCH", max_per_hour=None)
    assert [mint(api, alice).status_code for _ in range(5)] == [201] * 4 + [429]


def test_what_a_cooldown_refuses_does_not_either(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "3/hour"}
    edit("WIN_MATCH", cooldown=3600)
    assert [mint(api, alice).status_code for _ in range(9)] == [201] + [429] * 8
    edit("WIN_MATCH", cooldown=0)
    assert [mint(api, alice).status_code for _ in range(3)] == [201, 201, 429]


def test_without_limits_nothing_is_counted(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "off")
    assert [mint(api, alice).status_code for _ in range(130)] == [201] * 130


def test_a_type_that_does_not_exist_costs_nothing(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "1/hour"}
    edit("DAILY_LOGIN", enabled=False)
    for slug in ("NO_SUCH", "DAILY_LOGIN"):
        assert [mint(api, alice, slug).status_code for _ in range(3)] == [404] * 3
    edit("DAILY_LOGIN", enabled=True)
    assert mint(api, alice, "DAILY_LOGIN").status_code == 201


def test_an_edit_of_the_catalogue_reaches_the_limits_of_a_running_process(
    api: Api, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "REFRESH_SECONDS", 3600.0)
    assert mint(api, alice).status_code == 201
    edit("WIN_MATCH", cooldown=3600, points=7)
    remembered = mint(api, alice)
    assert remembered.status_code == 201, "limits may lag behind an edit"
    assert remembered.json()["data"]["points"] == 7, "points never do"
    monkeypatch.setattr(catalog, "REFRESH_SECONDS", 0.0)
    assert [mint(api, alice).status_code for _ in range(2)] == [201, 429]


def test_a_token_that_a_new_password_has_ended_uses_up_nothing(api: Api, alice: User, settings: Settings) -> None:
    """Else whoever has a stolen one keeps its owner from playing for an hour, for as long as it has not expired."""
    settings.LIMITS = {**settings.LIMITS, "actions": "2/hour"}
    stolen = bearer(alice)
    alice.set_password("another long enough pass phrase")
    alice.save()
    assert {api.post(MINT, {"action_type": "WIN_MATCH"}, headers=stolen).status_code for _ in range(5)} == {401}
    assert [mint(api, alice).status_code for _ in range(3)] == [201, 201, 429]


def test_what_is_refused_leaves_no_row(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "2/hour"}
    assert [mint(api, alice).status_code for _ in range(5)] == [201, 201, 429, 429, 429]
    assert ActionToken.objects.count() == 2
