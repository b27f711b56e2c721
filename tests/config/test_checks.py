"""What cannot work or is not safe is refused at start, by name, and no secret is shown."""

import base64
import json
import re
import secrets
import sys
from collections import Counter
from typing import Any

import pytest
from django.conf import settings as site
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from config import checks
from tests.config.starts import STARTS, run, start
from tests.support.processes import ROOT

pytestmark = pytest.mark.django_db

SECRET = base64.b64encode(b"topsecret" * 4).decode()
SOUND = secrets.token_urlsafe(32)
READ = """
import django; django.setup()
from importlib import import_module
for app, number in (("accounts", 2), ("actions", 2), ("integrity", 2), ("scoreboard", 3)):
    import_module(f"{app}.migrations.{number:04}_functions")
import_module("leaderboard.ranking.calls").lua("write")
"""
DEPLOY = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
FAULTS: dict[str, tuple[str, Any, str]] = {
    "the development secret": ("SECRET_KEY", site.DEVELOPMENT_SECRET, "SECRET_KEY"),
    "no secret": ("SECRET_KEY", "", "SECRET_KEY"),
    "a short secret": ("SECRET_KEY", "topsecret", "SECRET_KEY"),
    "forty times a letter": ("SECRET_KEY", "a" * 40, "SECRET_KEY repeats itself"),
    "a word again and again": ("SECRET_KEY", "topsecret" * 5, "SECRET_KEY repeats itself"),
    "a short key of sign-ins": ("SIMPLE_JWT", {"SIGNING_KEY": "topsecret"}, "JWT_SIGNING_KEY is shorter"),
    "a key of sign-ins that repeats": ("SIMPLE_JWT", {"SIGNING_KEY": "topsecret" * 5}, "JWT_SIGNING_KEY repeats"),
    "a key of tokens that repeats": ("ACTION_TOKEN_KEYS", [f"k:HS256:{SECRET}"], "ACTION_TOKEN_KEYS: key 'k' repeats"),
    "a seed that repeats": ("ACTION_TOKEN_KEYS", [f"k:EdDSA:{SECRET[:40]}bGQ="], "ACTION_TOKEN_KEYS: key 'k' repeats"),
    "a key without its id": ("ACTION_TOKEN_KEYS", [SECRET], "ACTION_TOKEN_KEYS"),
    "a key too short": ("ACTION_TOKEN_KEYS", ["k:HS256:dG9wc2VjcmV0"], "ACTION_TOKEN_KEYS: key 'k'"),
    "a key that is no base64": ("ACTION_TOKEN_KEYS", ["k:HS256:topsecret!"], "ACTION_TOKEN_KEYS: key 'k'"),
    "an unknown algorithm": ("ACTION_TOKEN_KEYS", [f"k:HS512:{SECRET}"], "ACTION_TOKEN_KEYS: key 'k'"),
    "one id twice": ("ACTION_TOKEN_KEYS", [f"k:HS256:{SECRET}"] * 2, "ACTION_TOKEN_KEYS: key id 'k'"),
    "a push interval of nothing": ("LEADERBOARD_PUSH_INTERVAL_MS", 0, "LEADERBOARD_PUSH_INTERVAL_MS is 0"),
    "a window of nothing": ("ACTION_TIMESTAMP_WINDOW", 0, "ACTION_TIMESTAMP_WINDOW is 0"),
    "access tokens that end before they begin": ("JWT_ACCESS_MINUTES", -1, "JWT_ACCESS_MINUTES is -1"),
    "sign-ins that end at once": ("JWT_REFRESH_DAYS", 0, "JWT_REFRESH_DAYS is 0"),
    "no time for Redis": ("REDIS_TIMEOUT", 0.0, "REDIS_TIMEOUT is 0.0"),
    "a negative age": ("DATABASE_CONN_MAX_AGE", -1, "DATABASE_CONN_MAX_AGE is -1"),
    "a negative number of proxies": ("TRUSTED_PROXIES", -1, "TRUSTED_PROXIES is -1"),
    "a Redis that is none": ("REDIS_URL", "http://:topsecret@redis", "REDIS_URL is not the address"),
    "a port that is none": ("REDIS_URL", "redis://:topsecret@redis:six", "REDIS_URL is not the address"),
    "a number of a database that is none": (
        "CELERY_BROKER_URL",
        "redis://:topsecret@redis/six",
        "CELERY_BROKER_URL is not",
    ),
    "a broker that is none": ("CELERY_BROKER_URL", "mq://:topsecret@mq//", "CELERY_BROKER_URL is not the address"),
    "a limit that is none": ("LIMITS", {"actions": "many"}, "LIMIT_ACTIONS"),
}


@pytest.mark.parametrize("how", ["web", *(pytest.param(how, marks=pytest.mark.long) for how in ("live", "command"))])
def test_the_control_sound_settings_start(how: str) -> None:
    assert start(how, {})[0] == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_no_secret_shown(settings: Settings, fault: str) -> None:
    name, value, said = FAULTS[fault]
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured) as refusal:
        checks.enforce()
    assert said in str(refusal.value)
    for leak in ("topsecret", SECRET, "dG9wc2VjcmV0", site.DEVELOPMENT_SECRET):
        assert leak not in str(refusal.value)


def test_each_id_of_a_check_has_one_meaning() -> None:
    """Programs that read `doctor --json` know a finding by it."""
    packages = [app.partition(".")[0] for app in site.INSTALLED_APPS if (ROOT / app.partition(".")[0]).is_dir()]
    sources = [path.read_text() for name in packages for path in (ROOT / name).rglob("*.py")]
    found = Counter(id for text in sources for id in re.findall(r'"((?:scoreboard|doctor|devsite)\.[A-Z]\d{3})"', text))
    assert len(found) > 40
    assert {id: number for id, number in found.items() if number > 1} == {}


def test_secrets_that_begin_like_a_variable_are_what_was_written() -> None:
    names = ["SECRET_KEY", "JWT_SIGNING_KEY", "ACTION_TOKEN_AUDIENCE", "REDIS_KEY_PREFIX", "EMAIL_FROM"]
    given = {name: f"$HOME${name}" + "\\$x" * 3 + SOUND for name in names}
    shown = (
        "from django.conf import settings as s; import json;"
        "print(json.dumps([s.SECRET_KEY, s.SIMPLE_JWT['SIGNING_KEY'], s.ACTION_TOKEN_AUDIENCE, s.REDIS_KEY_PREFIX,"
        "s.DEFAULT_FROM_EMAIL]))"
    )
    code, said = run([sys.executable, "-c", shown], given)
    assert (code, json.loads(said)) == (0, [given[name] for name in names])


def test_files_are_read_in_utf_8_whatever_the_locale() -> None:
    """The control: without PYTHONUTF8 this locale is ASCII."""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    control = "import locale; print(locale.getpreferredencoding(False))"
    assert "ANSI_X3.4" in run([sys.executable, "-c", control], locale)[1]
    code, said = run([sys.executable, "-c", READ], locale)
    assert code == 0, said


@pytest.mark.parametrize("how", STARTS)
def test_every_way_to_start_refuses_the_secret_that_everyone_knows(how: str) -> None:
    code, said = start(how, {"SECRET_KEY": site.DEVELOPMENT_SECRET})
    assert code != 0
    assert "SECRET_KEY" in said
    assert site.DEVELOPMENT_SECRET not in said


def test_a_protection_that_is_misspelled_is_not_switched_off() -> None:
    code, said = start("web", {"ADMIN_OTP": "enable"})
    assert code != 0
    assert "ADMIN_OTP is 'enable'; expected true or false." in said


def test_development_may_use_it() -> None:
    assert start("web", {"SECRET_KEY": site.DEVELOPMENT_SECRET, "DEBUG": "1"})[0] == 0


@pytest.mark.parametrize("otp", [pytest.param("0", marks=pytest.mark.long), "1"])
def test_the_settings_of_a_production_site_have_nothing_for_django_to_warn_of(otp: str) -> None:
    production = {"HTTPS": "1", "ALLOWED_HOSTS": "scores.example.org", "TRUSTED_PROXIES": "1", "ADMIN_OTP": otp}
    code, said = run(DEPLOY, production)
    assert code == 0, said


@pytest.mark.long
def test_the_control_without_https_it_warns() -> None:
    code, said = run(DEPLOY, {"HTTPS": "0"})
    assert code != 0
    for warning in ("security.W004", "security.W008", "security.W011", "security.W016"):
        assert warning in said
