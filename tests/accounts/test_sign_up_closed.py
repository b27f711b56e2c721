"""SIGN_UP=closed: visitors sign in and nothing more."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from tests.support.client import Api, assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_of_its_own", "unlimited")]

NEWCOMER = {"username": "newcomer", "email": "newcomer@example.org", "password": "a long enough pass phrase"}


@pytest.fixture(autouse=True)
def closed(settings: Settings) -> None:
    settings.SIGN_UP = "closed"


def test_the_call_is_refused(api: Api) -> None:
    assert_problem(api.post("/api/v1/auth/register", NEWCOMER), "forbidden")
    assert not User.objects.exists()


def test_the_page_is_not_there_and_nothing_leads_to_it(client: Client) -> None:
    for answer in (client.get("/accounts/sign-up"), client.post("/accounts/sign-up", NEWCOMER)):
        assert answer.status_code == 404
    assert "sign-up" not in client.get("/accounts/sign-in").content.decode()
    assert not User.objects.exists()
