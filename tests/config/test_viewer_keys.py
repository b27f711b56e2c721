"""VIEWER_KEYS: what can be written there, and what a start refuses with a sentence."""

import json
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from accounts.identity.issuers import parse
from config.checks import enforce, viewer_keys

SECRET = "q8Zr5Tn2Wv7Lb4Xc9Kd1Jf6Hg3Ms0PyQa"
GOOD: dict[str, Any] = {"issuer": "https://a.example", "audience": "board", "jwks": "https://a.example/keys"}


def without(*names: str, **changes: Any) -> str:
    return json.dumps([{name: value for name, value in {**GOOD, **changes}.items() if name not in names}])


@pytest.mark.parametrize("text", ["", " ", "[]"])
def test_none_is_listed(text: str) -> None:
    assert parse(text) == []


def test_an_issuer_has_an_address_or_secrets_and_a_provider() -> None:
    [one] = parse(without())
    assert (one.provider, one.jwks, one.secrets) == ("site", "https://a.example/keys", ())
    for said, kept in ((SECRET, (SECRET,)), ([SECRET, SECRET[::-1]], (SECRET, SECRET[::-1]))):
        [one] = parse(without("jwks", secret=said, provider="shop"))
        assert (one.provider, one.jwks, one.secrets) == ("shop", None, kept)
    for address in ("http://localhost:1/k", "http://127.0.0.1/k?x=1", "http://[::1]:8000/k", "https://a.example:8443/"):
        assert parse(without(jwks=address))[0].jwks == address


WRONG = {
    "{": "no JSON",
    "[" * 5000: "no JSON",
    "{}": "a JSON list",
    "[7]": "item 1: expected an object",
    without(issuer=""): "`issuer`",
    without("issuer"): "`issuer`",
    without("audience"): "`audience`",
    without(audience=["board"]): "`audience`",
    without(provider="local"): "`provider`",
    without(provider="A shop"): "`provider`",
    without(provider=None): "`provider`",
    without("jwks"): "`secret` or `jwks`",
    without(secret=SECRET): "`secret` or `jwks`",
    without("jwks", secret="short"): "32 characters",
    without("jwks", secret=[]): "1 to 4 secrets",
    without("jwks", secret=[SECRET] * 5): "1 to 4 secrets",
    without("jwks", secret=[SECRET, 7]): "32 characters",
    without("jwks", secret="a" * 40): "repeats itself",
    without(jwks="http://a.example/keys"): "not https",
    without(jwks="http://10.0.0.1/keys"): "not https",
    without(jwks="http://localhost.a.example/keys"): "not https",
    without(jwks="ftp://a.example/keys"): "not an https address",
    without(jwks="file:///etc/passwd"): "not an https address",
    without(jwks="https://user:pw@a.example/keys"): "not an https address",
    without(jwks="https:///keys"): "not an https address",
    without(jwks="https://a.example:99999/keys"): "no address",
    without(jwks=7): "not an https address",
    without(alg="none"): "'alg' is no member",
    json.dumps([GOOD, GOOD]): "listed twice",
    json.dumps([GOOD, {**GOOD, "issuer": 7}]): "item 2",
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.items(), ids=list(WRONG.values()))
def test_a_start_refuses_what_is_wrong_and_says_what(settings: Settings, text: str, sentence: str) -> None:
    settings.VIEWER_KEYS = text
    [error] = viewer_keys(None)
    assert error.msg.startswith("VIEWER_KEYS: ")
    assert sentence in error.msg
    assert SECRET not in error.msg


def test_a_server_does_not_start_with_it(settings: Settings) -> None:
    settings.VIEWER_KEYS = "{"
    with pytest.raises(ImproperlyConfigured, match="VIEWER_KEYS: it is no JSON"):
        enforce()


def test_a_secret_of_this_site_is_none_for_another(settings: Settings) -> None:
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "SIGNING_KEY": SECRET}
    settings.VIEWER_KEYS = without("jwks", secret=SECRET)
    assert "is one of this site's own" in viewer_keys(None)[0].msg
    settings.VIEWER_KEYS = without("jwks", secret=SECRET[::-1])
    assert viewer_keys(None) == []
