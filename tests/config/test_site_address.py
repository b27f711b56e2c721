"""Settings that say where the site is and who minds it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django.fixtures import Settings

from config import checks

pytestmark = pytest.mark.django_db
FILE = "/.well-known/security.txt"


def test_security_txt_has_the_contacts_and_an_end_that_is_near(settings: Settings) -> None:
    settings.SECURITY_CONTACT = ["mailto:security@example.org", "https://example.org/holes"]
    answer = Client().get(FILE)
    *contacts, expires = answer.text.splitlines()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert contacts == ["Contact: mailto:security@example.org", "Contact: https://example.org/holes"]
    ends = datetime.strptime(expires, "Expires: %Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(0) < ends - datetime.now(UTC) < timedelta(days=365), "RFC 9116: less than a year"


def test_without_a_contact_there_is_none() -> None:
    assert Client().get(FILE).status_code == 404


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECURITY_CONTACT", ["security@example.org"]),
        ("SECURITY_CONTACT", ["mailto:a@example.org\nContact: mailto:b@example.org"]),
        ("SITE_PATH", "scores"),
        ("SITE_PATH", "/scores/"),
        ("SITE_PATH", "/sc ores"),
        ("SITE_URL", "https://example.org/scores"),
    ],
)
def test_an_address_that_cannot_work_is_refused_at_start(settings: Settings, name: str, value: object) -> None:
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        checks.enforce()
