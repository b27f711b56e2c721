"""The heads of HTTP/1 messages: a client's is read strictly and rewritten, an upstream's only read.

Strict because two readers who disagree about one request is how requests are smuggled: what is ambiguous
is refused here instead of being passed on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from config.front.framing import Body, Chunked, Empty, FramingError, Sized, UntilClose

HEAD_LIMIT = 32 * 1024  # bytes

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ((?:/|\*$)[\x21-\x7e]*) HTTP/1\.([01])")
# Linear: no part can match what the next one does. Folded lines and blanks before the colon do not fit in.
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*")
_FIELD = re.compile(rb"([^:\r\n]+):([^\r\n]*)\r\n")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_RESPONSE_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|connection):[\t ]*([^\r\n]*)", re.I)

# What concerns one connection only, and what only the front itself may say about the client.
_DROPPED = frozenset(
    b"connection expect keep-alive proxy-connection proxy te trailer upgrade forwarded x-real-ip".split()
)


class BadHead(Exception):
    """A request that is refused; the message says what was expected."""


@dataclass(slots=True)
class Request:
    """`head` is what goes upstream; `body` frames what follows it."""

    method: bytes
    path: bytes
    head: bytes
    body: Body
    keep_alive: bool
    upgrade: bool
    expects_continue: bool

    def whole(self, body: bytes) -> bytes:
        """What goes upstream, once `body` is all there.

        A body that came in chunks goes on with its length, as from nginx: WSGI knows no other.
        """
        if isinstance(self.body, Chunked):
            content = bytes(self.body.content)
            return b"%bContent-Length: %d\r\n\r\n%b" % (self.head[:-2], len(content), content)
        return self.head + body

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no harm (RFC 9110 section 9.2.1) and needs nothing but its head."""
        return self.method in (b"GET", b"HEAD", b"OPTIONS") and isinstance(self.body, Empty)


@dataclass(slots=True)
class Response:
    status: int
    body: Body
    keep_alive: bool


def parse_request(head: bytes, peer: bytes, *, may_upgrade: frozenset[bytes]) -> Request:
    """The request whose head, up to and with the empty line, is `head`; `peer` is the client's address.

    `may_upgrade`: the paths on which "Upgrade: websocket" is passed on. BadHead if anything is ambiguous.
    """
    line, _, rest = head.partition(b"\r\n")
    start = _REQUEST_LINE.fullmatch(line)
    if start is None:
        raise BadHead("Expected a request line: METHOD /path HTTP/1.1")
    fields = rest[:-2]
    if _FIELDS.fullmatch(fields) is None:
        raise BadHead("Expected header lines of the form Name: value")
    method, target, minor = start.groups()
    path = target.partition(b"?")[0]
    framing: dict[bytes, set[bytes]] = {}
    lines = [line, b"\r\n"]
    connection = upgrade = expectation = b""
    for name, value in _FIELD.findall(fields):
        key = name.lower()
        if key in (b"host", b"content-length", b"transfer-encoding"):
            text = value.strip(b"\t ")
            if key in framing and (key != b"content-length" or text not in framing[key]):
                raise BadHead(f"Expected one {key.decode()} header, got several")
            if key not in framing and key != b"transfer-encoding":
                lines += (name, b":", value, b"\r\n")
            framing[key] = {text}
        elif key == b"connection":
            connection += b"," + value.lower()
        elif key == b"upgrade":
            upgrade = value.strip(b"\t ").lower()
        elif key == b"expect":
            expectation = value.strip(b"\t ").lower()
        # A CGI-style name cannot tell "_" from "-": X_Forwarded_For would pass for the header we vouch for.
        elif not (key in _DROPPED or b"_" in key or key.startswith(b"x-forwarded-")):
            lines += (name, b":", value, b"\r\n")
    if b"host" not in framing and minor == b"1":
        raise BadHead("Expected a Host header")
    options = {option.strip(b"\t ") for option in connection.split(b",")}
    body = _request_body(framing, minor)
    upgrades = upgrade == b"websocket" and b"upgrade" in options and path in may_upgrade
    keep_alive = minor == b"1" and b"close" not in options and not isinstance(body, Chunked)
    if upgrades:
        lines.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    elif not keep_alive:
        lines.append(b"Connection: close\r\n")
    lines += (b"X-Forwarded-For: ", peer, b"\r\nX-Forwarded-Proto: http\r\n\r\n")
    return Request(method, path, b"".join(lines), body, keep_alive, upgrades, expectation == b"100-continue")


def _request_body(framing: dict[bytes, set[bytes]], minor: bytes) -> Body:
    length = framing.get(b"content-length")
    encoding = framing.get(b"transfer-encoding")
    if encoding is not None:
        if length is not None or minor == b"0" or {value.lower() for value in encoding} != {b"chunked"}:
            raise BadHead("Expected Transfer-Encoding: chunked, in HTTP/1.1, without a Content-Length")
        return Chunked(keep=True)
    if length is None:
        return Empty()
    (text,) = length
    if _LENGTH.fullmatch(text) is None:
        raise BadHead("Expected a number as Content-Length")
    return Sized(int(text))


def parse_response(head: bytes, method: bytes) -> Response:
    """How an upstream frames its answer to `method`, by its head up to and with the empty line."""
    start = _STATUS_LINE.match(head)
    if start is None:
        raise FramingError("expected a status line of HTTP/1")
    status = int(start[1])
    fields = {name.lower(): value.lower() for name, value in _RESPONSE_FRAMING.findall(head)}
    keep_alive = b"close" not in fields.get(b"connection", b"")
    body: Body
    if method == b"HEAD" or status in (204, 304) or status < 200:
        body = Empty()
    elif b"chunked" in fields.get(b"transfer-encoding", b""):
        body = Chunked()
    elif (length := fields.get(b"content-length", b"").strip()).isdigit():
        body = Sized(int(length))
    else:
        body, keep_alive = UntilClose(), False
    return Response(status, body, keep_alive)
