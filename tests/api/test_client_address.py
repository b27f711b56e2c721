"""Whose allowance a request is charged to: no header that a client can write moves it elsewhere."""

import pytest
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from api.client_address import UNKNOWN, bucket, client_address
from tests.support.client import MINT, Api, assert_problem

PEER = "198.51.100.9"


def address(forwarded: str | None = None, **other: str) -> str:
    """The address of a request from PEER with this X-Forwarded-For."""
    headers = {**({} if forwarded is None else {"X-Forwarded-For": forwarded}), **other}
    return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=PEER))


@pytest.mark.parametrize("forwarded", ["203.0.113.7", "127.0.0.1", "unknown", "203.0.113.7, 203.0.113.8", "", ",,,"])
def test_without_a_trusted_proxy_only_the_peer_counts(forwarded: str) -> None:
    assert address(forwarded) == address() == PEER


@pytest.mark.parametrize("header", ["X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP", "Client-IP", "Via"])
@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_other_headers_are_never_believed(settings: Settings, header: str, proxies: int) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert address("203.0.113.7", **{header: "192.0.2.66"}) == (PEER if proxies == 0 else "203.0.113.7")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        # One proxy appended what it saw: the last entry; the client made up what stands before it.
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "192.0.2.66, 203.0.113.7", "203.0.113.7"),
        (1, "192.0.2.66, 192.0.2.67, 192.0.2.68, 203.0.113.7", "203.0.113.7"),
        (1, "garbage, 203.0.113.7", "203.0.113.7"),
        (1, ",, ,203.0.113.7 ", "203.0.113.7"),
        # Two proxies: the inner one appended the outer one.
        (2, "203.0.113.7, 10.0.0.1", "203.0.113.7"),
        (2, "192.0.2.66, 203.0.113.7, 10.0.0.1", "203.0.113.7"),
        (2, "192.0.2.66,192.0.2.67,203.0.113.7,10.0.0.1", "203.0.113.7"),
        # Shorter than the chain: the inner proxy was called directly, and what it saw is all that is known.
        (2, "203.0.113.7", "203.0.113.7"),
    ],
)
def test_a_client_cannot_move_its_address(settings: Settings, proxies: int, forwarded: str, client: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert address(forwarded) == client


@pytest.mark.parametrize(
    "forwarded", [None, "", " ", "unknown", "203.0.113.7, ", "203.0.113.7, x", "1.2.3", "1.2.3.4.5"]
)
def test_what_is_no_address_shares_one_allowance(settings: Settings, forwarded: str | None) -> None:
    settings.TRUSTED_PROXIES = 1
    assert address(forwarded) == UNKNOWN


@pytest.mark.parametrize(
    ("raw", "unit"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:cb00:7107", "203.0.113.7"),
        # With a port, as some proxies write it.
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8:1:2::7]", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::7]:4711", "2001:db8:1:2::/64"),
        ("[::ffff:203.0.113.7]:4711", "203.0.113.7"),
    ],
)
def test_the_unit_is_what_one_subscriber_has(raw: str, unit: str) -> None:
    assert bucket(raw) == unit


@pytest.mark.parametrize(
    "raw",
    [
        *("", "[]", "[", "]", "[]:80", ":", ":80", "%", "%eth0", "localhost", "0x7f.1", "127.1", "2130706433"),
        *("010.0.0.1", "1.2.3.4/24", "1.2.3.4:", "1.2.3.4:http", "1.2.3.4:999999", "[1.2.3.4", "2001:db8::1]:80"),
        *("\uff11.2.3.4", "1.2.3.4\n", "\x00", "1.2.3.4, 5.6.7.8"),
        *(pytest.param(text * 100_000, id=f"many-{text}") for text in ("a", ":", "1", "1.", "[")),
    ],
)
def test_garbage_is_no_address_and_no_error(raw: str) -> None:
    assert bucket(raw) == UNKNOWN


@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_changing_the_header_with_each_request_does_not_open_the_door(
    api: Api, fresh_limits: None, settings: Settings, proxies: int
) -> None:
    settings.TRUSTED_PROXIES, settings.LIMITS = proxies, {**settings.LIMITS, "ip": "5/minute"}
    seen = "203.0.113.7" + ", 10.0.0.1" * (proxies - 1)
    answers = [api.post(MINT, {}, headers={"X-Forwarded-For": f"192.0.2.{made_up}, {seen}"}) for made_up in range(8)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3
    assert_problem(answers[-1], "rate-limited")
