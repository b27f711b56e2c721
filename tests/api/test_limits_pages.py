"""The pages that sign in or up are limited like the calls, together with them, and say when to come back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import get_hasher
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from tests.client import Api

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits")]

PAGES = {"sign-in": "/accounts/sign-in", "sign-up": "/accounts/sign-up", "admin": "/admin/login/"}
POLICY = {"sign-in": "sign-in", "sign-up": "sign-up", "admin": "sign-in"}
FORM = {"username": "mallory", "email": "mallory@example.org", "password": "guess number one"}


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was hashed so far: the slow part that a limit is to spare."""
    seen: list[str] = []
    hasher = type(get_hasher())
    original: Callable[..., str] = hasher.encode

    def encode(self: Any, password: str, *args: Any, **kwargs: Any) -> str:
        seen.append(password)
        return original(self, password, *args, **kwargs)

    monkeypatch.setattr(hasher, "encode", encode)
    return seen


@pytest.mark.parametrize("page", PAGES)
def test_an_attempt_too_many_is_a_429_that_says_when_and_hashes_nothing(
    client: Client, settings: Settings, hashed: list[str], page: str
) -> None:
    settings.LIMITS = {**settings.LIMITS, POLICY[page]: "2/minute"}
    bad = {**FORM, "password": "x"}  # no account, and no password one could sign up with
    assert [client.post(PAGES[page], bad).status_code for _ in range(2)] == [200, 200]
    assert hashed or page == "sign-up", "the control: an attempt that is looked at is hashed"
    hashed.clear()
    refused = client.post(PAGES[page], FORM)
    assert refused.status_code == 429
    wait = int(refused["Retry-After"])
    assert 1 <= wait <= 60
    assert refused["RateLimit-Policy"] == f'"{POLICY[page]}";q=2;w=60'
    assert refused["RateLimit"] == f'"{POLICY[page]}";r=0;t={wait}'
    assert refused["Content-Type"].startswith("text/html")
    assert f"ry again in {wait} s" in refused.content.decode()
    assert hashed == []
    assert not User.objects.filter(username="mallory").exists()


@pytest.mark.parametrize("page", PAGES)
def test_looking_at_a_page_is_no_attempt(client: Client, settings: Settings, page: str) -> None:
    settings.LIMITS = {**settings.LIMITS, POLICY[page]: "1/minute"}
    assert [client.get(PAGES[page]).status_code for _ in range(5)] == [200] * 5


def test_calls_pages_and_admin_share_one_allowance(client: Client, api: Api, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "sign-in": "3/minute", "sign-up": "1/minute"}
    attempt = {"username": "mallory", "password": "x"}
    assert api.post("/api/v1/auth/token", attempt).status_code == 401
    assert client.post(PAGES["sign-in"], attempt).status_code == 200
    assert client.post(PAGES["admin"], attempt).status_code == 200
    assert api.post("/api/v1/auth/token", attempt).status_code == 429
    assert client.post(PAGES["sign-in"], attempt).status_code == 429
    assert client.post(PAGES["admin"], attempt).status_code == 429
    assert client.post(PAGES["sign-up"], FORM).status_code == 302
    assert Client().post(PAGES["sign-up"], {**FORM, "username": "eve", "email": "e@x.org"}).status_code == 429


@pytest.mark.parametrize("page", PAGES)
def test_no_header_opens_another_allowance(client: Client, settings: Settings, page: str) -> None:
    settings.LIMITS = {**settings.LIMITS, POLICY[page]: "1/minute"}
    assert client.post(PAGES[page], {}).status_code == 200
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-API-Key"):
        assert client.post(PAGES[page], {}, headers={header: "203.0.113.99"}).status_code == 429


def test_the_general_limit_counts_the_pages_too(client: Client, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "ip": "1/minute"}
    assert client.post(PAGES["sign-in"], {}).status_code == 200
    assert client.post(PAGES["sign-up"], {}).status_code == 429
