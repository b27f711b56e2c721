"""Who may grant what, and how much of it to themselves: decided where the token's row is written."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts import api_keys
from accounts.models import User
from actions.models import ActionToken, ActionType
from actions.tasks import purge_tokens
from api import redis_client
from tests.support.client import MINT, UPDATE, Api, assert_problem
from tests.support.people import bearer, grow_older, player
from tests.support.processes import eventually
from tests.support.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh_limits")]

DAY = 86_400


def edit(slug: str, **changes: Any) -> None:
    ActionType.objects.filter(slug=slug).update(**changes)


def mint(api: Api, user: User, slug: str = "COMPLETE_TASK") -> Any:
    return api.post(MINT, {"action_type": slug}, user)


def statuses(api: Api, user: User, slug: str, times: int) -> list[int]:
    return [mint(api, user, slug).status_code for _ in range(times)]


def policy(refused: Any) -> str:
    assert_problem(refused, "rate-limited")
    assert refused["RateLimit"].endswith(f";r=0;t={refused['Retry-After']}")
    return str(refused["RateLimit-Policy"])


def by_key(api: Api, user: User, slug: str) -> Any:
    _, text = api_keys.issue("game server", ["mint"])
    body = {"user_id": str(user.pk), "action_type": slug}
    return api.post(MINT, body, headers={"Authorization": f"Bearer {text}"})


# --- who grants ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("granted_by", "by_player", "by_back_end"),
    [
        ("player", 201, 201),
        ("back_end", "not-yours-to-grant", 201),
        ("signer", "not-yours-to-grant", "not-yours-to-grant"),
    ],
)
def test_a_type_is_granted_by_those_it_names(
    api: Api, alice: User, granted_by: str, by_player: int | str, by_back_end: int | str
) -> None:
    edit("COMPLETE_TASK", granted_by=granted_by)
    for answer, expected in ((mint(api, alice), by_player), (by_key(api, alice, "COMPLETE_TASK"), by_back_end)):
        if isinstance(expected, str):
            assert_problem(answer, expected)
        else:
            assert answer.status_code == expected
    assert ActionToken.objects.count() == [by_player, by_back_end].count(201)


def test_a_new_type_is_a_back_ends(api: Api, alice: User) -> None:
    ActionType.objects.create(slug="SHIP_ORDER", title="Ship an order", points=900)
    assert_problem(mint(api, alice, "SHIP_ORDER"), "not-yours-to-grant")


def test_what_players_grant_themselves_has_a_cooldown_or_takes_time() -> None:
    with pytest.raises(IntegrityError, match="action_types_player_bounds"):
        edit("WIN_MATCH", granted_by="player")
    edit("WIN_MATCH", granted_by="player", cooldown=1)


@pytest.mark.parametrize("role", [User.Role.MODERATOR, User.Role.ADMIN])
def test_staff_are_issued_nothing(api: Api, role: User.Role) -> None:
    member = player(role=role)
    assert_problem(mint(api, member), "forbidden")
    assert_problem(by_key(api, member, "WIN_MATCH"), "forbidden")
    assert not ActionToken.objects.exists()


def test_the_catalogue_says_who_grants(api: Api) -> None:
    offered = {one["action_type"]: one for one in api.get("/api/v1/action/types").json()["data"]}
    assert {slug: one["granted_by"] for slug, one in offered.items()} == {
        "COMPLETE_TASK": "player",
        "DAILY_LOGIN": "player",
        "WIN_MATCH": "back_end",
    }
    assert (offered["COMPLETE_TASK"]["min_seconds"], offered["DAILY_LOGIN"]["cooldown"]) == (1, DAY)


# --- how much --------------------------------------------------------------------------------------


def test_the_sites_allowance_is_a_players_over_all_types(api: Api, alice: User, bob: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "3/hour"}
    assert statuses(api, alice, "DAILY_LOGIN", 1) == [201]
    assert statuses(api, alice, "COMPLETE_TASK", 3) == [201, 201, 429]
    edit("WIN_MATCH", granted_by="player", cooldown=1)
    assert policy(mint(api, alice, "WIN_MATCH")) == '"actions";q=3;w=3600'
    assert mint(api, bob).status_code == 201
    grow_older(timedelta(hours=1))
    assert mint(api, alice).status_code == 201


def test_a_hundred_an_hour_is_the_default(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**dict.fromkeys(settings.LIMITS, "off"), "actions": settings.LIMITS["actions"]}
    assert Counter(statuses(api, alice, "COMPLETE_TASK", 102)) == {201: 100, 429: 2}


def test_a_cooldown_says_how_long(api: Api, alice: User) -> None:
    assert mint(api, alice, "DAILY_LOGIN").status_code == 201
    refused = mint(api, alice, "DAILY_LOGIN")
    assert policy(refused) == f'"cooldown-DAILY_LOGIN";q=1;w={DAY}'
    assert DAY - 300 <= int(refused["Retry-After"]) <= DAY
    grow_older(timedelta(hours=23))
    assert int(mint(api, alice, "DAILY_LOGIN")["Retry-After"]) <= 3600
    grow_older(timedelta(hours=1))
    assert mint(api, alice, "DAILY_LOGIN").status_code == 201


@pytest.mark.parametrize("broken", ["emptied", "away"])
def test_a_day_is_a_day_whatever_redis_does(
    api: Api, alice: User, broken: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert mint(api, alice, "DAILY_LOGIN").status_code == 201
    if broken == "emptied":
        settings.REDIS_KEY_PREFIX += "emptied:"
    else:
        monkeypatch.setattr(redis_client.breaker, "open_until", float("inf"))
    assert policy(mint(api, alice, "DAILY_LOGIN")) == f'"cooldown-DAILY_LOGIN";q=1;w={DAY}'


def test_a_token_is_kept_as_long_as_it_counts(api: Api, alice: User) -> None:
    """It expires after minutes; the day that it begins outlives it, and the purge."""
    edit("DAILY_LOGIN", cooldown=7 * DAY)
    for slug in ("DAILY_LOGIN", "COMPLETE_TASK"):
        assert mint(api, alice, slug).status_code == 201
    grow_older(timedelta(days=5))
    assert purge_tokens() == 1
    assert mint(api, alice, "DAILY_LOGIN").status_code == 429
    grow_older(timedelta(days=2, seconds=1))
    assert purge_tokens() == 1
    assert mint(api, alice, "DAILY_LOGIN").status_code == 201


def test_a_types_own_number_comes_on_top_of_the_sites(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "4/hour"}
    edit("WIN_MATCH", granted_by="player", min_seconds=1)
    edit("COMPLETE_TASK", max_per_hour=2)
    assert statuses(api, alice, "COMPLETE_TASK", 6) == [201, 201, 429, 429, 429, 429]
    assert policy(mint(api, alice)) == '"actions-COMPLETE_TASK";q=2;w=3600'
    assert statuses(api, alice, "WIN_MATCH", 3) == [201, 201, 429], "what a type refuses uses up nothing of the site's"
    assert policy(mint(api, alice, "WIN_MATCH")) == '"actions";q=4;w=3600'


def test_tokens_that_are_never_redeemed_count_and_redeeming_does_not(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "2/hour"}
    minted = [mint(api, alice).json()["data"] for _ in range(2)]
    assert mint(api, alice).status_code == 429
    ActionToken.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    bodies = [{**one, "timestamp": timezone.now().timestamp()} for one in minted]
    for body in bodies:
        for name in ("points", "issued_at", "expires_at"):
            del body[name]
    assert [api.post(UPDATE, body, alice).status_code for body in bodies] == [200, 200]
    assert [api.post(UPDATE, body, alice).status_code for body in bodies] == [409, 409]
    assert mint(api, alice).status_code == 429
    assert ActionToken.objects.count() == 2, "what is refused leaves no row"


def test_a_back_end_is_bounded_by_the_type_alone(api: Api, alice: User, settings: Settings) -> None:
    """No cooldown, no minimum time, no allowance; and what it grants uses up none of the player's."""
    settings.LIMITS = {**settings.LIMITS, "actions": "1/hour"}
    edit("DAILY_LOGIN", min_seconds=200)
    bodies = []
    for _ in range(3):
        data = by_key(api, alice, "DAILY_LOGIN").json()["data"]
        kept = {name: data[name] for name in ("action_id", "action_type", "action_token")}
        bodies.append({**kept, "timestamp": timezone.now().timestamp()})
    assert [api.post(UPDATE, body, alice).status_code for body in bodies] == [200] * 3
    assert mint(api, alice, "DAILY_LOGIN").status_code == 201


def test_without_limits_nothing_is_counted_but_the_types_own(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "off")
    assert set(statuses(api, alice, "COMPLETE_TASK", 105)) == {201}
    assert statuses(api, alice, "DAILY_LOGIN", 2) == [201, 429]


def test_an_edit_counts_at_once(api: Api, alice: User) -> None:
    assert mint(api, alice).json()["data"]["points"] == 10
    edit("COMPLETE_TASK", cooldown=3600, points=7)
    assert mint(api, alice).status_code == 429
    edit("COMPLETE_TASK", cooldown=0)
    assert mint(api, alice).json()["data"]["points"] == 7


def test_what_does_not_exist_costs_nothing(api: Api, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "1/hour"}
    edit("DAILY_LOGIN", enabled=False)
    for slug in ("NO_SUCH", "DAILY_LOGIN"):
        assert statuses(api, alice, slug, 3) == [404] * 3
    edit("DAILY_LOGIN", enabled=True)
    assert mint(api, alice, "DAILY_LOGIN").status_code == 201


def test_a_token_that_a_new_password_has_ended_uses_up_nothing(api: Api, alice: User, settings: Settings) -> None:
    """Else a stolen one keeps its owner from playing for an hour, for as long as it has not expired."""
    settings.LIMITS = {**settings.LIMITS, "actions": "2/hour"}
    stolen = bearer(alice)
    alice.set_password("another long enough pass phrase")
    alice.save()
    assert {api.post(MINT, {"action_type": "COMPLETE_TASK"}, headers=stolen).status_code for _ in range(5)} == {401}
    assert statuses(api, alice, "COMPLETE_TASK", 3) == [201, 201, 429]


# --- at one moment ---------------------------------------------------------------------------------

THREADS = 32
LOCK, INSERT = "PERFORM pg_advisory_xact_lock(hashtextextended('mint ' || p_user, 0));", "v_kept := greatest"
MEET = "PERFORM pg_advisory_xact_lock_shared(4711);"


def ask(headers: dict[str, str], slug: str) -> int:
    return int(Api().post(MINT, {"action_type": slug}, headers=headers).status_code)


def together(user: User, slug: str) -> Counter[int]:
    """How many of each status 32 threads got that asked at one moment."""
    headers = bearer(user)
    answers = at_once(THREADS, lambda _: ask(headers, slug))
    assert not [answer for answer in answers if isinstance(answer, Exception)], answers
    return Counter(answer for answer in answers if isinstance(answer, int))


@pytest.mark.parametrize(("slug", "allowed"), [("DAILY_LOGIN", 1), ("COMPLETE_TASK", 5)])
def test_exactly_what_is_allowed_is_issued(alice: User, settings: Settings, slug: str, allowed: int) -> None:
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "off")
    edit("COMPLETE_TASK", max_per_hour=5)
    assert together(alice, slug) == {201: allowed, 429: THREADS - allowed}
    assert ActionToken.objects.filter(user=alice).count() == allowed


def test_without_its_lock_more_would_be(alice: User, settings: Settings) -> None:
    """The control of the test above: both have judged before either writes."""
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "off")
    headers = bearer(alice)
    with connection.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute("SELECT pg_get_functiondef('action_mint'::regproc)")
        [(definition,)] = cursor.fetchall()
        assert LOCK in definition
        unlocked = definition.replace(LOCK, "").replace(INSERT, f"{MEET} {INSERT}")
        try:
            cursor.execute(unlocked.replace("%", "%%"))
            cursor.execute("SELECT pg_advisory_lock(4711)")
            both = pool.submit(at_once, 2, lambda _: ask(headers, "DAILY_LOGIN"))
            eventually(lambda: waiting(cursor) == 2, "both have judged")
            cursor.execute("SELECT pg_advisory_unlock(4711)")
            assert both.result() == [201, 201]
        finally:
            cursor.execute("SELECT pg_advisory_unlock_all()")
            cursor.execute(definition.replace("%", "%%"))


def waiting(cursor: CursorWrapper) -> int:
    """How many sessions wait for the lock that the test holds."""
    cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted")
    return int(cursor.fetchone()[0])
