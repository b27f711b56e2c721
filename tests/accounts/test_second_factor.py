"""ADMIN_OTP: nothing below /admin/ opens without a code, and each code opens once."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver
from django_otp.plugins.otp_static.models import StaticDevice
from pytest_django.fixtures import Settings

from accounts import second_factor
from accounts.admin.sign_in import TOGETHER
from accounts.models import User
from tests.support.admin_site import signed_in
from tests.support.people import PASSWORD
from tests.support.second_factors import LOGIN, app_code, enter, forgive

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits")]


@pytest.fixture(autouse=True)
def asked_for_a_code(settings: Settings) -> None:
    settings.ADMIN_OTP = True
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "off")


@pytest.fixture(autouse=True)
def at_one_moment() -> Iterator[None]:
    """Codes are good for half a minute, and the first wait after a wrong one is a second long."""
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "root@example.org", PASSWORD)


def test_with_name_password_and_code_an_admin_gets_in(root: User) -> None:
    second_factor.enroll(root)
    client = Client()
    assert enter(app_code(root), client).status_code == 302
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/accounts/user/").status_code == 200


@pytest.mark.parametrize(
    "code", [None, "", "000000", "abcdefgh", "12345", "\N{FULLWIDTH DIGIT ONE}" * 6, "' OR 1", "x" * 16]
)
def test_without_the_right_code_nobody_does(root: User, code: str | None) -> None:
    second_factor.enroll(root)
    client = Client()
    assert enter(code, client).status_code == 200
    assert client.get("/admin/").status_code == 302
    assert "_auth_user_id" not in client.session


def test_a_wrong_code_is_told_as_a_wrong_password_is(root: User) -> None:
    second_factor.enroll(root)
    wrong_code, wrong_password = enter("000000"), enter(app_code(root), password="not the one")
    said = [list(answer.context["form"].non_field_errors()) for answer in (wrong_code, wrong_password)]
    assert said[0] == said[1] == [TOGETHER]


def test_an_admin_without_a_second_factor_waits_outside(root: User) -> None:
    assert enter("123456").status_code == 200
    assert enter("abcdefgh").status_code == 200


def every_path(patterns: Any, base: str) -> Iterator[str]:
    """Each route below /admin/, with something in the place of what varies."""
    for pattern in patterns:
        path = base + re.sub(r"<[^>]+>|\(\?P<\w+>[^)]*\)", "1", str(pattern.pattern)).strip("^").replace("$", "")
        if isinstance(pattern, URLResolver):
            yield from every_path(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path


def test_every_path_below_admin_is_closed_to_a_session_without_a_code(root: User) -> None:
    """Signed in on the site's own page, say, which asks for no code."""
    second_factor.enroll(root)
    client = signed_in(root)
    paths = set(every_path(admin.site.urls[0], "/admin/")) - {LOGIN}
    assert len(paths) > 40
    for path in paths:
        for answer in (client.get(path), client.post(path, {})):
            assert answer.status_code == 302, path
            assert answer["Location"].startswith((LOGIN, "/admin/?next", "/admin/")), path
            assert "content" not in answer.content.decode(), path


def test_the_control_with_the_setting_off_the_same_session_is_let_in(root: User, settings: Settings) -> None:
    settings.ADMIN_OTP = False
    assert signed_in(root).get("/admin/").status_code == 200


def test_off_nobody_is_asked_and_its_tables_are_not_read(root: User, settings: Settings) -> None:
    settings.ADMIN_OTP = False
    client = Client()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert b'name="code"' not in client.get(LOGIN).content
        assert enter(None, client).status_code == 302
        assert client.get("/admin/").status_code == 200
    assert [query["sql"] for query in asked if "otp_" in query["sql"]] == []


def test_the_form_asks_for_the_code(root: User) -> None:
    page = Client().get(LOGIN).content.decode()
    assert 'name="code"' in page
    assert 'autocomplete="one-time-code"' in page


def test_the_secrets_are_not_in_the_admin_site(root: User) -> None:
    second_factor.enroll(root)
    client = Client()
    enter(app_code(root), client)
    assert "otp_" not in client.get("/admin/").content.decode()
    assert client.get("/admin/otp_totp/totpdevice/").status_code == 404


# --- codes are good once -----------------------------------------------------------------------------


def test_an_apps_code_is_good_once(root: User) -> None:
    second_factor.enroll(root)
    code = app_code(root)
    assert enter(code).status_code == 302
    assert enter(code).status_code == 200
    forgive(root)
    assert enter(code).status_code == 200, "not because of the wait"
    assert enter(app_code(root, steps=1)).status_code == 200, "the control: the wait is on again"
    forgive(root)
    assert enter(app_code(root, steps=1)).status_code == 302


def test_each_recovery_code_is_good_once_in_any_order_as_people_type_it(root: User) -> None:
    _, codes = second_factor.enroll(root)
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    assert enter(codes[7]).status_code == 302
    assert enter(f"{codes[2][:4].upper()} {codes[2][4:]}").status_code == 302
    assert enter(codes[7]).status_code == 200
    forgive(root)
    assert enter(codes[7]).status_code == 200
    assert StaticDevice.objects.get(user=root).token_set.count() == second_factor.RECOVERY_CODES - 2


def test_another_admins_code_opens_nothing(root: User) -> None:
    other = User.objects.create_superuser("other", "other@example.org", PASSWORD)
    second_factor.enroll(root)
    _, codes = second_factor.enroll(other)
    assert enter(app_code(other)).status_code == 200
    assert enter(codes[0]).status_code == 200


def test_guesses_at_the_code_run_into_the_limit_of_the_account(root: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "sign-in-account": "3/hour"}
    second_factor.enroll(root)
    assert [enter("000000").status_code for _ in range(4)] == [200, 200, 200, 200]  # from a place known by then
    assert enter(app_code(root)).status_code == 429


def test_a_wrong_code_makes_the_right_one_wait(root: User) -> None:
    second_factor.enroll(root)
    assert [enter("000000").status_code for _ in range(6)] == [200] * 6
    assert enter(app_code(root)).status_code == 200
    forgive(root)
    assert enter(app_code(root)).status_code == 302
