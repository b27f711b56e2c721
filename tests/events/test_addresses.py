"""Where webhooks may lead: judged by the address that is connected to, whatever the URL and the name server say."""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from events import client
from events.addresses import may_connect, public, refuse_url
from events.client import Answer, Client
from tests.events.receiver import Got, Receiver
from tests.support.processes import PATIENCE, eventually

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "2a01:4f8::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
NOT_PUBLIC = {
    "this machine": ["127.0.0.1", "127.1.2.3", "0.0.0.0", "::1", "::"],  # noqa: S104
    "private networks": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1"],
    "link-local, where clouds keep credentials": ["169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254"],
    "IPv4 in IPv6": ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "::a9fe:a9fe"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b:1::808:808"],
    "tunnels": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:1:2::80ff:fffe"],
    "shared, reserved, for documents": ["100.64.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"],
    "more of these": ["240.0.0.1", "255.255.255.255", "2001:db8::1", "100::1", "5f00::1", "3fff::1"],
    "many at once": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
}
SECRET_ADDRESS = "169.254.169.254"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached_by_https_alone(address: str) -> None:
    assert public(ipaddress.ip_address(address))
    assert may_connect("shop.example", address, tls=True)
    assert not may_connect("shop.example", address, tls=False)


@pytest.mark.parametrize("kind", NOT_PUBLIC)
def test_what_is_not_public_is_not_reached(kind: str) -> None:
    assert [one for one in NOT_PUBLIC[kind] if may_connect("shop.example", one, tls=True)] == []


def test_what_is_listed_is_reached(settings: Settings) -> None:
    settings.WEBHOOK_ALLOW = ["Shop.internal", "10.2.0.0/16", "fd00::/8"]
    assert may_connect("shop.INTERNAL", "192.168.7.7", tls=False)
    assert may_connect("any.example", "10.2.3.4", tls=False)
    assert may_connect("any.example", "::ffff:10.2.3.4", tls=True)
    assert may_connect("any.example", "fd12::1", tls=True)
    assert not may_connect("any.example", "10.3.0.1", tls=True)
    assert not may_connect("x.shop.internal", "192.168.7.7", tls=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::ffff:169.254.169.254]/",
        "http://shop.example/",
        "https://user@shop.example/",
        "https://shop.example/#x",
        "https://shop.example:0/",
        "https://shop.example:99999/",
        "https:///x",
        "https://[::1",
        "https://shop.example/a b",
        "https://shöp.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "",
    ],
)
def test_a_url_that_cannot_be_is_refused_when_it_is_entered(url: str) -> None:
    assert refuse_url(url)


def test_the_control_a_sound_url_is_not() -> None:
    assert refuse_url("https://shop.example/hooks/scores?key=1") is None
    assert refuse_url("https://shop.example:8443/") is None


# --- on the socket


def names_lead_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """The name server's answer to whatever is asked."""

    def answer(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in addresses]
        return [(f, socket.SOCK_STREAM, 6, "", (one, port)) for f, one in zip(families, addresses, strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def post(url: str) -> Answer:
    with Client() as sender:
        return sender.post(url, b"{}", {})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{}/", "https://127.0.0.1:{}/", "http://localhost:{}/", "http://[::ffff:127.0.0.1]:{}/"]
)
def test_this_machine_is_not_even_connected_to(receiver: Receiver, settings: Settings, url: str) -> None:
    settings.WEBHOOK_ALLOW = []
    answer = post(url.format(receiver.port))
    assert answer.status is None
    assert "no address that webhooks may reach" in answer.error
    assert receiver.connections == 0


def test_nor_by_a_name_that_leads_here_once_it_is_trusted(
    receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: what the name said when the URL was entered counts for nothing. The control: it is allowed."""
    names_lead_to(monkeypatch, "127.0.0.1")
    settings.WEBHOOK_ALLOW = []
    url = f"http://shop.example:{receiver.port}/"
    assert post(url).status is None
    assert receiver.connections == 0
    settings.WEBHOOK_ALLOW = ["shop.example"]
    assert post(url).status == 204


def test_the_socket_s_own_address_is_the_last_word(
    receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands between: here a connection that ends elsewhere than it was sent."""
    settings.WEBHOOK_ALLOW = ["93.184.216.34"]
    names_lead_to(monkeypatch, "93.184.216.34")

    def elsewhere(*_: Any, **__: Any) -> socket.socket:
        line = socket.socket()
        line.connect(("127.0.0.1", receiver.port))
        return line

    monkeypatch.setattr(socket, "create_connection", elsewhere)
    answer = post(f"http://shop.example:{receiver.port}/")
    assert "has led to 127.0.0.1" in answer.error
    assert receiver.got == []


def test_of_several_addresses_those_that_may_be_are_tried(
    receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_ALLOW = ["127.0.0.1"]
    names_lead_to(monkeypatch, SECRET_ADDRESS, "127.0.0.1")
    assert post(f"http://shop.example:{receiver.port}/").status == 204


def test_a_redirect_is_an_answer_and_not_an_order(receiver: Receiver) -> None:
    receiver.answers = lambda _: (307, {"Location": f"http://{SECRET_ADDRESS}/latest/meta-data/"}, b"")
    assert post(receiver.url).status == 307
    assert [got.path for got in receiver.got] == ["/hook"]


def test_no_proxy_of_the_environment_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert post(receiver.url).status == 204


# --- an end to everything


def late(answer: Answer) -> bool:
    return answer.status is None and answer.error.startswith("No answer within")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SECONDS", 0.4)


BEGINNINGS = {"http": b"HTTP/1.1 200 OK\r\nX: ", "https": b"\x16\x03\x03\x40\x00"}  # of a header, of a record of TLS


@pytest.fixture(params=BEGINNINGS)
def trickle(request: pytest.FixtureRequest, settings: Settings) -> Iterator[str]:
    """The URL of a server that begins to answer, and then sends a byte now and then, for ever."""
    settings.WEBHOOK_ALLOW = ["127.0.0.1"]
    server, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        line, _ = server.accept()
        with line, suppress(OSError):
            line.send(BEGINNINGS[request.param])
            while not ended.wait(0.02):
                line.send(b"x")

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    yield f"{request.param}://127.0.0.1:{server.getsockname()[1]}/"
    ended.set()
    serving.join(PATIENCE)
    server.close()


@pytest.mark.usefixtures("quick")
def test_who_trickles_is_cut(trickle: str) -> None:
    assert late(post(trickle))


@pytest.mark.usefixtures("quick")
def test_who_never_answers_is_cut(receiver: Receiver) -> None:
    never = threading.Event()

    def hang(_: Got) -> Any:
        never.wait(PATIENCE)
        return 200, {}, b""

    receiver.answers = hang
    answer = post(receiver.url)
    never.set()
    assert late(answer)


@pytest.mark.usefixtures("quick")
def test_a_name_that_is_found_too_late_is_not_connected_to(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is over before there is a connection to cut."""
    find = socket.getaddrinfo

    def find_late(*args: Any, **options: Any) -> Any:
        eventually(lambda: not any(isinstance(one, threading.Timer) for one in threading.enumerate()), "time is over")
        return find(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", find_late)
    assert late(post(receiver.url))
    assert receiver.got == []


def test_an_answer_without_end_is_not_read(receiver: Receiver) -> None:
    """The status is there, and that is what counts; the rest, a gigabyte, is left where it is, and not waited for."""
    receiver.answers = lambda _: (200, {"Content-Length": str(2**30)}, b"x" * client.MAX_ANSWER * 4)
    with Client() as sender:
        assert sender.post(receiver.url, b"{}", {}).status == 200
        assert not sender.backend.late.is_set()
