"""Requests that open a live connection, and requests near them."""

from random import Random

from tests.system.fuzz.frames import frame, handshake

HEADERS = ["Origin", "Cookie", "Authorization", "Host", "Last-Event-ID", "Sec-WebSocket-Protocol", "X-Request-ID"]
HEADERS += ["X-Forwarded-For", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key", "Upgrade"]
HEADERS += ["Connection", "Content-Length", "Transfer-Encoding", "Expect", "Accept", "Access-Control-Request-Method"]
VALUES = ["", ",", "null", "-1", "1", "0", "x", "*", ";;;", "=", "e:1", "chunked", "100-continue", "\xff", "a" * 9000]
VALUES += ["bearer", "bearer,", "bearer, x", "Bearer", "Bearer  ", "Basic x", "bearer, bearer, bearer", "h2c", "close"]
VALUES += [
    "http://[",
    "http://[::1",
    "http://127.0.0.1",
    "https://elsewhere.example",
    "permessage-deflate",
    "a" * 70_000,
]
VALUES += ["sessionid=", 'sessionid="\\', "sessionid=x; sessionid=y", "sessionid=" + "x" * 4000, "websocket", "Upgrade"]
TARGETS = ["/scoreboard/live", "/api/v1/scoreboard/stream", "/healthz", "/metrics", "*", "/", "//", "x", "/%2e%2e/"]
TARGETS += ["/scoreboard/live?limit=%", "/scoreboard/live?" + "a" * 9000, "/scoreboard/live/../../etc/passwd", "/\xff"]
TARGETS += ["/api/v1/scoreboard/stream?%00=%00&=&&;", "/api/v1/scoreboard/stream?limit=0", "http://x/scoreboard/live"]
METHODS = ["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "CONNECT", "TRACE", "get", "", "X" * 300]
VERSIONS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", ""]


def lines(rhythm: Random, most: int) -> str:
    chosen = [f"{rhythm.choice(HEADERS)}: {rhythm.choice(VALUES)}\r\n" for _ in range(rhythm.randint(0, most))]
    if rhythm.random() < 0.05:
        chosen += [f"X-{number}: y\r\n" for number in range(500)]
    if rhythm.random() < 0.05:
        chosen.append(rhythm.choice([" folded\r\n", "no colon\r\n", "X : y\r\n", "X: a\rb\r\n", "\x00: x\r\n"]))
    return "".join(chosen)


def bad_request(rhythm: Random) -> list[bytes]:
    """A handshake with headers that spoil it, or any other request; perhaps unfinished, perhaps with more behind it."""
    if rhythm.random() < 0.5:
        whole = handshake(rhythm, lines(rhythm, 4), rhythm.choice(TARGETS[:2])) + frame(rhythm, 1, b'{"type":"resume"}')
    else:
        start = f"{rhythm.choice(METHODS)} {rhythm.choice(TARGETS)} {rhythm.choice(VERSIONS)}\r\n"
        host = rhythm.choice(["Host: 127.0.0.1\r\n", "Host: evil.example\r\n", "Host: \r\n", ""])
        whole = f"{start}{host}{lines(rhythm, 6)}\r\n".encode("latin-1") * rhythm.choice([1, 1, 1, 3])
    if rhythm.random() < 0.2:
        whole = whole[: rhythm.randint(1, len(whole))]
    if rhythm.random() < 0.05:
        return [whole[place : place + 1] for place in range(min(len(whole), 200))]
    return [whole]
