"""How an admin gets a second factor, and another one in its place."""

from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from tests.support.people import PASSWORD
from tests.support.second_factors import app_code, enter, forgive

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits")]


@pytest.fixture(autouse=True)
def asked_for_a_code(settings: Settings) -> None:
    settings.ADMIN_OTP = True
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "off")


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "root@example.org", PASSWORD)


def enroll(*arguments: str) -> str:
    out = StringIO()
    call_command("enroll_admin", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_prints_what_an_app_reads_and_ten_codes(root: User) -> None:
    uri, _, _, *codes = enroll("ROOT").splitlines()
    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parse_qs(parts.query)["issuer"] == ["Live scoreboard"]
    assert len(parse_qs(parts.query)["secret"][0]) == 32
    assert len(codes) == 10
    assert enter(codes[0]).status_code == 302
    assert enter(app_code(root)).status_code == 302


def test_a_second_time_it_refuses_unless_the_first_is_to_end(root: User) -> None:
    codes = enroll("root").splitlines()[3:]
    client = Client()
    assert enter(codes[0], client).status_code == 302
    with pytest.raises(CommandError, match="--replace"):
        enroll("root")
    assert client.get("/admin/").status_code == 200
    fresh = enroll("root", "--replace").splitlines()[3:]
    assert client.get("/admin/").status_code == 302, "a session begun with the former one has ended"
    assert enter(codes[1]).status_code == 200
    forgive(root)
    assert enter(fresh[0]).status_code == 302


@pytest.mark.parametrize("who", ["nobody", "eve"])
def test_only_an_admin_is_enrolled(who: str) -> None:
    User.objects.create_user("eve", "eve@example.org", PASSWORD)
    with pytest.raises(CommandError, match="no admin"):
        enroll(who)
