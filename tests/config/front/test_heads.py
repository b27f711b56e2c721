"""What the front reads in a request's head, what it refuses, and what it passes on."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.front.framing import Chunked, Empty, FramingError, Sized, UntilClose
from config.front.heads import BadHead, Request, parse_request, parse_response

SOCKET = frozenset({b"/scoreboard/live"})


def parsed(*lines: bytes) -> Request:
    return parse_request(b"\r\n".join(lines) + b"\r\n\r\n", b"192.0.2.7", may_upgrade=SOCKET)


def passed_on(*lines: bytes) -> list[bytes]:
    """The header lines that go upstream for a request with these."""
    return parsed(b"GET / HTTP/1.1", b"Host: a", *lines).head.removesuffix(b"\r\n\r\n").split(b"\r\n")[2:]


def test_a_request_goes_on_as_it_came_with_the_address_it_came_from() -> None:
    request = parsed(b"GET /a?b=%20c HTTP/1.1", b"Host: example.org:80", b"Accept:  text/html ")
    assert request.head == (
        b"GET /a?b=%20c HTTP/1.1\r\nHost: example.org:80\r\nAccept:  text/html \r\n"
        b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n\r\n"
    )
    assert (request.method, request.path, request.keep_alive) == (b"GET", b"/a", True)
    assert isinstance(request.body, Empty)


@pytest.mark.parametrize(
    "line",
    [
        b"X-Forwarded-For: 10.0.0.1",
        b"x-forwarded-for: 10.0.0.1",
        b"X_Forwarded_For: 10.0.0.1",
        b"X-Forwarded_For: 10.0.0.1",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Host: evil.example",
        b"X-Forwarded-Anything: x",
        b"X-Real-IP: 10.0.0.1",
        b"Forwarded: for=10.0.0.1",
        b"Proxy: http://evil.example",
        b"Proxy-Connection: keep-alive",
        b"Keep-Alive: timeout=5",
        b"TE: trailers",
        b"Upgrade: h2c",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
    ],
)
def test_what_only_the_front_may_say_is_dropped(line: bytes) -> None:
    assert passed_on(line) == [b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: http"]


@pytest.mark.parametrize(
    "lines",
    [
        (b"GET  / HTTP/1.1", b"Host: a"),
        (b"GET / HTTP/2.0", b"Host: a"),
        (b"GET / HTTP/1.10", b"Host: a"),
        (b"GET /", b"Host: a"),
        (b"GET http://a/ HTTP/1.1", b"Host: a"),
        (b"CONNECT a:443 HTTP/1.1", b"Host: a"),
        (b"GET /\x00 HTTP/1.1", b"Host: a"),
        (b"GET /\xff HTTP/1.1", b"Host: a"),
        (b"G\x7fT / HTTP/1.1", b"Host: a"),
        (b" GET / HTTP/1.1", b"Host: a"),
        (b"GET *x HTTP/1.1", b"Host: a"),
        (b"GET / HTTP/1.1",),
        (b"GET / HTTP/1.1", b"Host: a", b"Host: b"),
        (b"GET / HTTP/1.1", b"Host: a", b"Host: a"),
        (b"GET / HTTP/1.1", b"Host : a"),
        (b"GET / HTTP/1.1", b"Host: a", b" folded"),
        (b"GET / HTTP/1.1", b"Host: a", b"\tfolded"),
        (b"GET / HTTP/1.1", b" Host: a"),
        (b"GET / HTTP/1.1", b"Host: a", b"no colon"),
        (b"GET / HTTP/1.1", b"Host: a", b": no name"),
        (b"GET / HTTP/1.1", b"Host: a", b"N\xc3\xa4me: x"),
        (b"GET / HTTP/1.1", b"Host: a", b"X: a\x00b"),
        (b"GET / HTTP/1.1", b"Host: a", b"X: a\rb"),
        (b"GET / HTTP/1.1", b"Host: a\nX: b"),
        (b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 1", b"Content-Length: 2"),
        (b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 1, 1"),
        (b"POST / HTTP/1.1", b"Host: a", b"Content-Length: +1"),
        (b"POST / HTTP/1.1", b"Host: a", b"Content-Length: -1"),
        (b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 0x1"),
        (b"POST / HTTP/1.1", b"Host: a", b"Content-Length:"),
        (b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 1111111111111111"),
        (b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 1", b"Transfer-Encoding: chunked"),
        (b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: gzip, chunked"),
        (b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: identity"),
        (b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: \x0bchunked"),
        (b"POST / HTTP/1.0", b"Host: a", b"Transfer-Encoding: chunked"),
    ],
)
def test_a_head_that_could_be_read_in_two_ways_is_refused(lines: tuple[bytes, ...]) -> None:
    with pytest.raises(BadHead):
        parsed(*lines)


def test_a_length_given_twice_alike_is_passed_on_once() -> None:
    request = parsed(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 7", b"content-length: 7")
    assert isinstance(request.body, Sized)
    assert request.body.left == 7
    assert request.head.lower().count(b"content-length") == 1


def test_a_chunked_request_is_the_last_of_its_connections() -> None:
    request = parsed(b"POST / HTTP/1.1", b"Host: a", b"Transfer-Encoding: Chunked")
    assert isinstance(request.body, Chunked)
    assert not request.keep_alive
    assert b"\r\nConnection: close\r\n" in request.head


@pytest.mark.parametrize("lines", [(b"GET / HTTP/1.0",), (b"GET / HTTP/1.1", b"Host: a", b"Connection: x, Close")])
def test_a_client_that_wants_to_close_has_it_told_on(lines: tuple[bytes, ...]) -> None:
    request = parsed(*lines)
    assert not request.keep_alive
    assert b"\r\nConnection: close\r\n" in request.head


def test_a_websocket_is_asked_for_only_where_there_is_one() -> None:
    wanted = (b"Host: a", b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket", b"Sec-WebSocket-Version: 13")
    live = parsed(b"GET /scoreboard/live?board=global HTTP/1.1", *wanted)
    page = parsed(b"GET / HTTP/1.1", *wanted)
    assert (live.upgrade, page.upgrade) == (True, False)
    assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in live.head
    assert b"Upgrade:" not in page.head


@given(st.binary(max_size=200))
@example(b"GET / HTTP/1.1\r\nHost: a" + b" " * 30_000 + b"x")
@example(b"GET / HTTP/1.1\r\n" + b"a:" * 15_000)
def test_any_bytes_are_a_request_or_are_refused(data: bytes) -> None:
    try:
        request = parse_request(data + b"\r\n\r\n", b"192.0.2.7", may_upgrade=SOCKET)
    except BadHead:
        return
    # Nothing that was accepted can hold a second head for the server behind.
    assert request.head.find(b"\r\n\r\n") == len(request.head) - 4


@pytest.mark.parametrize(
    ("head", "method", "body", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"GET", Sized, True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: close\r\n\r\n", b"GET", Sized, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET", Chunked, True),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"GET", UntilClose, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HEAD", Empty, True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"GET", Empty, True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"POST", Empty, True),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"GET", Empty, True),
    ],
)
def test_an_answer_is_framed_as_its_head_says(head: bytes, method: bytes, body: type, keep_alive: bool) -> None:
    response = parse_response(head, method)
    assert isinstance(response.body, body)
    assert response.keep_alive is keep_alive


def test_an_answer_that_is_no_http_is_refused() -> None:
    with pytest.raises(FramingError):
        parse_response(b"SSH-2.0-OpenSSH\r\n\r\n", b"GET")
