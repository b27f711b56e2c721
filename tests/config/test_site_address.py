"""Settings that say where the site is and who minds it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django.fixtures import Settings

from config import checks
from tests.support.processes import ROOT, python

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


LISTENS = {
    "server": "from config import server\nsocket.create_server = lambda address, **_: sys.exit(address[0])\n"
    "server.main()",
    "worker": "from config import worker_metrics\nworker_metrics.make_server = lambda host, *_: sys.exit(host)\n"
    "worker_metrics.start()",
}


@pytest.mark.parametrize("process", LISTENS)
@pytest.mark.parametrize(("bind", "host"), [("", "127.0.0.1"), ("127.0.0.2", "127.0.0.2")])
def test_an_empty_bind_is_this_machine_alone(process: str, bind: str, host: str) -> None:
    code = f"import socket, sys\nsys.argv = ['x']\n{LISTENS[process]}"
    assert python(code, BIND=bind, WORKER_METRICS_PORT="9").stderr.splitlines()[-1] == host


def test_settings_that_are_empty_are_as_good_as_not_set() -> None:
    names = ["SCOREBOARD_HOME", "REDIS_URL", "ACTION_TOKEN_AUDIENCE", "DEFAULT_FROM_EMAIL"]
    code = (
        f"import json\nfrom config import settings\nprint(json.dumps([str(vars(settings)[name]) for name in {names}]))"
    )
    empty = dict.fromkeys(["SCOREBOARD_HOME", "REDIS_URL", "ACTION_TOKEN_AUDIENCE", "EMAIL_FROM"], "")
    assert json.loads(python(code, **empty).stdout) == [
        *(str(ROOT / ".local"), "redis://127.0.0.1:6379/0", "scoreboard:action"),
        "Live scoreboard <scoreboard@localhost>",
    ]
