"""Sign-up, sign-in and sign-out as pages."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from tests.support.people import PASSWORD, player

UP, IN, OUT = "/accounts/sign-up", "/accounts/sign-in", "/accounts/sign-out"
ZOE = {"username": "Zoë", "email": "zoe@example.org", "password": PASSWORD}

pytestmark = pytest.mark.usefixtures("redis_of_its_own", "unlimited", "db")


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_signing_up_signs_in_and_leads_to_play(client: Client) -> None:
    answer = client.post(UP, ZOE)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert signed_in(client)
    assert User.objects.get().username == "Zoë"


def test_a_decomposed_name_is_the_same_name(client: Client) -> None:
    client.post(UP, ZOE | {"username": " Zoe\N{COMBINING DIAERESIS} "})
    assert User.objects.get().username == "Zoë"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "x" * 51}, "username"),
        ({"username": "two  spaces"}, "username"),
        ({"username": "a\N{RIGHT-TO-LEFT OVERRIDE}b"}, "username"),
        ({"username": "nul\0"}, "username"),
        ({"email": "nowhere"}, "email"),
        ({"email": ""}, "email"),
        ({"password": "12345678"}, "password"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"username": "ZOE", "email": "other@example.org"}, "username"),
        ({"email": "TAKEN@example.org"}, "email"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(client: Client, change: dict[str, str], field: str) -> None:
    player("zoe", email="taken@example.org")
    answer = client.post(UP, {"username": "new", "email": "new@example.org", "password": PASSWORD} | change)
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert User.objects.count() == 1
    assert not signed_in(client)


def test_everything_that_is_wrong_is_told_at_once(client: Client) -> None:
    player("zoe", email="taken@example.org")
    answer = client.post(UP, {"username": "ZOE", "email": "taken@example.org", "password": "x"})
    assert sorted(answer.context["form"].errors) == ["email", "password", "username"]
    answer = client.post(UP, {"username": "", "email": "nowhere", "password": "12345678"})
    assert sorted(answer.context["form"].errors) == ["email", "password", "username"]
    assert [len(said) for said in answer.context["form"].errors.values()] == [1, 1, 2]


def test_a_session_that_somebody_fixed_before_is_not_the_one_that_is_signed_in(client: Client) -> None:
    for path, form in ((UP, ZOE), (IN, ZOE)):
        session = client.session
        session["planted"] = "by somebody"
        session.save()
        before = client.session.session_key
        client.post(path, form)
        assert signed_in(client)
        assert client.session.session_key != before
        client.post(OUT)


def test_a_refused_form_keeps_what_was_typed_but_the_password(client: Client) -> None:
    page = client.post(UP, ZOE | {"email": "nowhere"}).content.decode()
    assert 'value="Zoë"' in page
    assert PASSWORD not in page


def test_signing_in_and_out(client: Client) -> None:
    client.post(UP, ZOE)
    assert client.post(OUT)["Location"] == "/"
    assert not signed_in(client)
    assert client.post(IN, {"username": "zoë", "password": PASSWORD})["Location"] == "/"
    assert signed_in(client)


def test_a_wrong_password_and_an_unknown_name_look_alike(client: Client) -> None:
    client.post(UP, ZOE)
    client.post(OUT)
    said = [
        client.post(IN, {"username": name, "password": "not the one"}).context["form"].non_field_errors()
        for name in ("Zoë", "nobody")
    ]
    assert list(said[0]) == list(said[1])
    assert said[0]
    assert not signed_in(client)


def test_signing_out_takes_a_post(client: Client) -> None:
    client.post(UP, ZOE)
    assert client.get(OUT).status_code == 405
    assert signed_in(client)


@pytest.mark.parametrize("path", [UP, IN])
def test_the_way_back_stays_on_this_site(client: Client, path: str) -> None:
    client.post(UP, ZOE)
    client.post(OUT)
    form = ZOE | {"username": "Other", "email": "other@example.org"} if path == UP else ZOE
    assert client.post(path, form | {"next": "https://elsewhere.example/"})["Location"] == "/"
    client.post(OUT)
    form = form | {"username": "Third", "email": "third@example.org"} if path == UP else form
    assert client.post(path, form | {"next": "/embed"})["Location"] == "/embed"


@pytest.mark.parametrize("path", [UP, IN])
def test_who_is_signed_in_already_is_sent_on(client: Client, path: str) -> None:
    client.force_login(player())
    assert client.get(path)["Location"] == "/"


@pytest.mark.parametrize("path", [UP, IN, OUT])
def test_a_form_of_another_site_is_refused(path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post(path, ZOE)
    assert answer.status_code == 403
    assert "Please send it again" in answer.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize(("path", "policy"), [(UP, "sign-up"), (IN, "sign-in")])
def test_too_many_attempts_are_refused_with_a_time_to_come_back(
    client: Client, settings: Settings, path: str, policy: str
) -> None:
    settings.LIMITS = settings.LIMITS | {policy: "2/minute"}
    bad = {"username": "Zoë", "email": "nowhere", "password": "not the one"}
    assert [client.post(path, bad).status_code for _ in range(3)] == [200, 200, 429]
    answer = client.post(path, bad)
    assert 1 <= int(answer["Retry-After"]) <= 60
    page = answer.content.decode()
    assert "Too many attempts" in page
    assert 'value="Zoë"' in page
    assert "not the one" not in page


def test_pages_with_forms_are_not_kept(client: Client) -> None:
    for path in (UP, IN):
        assert "no-store" in client.get(path)["Cache-Control"]
