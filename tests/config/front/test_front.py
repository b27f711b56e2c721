"""The front between a client and the servers behind it, all three over real sockets; the test plays both ends."""

import socket
from contextlib import suppress

import pytest

from tests.config.front.conftest import Front
from tests.system.live.server import PATIENCE

GET = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
STREAM = b"GET /api/v1/scoreboard/stream?board=global HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET /scoreboard/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def accepted(server: socket.socket) -> socket.socket:
    connection, _ = server.accept()
    connection.settimeout(server.gettimeout())
    return connection


def read(connection: socket.socket, length: int) -> bytes:
    """Exactly `length` bytes; fewer only at the end of the stream."""
    data = b""
    while len(data) < length and (piece := connection.recv(min(length - len(data), 65_536))):
        data += piece
    return data


def read_head(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\r\n\r\n") and (piece := connection.recv(1)):
        data += piece
    return data


def ended(connection: socket.socket) -> bool:
    """Whether nothing more comes: the other side has closed."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def sent_until_blocked(connection: socket.socket, limit: int) -> int:
    """How many bytes the other side takes before it takes no more for 2 s, or `limit`."""
    connection.settimeout(2)
    sent = 0
    with suppress(TimeoutError):
        while sent < limit:
            sent += connection.send(b"x" * 65_536)
    return sent


def nobody_came(server: socket.socket) -> bool:
    """Whether the front has opened no connection to this server up to now."""
    patience = server.gettimeout()
    server.setblocking(False)
    try:
        server.accept()
        return False
    except BlockingIOError:
        return True
    finally:
        server.settimeout(patience)


def silent(connection: socket.socket) -> bool:
    """Whether nothing is there to read now."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return True


def test_requests_on_one_connection_go_where_each_belongs(front: Front) -> None:
    with front.connect() as client:
        client.sendall(GET)
        with accepted(front.web) as web:
            assert read_head(web).startswith(b"GET /page HTTP/1.1\r\n")
            web.sendall(ok(b"page"))
            assert read(client, len(ok(b"page"))) == ok(b"page")
            client.sendall(STREAM)
            with accepted(front.live) as live:
                assert read_head(live).startswith(b"GET /api/v1/scoreboard/stream?board=global HTTP/1.1\r\n")
                answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                live.sendall(answer)
                assert read(client, len(answer)) == answer
                client.sendall(GET)
                assert read_head(web).startswith(b"GET /page HTTP/1.1\r\n")  # over the same connection as before
                web.sendall(ok(b"again"))
                assert read(client, len(ok(b"again"))) == ok(b"again")


def test_an_event_of_a_stream_passes_at_once(front: Front) -> None:
    with front.connect() as client:
        client.sendall(STREAM)
        with accepted(front.live) as live:
            read_head(live)
            live.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            read_head(client)
            for event in (b"data: 1\n\n", b"data: 2\n\n"):
                chunk = b"%x\r\n%b\r\n" % (len(event), event)
                live.sendall(chunk)
                assert read(client, len(chunk)) == chunk


def test_a_websocket_is_a_tunnel_both_ways(front: Front) -> None:
    with front.connect() as client:
        client.sendall(UPGRADE + b"early")
        with accepted(front.live) as live:
            assert b"\r\nUpgrade: websocket\r\n" in read_head(live)
            live.sendall(SWITCHING + b"hello")
            assert read(client, len(SWITCHING) + 5) == SWITCHING + b"hello"
            assert read(live, 5) == b"early"
            client.sendall(GET)  # any bytes at all: nobody reads them as HTTP now
            assert read(live, len(GET)) == GET
            live.sendall(ok(b"x"))
            assert read(client, len(ok(b"x"))) == ok(b"x")
            client.close()
            assert ended(live)


def test_a_refused_websocket_leaves_the_connection_usable(front: Front) -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    with front.connect() as client:
        client.sendall(UPGRADE)
        with accepted(front.live) as live:
            read_head(live)
            live.sendall(refusal)
            assert read(client, len(refusal)) == refusal
            client.sendall(GET)
            with accepted(front.web) as web:
                assert read_head(web).startswith(b"GET /page")


def test_the_servers_learn_the_real_address_and_no_other(front: Front) -> None:
    with front.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 8.8.8.8\r\nX_Forwarded_For: 9.9.9.9\r\n\r\n")
        with accepted(front.web) as web:
            head = read_head(web)
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in head
    assert b"8.8.8.8" not in head
    assert b"9.9.9.9" not in head


def test_a_body_reaches_the_server_and_the_next_request_does_not_mix_with_it(front: Front) -> None:
    post = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
    with front.connect() as client:
        client.sendall(post + b"12")
        client.sendall(b"345" + GET)
        with accepted(front.web) as web:
            read_head(web)
            assert read(web, 5) == b"12345"
            web.sendall(ok(b"one"))
            assert read_head(web).startswith(b"GET /page")
            web.sendall(ok(b"two"))
            assert read(client, len(ok(b"one") + ok(b"two"))) == ok(b"one") + ok(b"two")


def test_a_request_behind_a_chunked_body_goes_nowhere(front: Front) -> None:
    body = b"5\r\nhello\r\n0\r\n\r\n"
    smuggled = b"GET /admin HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 8.8.8.8\r\n\r\n"
    with front.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body + smuggled)
        with accepted(front.web) as web:
            head = read_head(web)
            assert b"\r\nConnection: close\r\n" in head
            assert b"\r\nContent-Length: 5\r\n" in head
            assert b"transfer-encoding" not in head.lower()
            assert read(web, 5) == b"hello"
            assert silent(web)
            web.setblocking(True)
            web.sendall(ok(b"done"))
            assert read(client, len(ok(b"done"))) == ok(b"done")
            assert ended(client)
            assert ended(web)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_an_ambiguous_request_is_refused_and_goes_nowhere(front: Front, request_: bytes) -> None:
    with front.connect() as client:
        client.sendall(request_ + GET)
        head = read_head(client)
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n")
        assert b'"type": "/problems/invalid-request"' in read(client, 1000)
        assert ended(client)
    assert nobody_came(front.web)


def test_a_chunk_that_breaks_the_rules_is_refused(front: Front) -> None:
    with front.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        assert read_head(client).startswith(b"HTTP/1.1 400 ")


def test_headers_without_end_are_refused(front: Front) -> None:
    with front.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000)
        assert read_head(client).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


def test_answers_come_in_the_order_of_the_requests(front: Front) -> None:
    with front.connect() as client:
        client.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(3)))
        with accepted(front.web) as web:
            for number in range(3):
                assert read_head(web).startswith(b"GET /%d " % number)
                web.sendall(ok(b"%d" % number))
        for number in range(3):
            assert read(client, len(ok(b"0"))) == ok(b"%d" % number)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ],
)
def test_an_answer_without_a_body_is_complete_at_once(front: Front, method: bytes, answer: bytes) -> None:
    with front.connect() as client:
        client.sendall(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
        with accepted(front.web) as web:
            read_head(web)
            web.sendall(answer)
            assert read(client, len(answer)) == answer
            client.sendall(GET)
            assert read_head(web).startswith(b"GET /page")


def test_an_interim_answer_passes_and_the_final_one_follows(front: Front) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    with front.connect() as client:
        client.sendall(GET)
        with accepted(front.web) as web:
            read_head(web)
            web.sendall(interim)
            assert read(client, len(interim)) == interim
            web.sendall(ok(b"x"))
            assert read(client, len(ok(b"x"))) == ok(b"x")


def test_who_waits_to_be_told_to_send_the_body_is_told(front: Front) -> None:
    with front.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert read_head(client) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ab")
        with accepted(front.web) as web:
            assert b"Expect" not in read_head(web)
            assert read(web, 2) == b"ab"
            web.sendall(ok(b"x"))
            assert read(client, len(ok(b"x"))) == ok(b"x")


def test_an_answer_that_ends_with_its_connection_ends_the_clients_too(front: Front) -> None:
    with front.connect() as client:
        client.sendall(GET)
        with accepted(front.web) as web:
            read_head(web)
            web.sendall(b"HTTP/1.1 200 OK\r\n\r\nto the end")
        assert read_head(client) == b"HTTP/1.1 200 OK\r\n\r\n"
        assert read(client, 100) == b"to the end"


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: 262145\r\n\r\n",
        b"Content-Length: 100000000\r\n\r\n" + b"x" * 1000,
        b"Transfer-Encoding: chunked\r\n\r\n40000\r\n" + b"x" * 0x40000 + b"\r\n1\r\nx\r\n",
    ],
)
def test_a_body_larger_than_any_call_takes_is_refused_and_goes_nowhere(front: Front, framed: bytes) -> None:
    with front.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n" + framed)
        if b"Length" in framed:
            client.sendall(b"x" * 100_000)  # still sending
        assert read_head(client).startswith(b"HTTP/1.1 413 ")
        assert b'"type": "/problems/payload-too-large"' in read(client, 1000)
    assert nobody_came(front.web)


def test_a_request_goes_nowhere_before_its_body_is_complete(front: Front) -> None:
    """A server's thread would wait for it; a few dozen of these would be all threads there are."""
    with front.connect() as slow, front.connect() as other:
        slow.sendall(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123456789")
        other.sendall(GET)
        with accepted(front.web) as web:
            assert read_head(web).startswith(b"GET /page")
            web.sendall(ok(b"x"))
            assert read(other, len(ok(b"x"))) == ok(b"x")
        assert nobody_came(front.web)
        slow.sendall(b"0")
        with accepted(front.web) as web:
            assert read_head(web).startswith(b"POST /slow")


def test_without_the_server_there_is_a_503_that_says_when_to_come_back(front: Front) -> None:
    front.web.close()
    with front.connect() as client:
        client.sendall(GET)
        head = read_head(client)
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in head


def test_a_server_that_breaks_off_makes_a_502(front: Front) -> None:
    with front.connect() as client:
        client.sendall(GET)
        with accepted(front.web) as web:
            read_head(web)
        assert read_head(client).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")


def test_half_an_answer_is_never_followed_by_a_refusal(front: Front) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    with front.connect() as client:
        client.sendall(GET)
        with accepted(front.web) as web:
            read_head(web)
            web.sendall(half)
        assert read(client, 1000) == half


@pytest.mark.parametrize(("method", "again"), [(b"GET", True), (b"POST", False)])
def test_only_what_can_be_repeated_is_sent_again_when_a_kept_connection_ends(
    front: Front, method: bytes, again: bool
) -> None:
    with front.connect() as client:
        client.sendall(GET)
        web = accepted(front.web)
        read_head(web)
        web.sendall(ok(b"x"))
        read(client, len(ok(b"x")))
        client.sendall(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
        read_head(web)
        web.close()
        if again:
            with accepted(front.web) as web:
                assert read_head(web).startswith(method)
                web.sendall(ok(b"y"))
            assert read(client, len(ok(b"y"))) == ok(b"y")
        else:
            assert read_head(client).startswith(b"HTTP/1.1 502 ")


def test_a_client_that_leaves_ends_its_stream(front: Front) -> None:
    client = front.connect()
    client.sendall(STREAM)
    with accepted(front.live) as live:
        read_head(live)
        client.close()
        assert ended(live)


def test_a_half_closed_client_still_gets_its_answer(front: Front) -> None:
    with front.connect() as client:
        client.sendall(GET)
        client.shutdown(socket.SHUT_WR)
        with accepted(front.web) as web:
            read_head(web)
            web.sendall(ok(b"x"))
            assert read(client, 1000) == ok(b"x")


@pytest.mark.parametrize("opening", [GET, UPGRADE])
def test_a_client_that_does_not_read_stops_the_server_and_not_the_memory(front: Front, opening: bytes) -> None:
    """What fits in the kernel's buffers and the front's own is taken; after that the server has to wait."""
    with front.connect() as client:
        client.sendall(opening)
        with accepted(front.web if opening == GET else front.live) as server:
            read_head(server)
            server.sendall(SWITCHING if opening == UPGRADE else b"HTTP/1.1 200 OK\r\n\r\n")
            sent = sent_until_blocked(server, limit=64 * 2**20)
            assert sent < 16 * 2**20
            # And nothing of it is lost once the client reads.
            expected = sent + len(SWITCHING if opening == UPGRADE else b"HTTP/1.1 200 OK\r\n\r\n")
            assert len(read(client, expected)) == expected


def test_answers_that_nobody_reads_are_not_asked_for(front: Front) -> None:
    """Pipelining without reading: the requests wait, here and in the client."""
    large = ok(b"x" * 1_000_000)
    with front.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(GET * 200)
        with accepted(front.web) as web:
            web.settimeout(2)
            answers = 0
            with suppress(TimeoutError):
                while answers < 200 and read_head(web):
                    web.sendall(large)
                    answers += 1
            assert answers < 20


def test_leaving_lets_an_answer_end_and_takes_nobody_new(front: Front) -> None:
    with front.connect() as client, front.connect() as idle:
        client.sendall(GET)
        with accepted(front.web) as web:
            read_head(web)
            web.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
            read(client, len(ok(b"")) + 2)
            front.process.terminate()
            assert ended(idle)
            assert not front.accepts()
            web.sendall(b"cd")
            assert read(client, 100) == b"cd"
    assert front.process.wait(PATIENCE) == 0
