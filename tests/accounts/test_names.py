"""Names that look like another, like the site's own or like an id: refused. Names of people in any script: welcome."""

import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.names import skeleton, validate_unreserved, validate_username
from devsite.players import people
from tests.support.admin_site import form_values, signed_in, superuser
from tests.support.client import Api, assert_problem
from tests.support.people import PASSWORD, player

REGISTER = "/api/v1/auth/register"
DEMO = [people.username(number) for number in range(300)]

SHOWS_NOTHING = {
    "a musical sign": "\U0001d159",
    "an invisible musical sign": "\U0001d173",
    "a filler of Hangul": "\u3164",
    "half a filler": "\uffa0",
    "a filler of Khitan": "\U00016fe4",
    "the blank of Braille": "\u2800",
    "an object that is not there": "\ufffc",
    "a character that could not be read": "\ufffd",
}
OF_TWO_SCRIPTS = {
    "a Lisu A": "\ua4eelice",
    "a Cyrillic a": "Al\u0456ce",
    "a Cherokee A": "\u13aalice",
    "a zero of Devanagari": "b\u0966b",
    "a zero of Arabic": "b\u0660b",
    "digits of two systems": "\u0661\u06f2",
    "a letter of Osage": "\U000104c2scar",
}
ALIKE = {
    "capitals": ("Alice", "ALICE"),
    "dotless i": ("alice", "al\u0131ce"),
    "a capital I for an l": ("Alice", "AIice"),
    "a digit for a letter": ("Bob", "b0b"),
    "one and l": ("al1ce", "alice"),
    "rn and m": ("modern", "rnodern"),
    "a whole word of Cyrillic": ("coco", "\u0441\u043e\u0441\u043e"),
    "a whole word of Lisu": ("Alice", "\ua4ee\ua4e1\ua4f2\ua4da\ua4f0"),
    "a joiner": ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u062e"),
}


@pytest.mark.parametrize("sign", SHOWS_NOTHING.values(), ids=SHOWS_NOTHING)
def test_what_shows_nothing_is_refused(sign: str) -> None:
    for name in (sign, f"alice{sign}", f"{sign}alice"):
        with pytest.raises(ValidationError):
            validate_username(name)


@pytest.mark.parametrize("name", OF_TWO_SCRIPTS.values(), ids=OF_TWO_SCRIPTS)
def test_a_word_of_several_scripts_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="several scripts"):
        validate_username(name)


@pytest.mark.parametrize(("name", "other"), ALIKE.values(), ids=ALIKE)
@pytest.mark.usefixtures("redis_of_its_own", "unlimited")
def test_of_two_names_that_look_alike_one_is_free(db: None, name: str, other: str) -> None:
    player(name)
    body = {"username": other, "email": "other@example.org", "password": PASSWORD}
    assert list(assert_problem(Api().post(REGISTER, body), "invalid-request")["errors"]) == ["username"]
    with pytest.raises(IntegrityError), transaction.atomic():
        player(other)


@pytest.mark.parametrize(
    ("name", "other"),
    [("Zoe", "Zo\u00eb"), ("anna", "hanna"), ("Jan", "Jon"), ("e\u0301lodie", "elodie"), ("\u674e", "\u738b")],
)
def test_the_control_names_that_do_not_look_alike_are_two(name: str, other: str) -> None:
    assert skeleton(name) != skeleton(other)


@pytest.mark.parametrize("name", [*DEMO, "I\u015f\u0131k", "\u3055\u304f\u3089\u30ab\u30ca\u6f22\u5b57Latin"])
def test_names_of_people_in_any_script_are_allowed(name: str) -> None:
    validate_username(name)
    validate_unreserved(name)


def test_the_demo_s_names_do_not_look_alike() -> None:
    assert len({skeleton(name) for name in DEMO}) == len(DEMO)


@pytest.mark.parametrize(
    "name",
    ["admin", "ADMIN", "adm1n", "a.d.m.i.n", "\u0430dmin", "root", "r00t", "moderator", "system", "Support", "staff",
     "scoreboard", "everyone", "erased"],
)  # fmt: skip
@pytest.mark.usefixtures("redis_of_its_own", "unlimited")
def test_nobody_signs_up_under_a_name_of_the_site_s_own(db: None, name: str) -> None:
    body = {"username": name, "email": "other@example.org", "password": PASSWORD}
    assert list(assert_problem(Api().post(REGISTER, body), "invalid-request")["errors"]) == ["username"]


def test_a_command_may_make_a_superuser_of_that_name_and_their_page_can_be_saved(db: None, monkeypatch: Any) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", username="admin", email="admin@example.org", interactive=False, verbosity=0)
    admin = User.objects.get()
    client = signed_in(admin)
    page = f"/admin/accounts/user/{admin.pk}/change/"
    assert client.post(page, form_values(client, admin, region="EU")).status_code == 302
    other = player("zoe")
    answer = client.post(f"/admin/accounts/user/{other.pk}/change/", form_values(client, other, username="r00t"))
    assert "This name is reserved." in answer.content.decode()


UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.mark.parametrize(
    "name",
    [UUID, UUID.upper(), UUID.replace("-", ""), f"{{{UUID}}}", f"urn:uuid:{UUID}", "6ba7-b8109dad11d180b400c04fd430c8",
     "ext:42", "EXT:42", "ext:site:42", f" {UUID}".strip(), UUID.replace("-", " ", 1)],
)  # fmt: skip
def test_a_name_does_not_look_like_an_id(name: str) -> None:
    with pytest.raises(ValidationError):
        validate_username(name)


def test_the_control_part_of_an_id_is_a_name() -> None:
    for name in (str(uuid.UUID(UUID))[:8], "extra", "external"):
        validate_username(name)


@pytest.mark.parametrize("save", ["create", "rename", "rename one column", "bulk"])
def test_the_skeleton_goes_with_the_name_however_it_is_saved(db: None, save: str) -> None:
    user = superuser("someone")
    if save == "create":
        user = player("Alice")
    elif save == "bulk":
        [user] = User.objects.bulk_create([User(username="Alice", email="alice@example.org")])
    else:
        user.username = "Alice"
        user.save(update_fields=["username"] if save == "rename one column" else None)
    user.refresh_from_db()
    assert user.skeleton == skeleton("Alice")
