"""Many accounts from one address: what is kept of it, for how long, and who is flagged."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts import addresses
from accounts.addresses import address_digest
from accounts.models import SignUpAddress, User
from accounts.tasks import purge_sign_up_addresses
from integrity import scan
from integrity.models import Flag
from leaderboard.boards import Board
from tests.integrity.past import every, played
from tests.support.people import PASSWORD

REGISTER = "/api/v1/auth/register"
HOME = "81.2.69.160"


def digest(address: str, forwarded_for: str = "") -> str | None:
    headers = {"X-Forwarded-For": forwarded_for} if forwarded_for else None
    return address_digest(RequestFactory(REMOTE_ADDR=address).get("/", headers=headers))


def sign_up(address: str = HOME, *, page: bool = False) -> User:
    name = f"new-{uuid.uuid4().hex[:10]}"
    fields = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    client = Client(REMOTE_ADDR=address)
    if page:
        assert client.post("/accounts/sign-up", fields).status_code == 302
    else:
        assert client.post(REGISTER, fields, content_type="application/json").status_code == 201
    return User.objects.get(username=name)


# --- What is kept -----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("page", [False, True], ids=["api", "page"])
def test_a_sign_up_keeps_a_hash_of_its_address_and_nothing_else(unlimited: None, page: bool) -> None:
    user = sign_up(page=page)
    kept = SignUpAddress.objects.get(user=user)
    assert kept.digest == digest(HOME)
    with connection.cursor() as cursor:
        cursor.execute("SELECT a::text || u::text FROM sign_up_addresses a JOIN users u ON u.id = a.user_id")
        assert HOME not in cursor.fetchone()[0]


@pytest.mark.django_db
def test_a_sign_up_that_is_refused_keeps_nothing(unlimited: None) -> None:
    taken = sign_up()
    body = {"username": taken.username, "email": "other@example.org", "password": PASSWORD}
    response = Client(REMOTE_ADDR=HOME).post(REGISTER, body, content_type="application/json")
    assert response.status_code == 400
    assert SignUpAddress.objects.count() == 1


def test_one_address_has_one_hash_and_two_have_two() -> None:
    assert digest(HOME) == digest(HOME) != digest("81.2.69.161")
    assert len(digest(HOME) or "") == 64


def test_a_subscriber_of_ipv6_is_one_address() -> None:
    assert digest("2a02:2028:1:2::1") == digest("2a02:2028:1:2:aaaa::2") != digest("2a02:2028:1:3::1")
    assert digest("::ffff:81.2.69.160") == digest(HOME)


def test_the_hash_needs_the_secret(settings: Any) -> None:
    before = digest(HOME)
    settings.SECRET_KEY = "another secret of at least thirty-two characters"
    assert digest(HOME) != before


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "192.168.1.1", "172.17.0.1", "::1", "fe80::1", "", "x"])
def test_an_address_that_tells_nothing_is_not_kept(address: str) -> None:
    assert digest(address) is None


def test_only_trusted_proxies_say_who_is_behind_them(settings: Any) -> None:
    expected = digest(HOME)
    assert digest(HOME, "1.1.1.1") == expected
    settings.TRUSTED_PROXIES = 1
    assert digest("10.0.0.7", f"1.1.1.1, {HOME}") == expected


@pytest.mark.django_db
def test_addresses_are_forgotten_in_time(settings: Any, unlimited: None) -> None:
    old, recent = sign_up(), sign_up()
    days = settings.WATCH["address_retention_days"]
    for user, age in ((old, days + 1), (recent, days - 1)):
        SignUpAddress.objects.filter(user=user).update(created_at=timezone.now() - timedelta(days=age))
    purge_sign_up_addresses()
    assert list(SignUpAddress.objects.values_list("user_id", flat=True)) == [recent.pk]


@pytest.mark.django_db
def test_forgetting_is_done_in_short_steps(unlimited: None) -> None:
    for _ in range(5):
        sign_up()
    SignUpAddress.objects.update(created_at=timezone.now() - timedelta(days=400))
    assert addresses.purge(chunk=2) == 5


# --- Who is flagged ---------------------------------------------------------------------------------


def flagged() -> set[uuid.UUID]:
    return set(Flag.objects.filter(detector="address", state="open").values_list("user_id", flat=True))


def scored(user: User, actions: int = 10) -> User:
    played(user, [at + hash(user.pk) % 17 for at in every(60, actions)])
    return user


@pytest.mark.django_db(transaction=True)
class TestFarms:
    @pytest.fixture(autouse=True)
    def _tables(self, watched: Board, unlimited: None) -> None:
        """Committed tables."""

    def test_alike_accounts_of_one_address_are_flagged_all_of_them_once(self) -> None:
        farm = {scored(sign_up()).pk for _ in range(6)}
        scored(sign_up("81.2.69.161"))
        scan.scan()
        assert flagged() == farm
        before = list(Flag.objects.values())
        scan.scan()
        assert list(Flag.objects.values()) == before

    def test_one_that_joins_the_farm_later_is_added(self) -> None:
        farm = {scored(sign_up()).pk for _ in range(5)}
        scan.scan()
        late = scored(sign_up())
        scan.scan()
        assert flagged() == {*farm, late.pk}
        assert all(flag.evidence["latest"]["numbers"]["accounts"] == 6 for flag in Flag.objects.all())

    def test_banned_accounts_still_count_but_are_not_flagged_again(self) -> None:
        banned = [scored(sign_up()) for _ in range(5)]
        User.objects.filter(pk__in=[user.pk for user in banned]).update(is_active=False, is_hidden=True)
        again = scored(sign_up())
        scan.scan()
        assert flagged() == {again.pk}

    def test_those_found_innocent_do_not_count_any_more(self) -> None:
        family = [scored(sign_up()) for _ in range(5)]
        scan.scan()
        assert flagged() == {user.pk for user in family}
        Flag.objects.update(state="dismissed", decided_at=timezone.now())
        cousin = scored(sign_up())
        scored(family[0])
        scan.scan()
        assert flagged() == set()
        assert not Flag.objects.filter(user=cousin).exists()

    def test_a_crowd_is_one_flag_and_once_dismissed_all_of_it_is_innocent(self, settings: Any) -> None:
        settings.WATCH = {**settings.WATCH, "address_crowd": 6}
        class_ = [scored(sign_up(), 3**number) for number in range(6)]
        scan.scan()
        assert flagged() == {class_[-1].pk}
        scored(class_[0], 400)
        scan.scan()
        assert flagged() == {class_[-1].pk}
        Flag.objects.filter(detector="address").update(state="dismissed", decided_at=timezone.now())
        for number in range(5):
            scored(sign_up(), 3**number)
        scan.scan()
        assert flagged() == set()

    def test_a_family_is_not_flagged_nor_are_accounts_that_never_score(self) -> None:
        for number in range(4):
            scored(sign_up(), 5 * (number + 1))
        for _ in range(10):
            sign_up()
        scan.scan()
        assert flagged() == set()

    def test_sign_ups_long_apart_are_not_one_farm(self) -> None:
        users = [scored(sign_up()) for _ in range(6)]
        SignUpAddress.objects.filter(user__in=users[:3]).update(created_at=timezone.now() - timedelta(days=20))
        scan.scan()
        assert flagged() == set()
