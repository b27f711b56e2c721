"""The moderators' page: players are found, get a bonus by the one path, and nothing else can be done."""

import uuid
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from scoreboard.models import Bonus, ScoreHistory
from tests.integrity.cases import flagged
from tests.support.admin_site import said, signed_in
from tests.support.people import give, player, site_key, total

pytestmark = pytest.mark.django_db
FIND = "/admin/players/"


@pytest.fixture
def mo(db: None) -> User:
    return player("mo", role=User.Role.MODERATOR)


@pytest.fixture
def site(mo: User, redis_of_its_own: None) -> Client:
    return signed_in(mo)


def page(user: User) -> str:
    return f"{FIND}{user.pk}/"


def bonus(site: Client, user: User, points: Any = 50, reason: str = "found a bug", key: str = "") -> Any:
    body = {"key": key or str(uuid.uuid4()), "points": points, "reason": reason}
    return site.post(page(user), body, follow=True)


def test_players_are_found_by_part_of_a_name_and_by_ids(site: Client, alice: User, api: Any) -> None:
    award = {"id": "d1", "player": "u-42", "action_type": "WIN_MATCH", "name": "Żółw"}
    api.post("/api/v1/awards", award, headers=site_key())
    foreign = User.objects.get(external_id="u-42")
    for text, wanted in (
        ("LIC", [alice]), ("żółw", [foreign]), ("u-42", [foreign]), (str(alice.pk), [alice]), ("u-4", []), ("%", [])
    ):  # fmt: skip
        assert list(site.get(FIND, {"q": text}).context["players"]) == wanted, text
    assert list(site.get(FIND, {"q": "alice@example.org"}).context["players"]) == []  # addresses are not theirs to ask
    assert site.get(FIND, {"q": "\0"}).status_code == 200
    assert site.get(FIND, {"q": ""}).status_code == 200


def test_a_bonus_takes_the_one_path_and_is_on_record(site: Client, mo: User, alice: User) -> None:
    answer = bonus(site, alice)
    assert said(answer) == ["alice has 50 points more."]
    entry = ScoreHistory.objects.get(user=alice)
    assert (entry.source, entry.delta, entry.actor, entry.reason) == ("bonus", 50, mo, "found a bug")
    assert Bonus.objects.get().user_id == alice.pk
    log = LogEntry.objects.get()
    assert (log.user, log.object_repr, log.change_message) == (mo, "alice", "Gave a bonus of 50 points: found a bug")


def test_the_same_form_pays_and_is_logged_once(site: Client, alice: User) -> None:
    key = str(uuid.uuid4())
    bonus(site, alice, key=key)
    bonus(site, alice, key=key)
    assert (total(alice), LogEntry.objects.count()) == (50, 1)
    answer = bonus(site, alice, points=60, key=key)
    assert "used for another bonus" in answer.content.decode()
    assert (total(alice), LogEntry.objects.count()) == (50, 1)


@pytest.mark.parametrize("points", ["", "0", "-5", "1.5", "1000001", "9" * 30, "abc"])
def test_a_bonus_that_is_none_is_refused_in_the_form(site: Client, alice: User, points: str) -> None:
    answer = bonus(site, alice, points)
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["points"]
    assert not Bonus.objects.exists()


def test_what_the_path_refuses_is_said_and_writes_nothing(site: Client, mo: User) -> None:
    for user, sentence in (
        (mo, "Nobody can give points to themselves."),
        (player("banned", is_active=False), "The player is disabled."),
        (player("ada", role=User.Role.ADMIN), "earn no points"),
    ):
        answer = bonus(site, user)
        assert sentence in answer.content.decode()
    assert (ScoreHistory.objects.count(), LogEntry.objects.count()) == (0, 0)


def test_a_bonus_beyond_what_one_gives_alone_waits(site: Client, alice: User, settings: Settings) -> None:
    settings.BONUS_DAILY = 100
    assert said(bonus(site, alice, 101)) == ["101 points for alice wait for a second person."]
    assert not ScoreHistory.objects.exists()
    assert LogEntry.objects.get().change_message.startswith("Asked for a bonus of 101")


def test_history_and_flags_are_shown_to_read(site: Client, alice: User) -> None:
    give(alice, 5)
    flag = flagged(alice, [])
    content = site.get(page(alice)).content.decode()
    for text in ("+5", flag.sentence.replace("'", "&#x27;"), "high severity"):
        assert text in content
    # What a moderator may not do is absent, and refused where it is.
    for absent in (f"/admin/integrity/flag/{flag.pk}/", "/admin/accounts/user/", "alice@example.org", "Adjust score"):
        assert absent not in content
    assert site.get(f"/admin/integrity/flag/{flag.pk}/change/").status_code == 403
    assert site.get(f"/admin/accounts/user/{alice.pk}/change/").status_code == 403


def test_a_player_and_a_stranger_are_refused(alice: User, bob: User, redis_of_its_own: None) -> None:
    for client in (signed_in(alice), Client()):
        for path in (FIND, page(bob)):
            assert client.get(path).status_code == 302
        bonus(client, bob)
    assert not Bonus.objects.exists()


def test_staff_without_either_permission_are_refused(redis_of_its_own: None, alice: User, monkeypatch: Any) -> None:
    monkeypatch.setitem(__import__("accounts.roles").roles.PERMISSIONS, "moderator", frozenset({"integrity.view_flag"}))
    mo = signed_in(player("reader", role=User.Role.MODERATOR))
    assert [mo.get(FIND).status_code, mo.get(page(alice)).status_code, bonus(mo, alice).status_code] == [403] * 3
    monkeypatch.setitem(
        __import__("accounts.roles").roles.PERMISSIONS, "moderator", frozenset({"scoreboard.view_any_history"})
    )
    assert b"Give the points" not in mo.get(page(alice)).content
    assert bonus(mo, alice).status_code == 403
    assert not Bonus.objects.exists()


def test_a_form_of_another_site_gives_nothing(mo: User, alice: User, redis_of_its_own: None) -> None:
    client = signed_in(mo, enforce_csrf_checks=True)
    assert bonus(client, alice).status_code == 403
    assert not Bonus.objects.exists()


def test_an_unknown_and_an_erased_player_are_not_found(site: Client, alice: User) -> None:
    assert site.get(f"{FIND}{uuid.uuid4()}/").status_code == 404
    User.objects.filter(pk=alice.pk).update(is_active=False, is_hidden=True, erased_at="2026-01-01T00:00Z")
    assert site.get(page(alice)).status_code == 404
