"""Where the body of a message ends (RFC 9112 section 6). Each class counts bytes and changes none of them."""

from __future__ import annotations

import re
from typing import Protocol

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_CHUNK_LINE_LIMIT = 256  # bytes of a size with its extensions


class FramingError(Exception):
    """The body is not framed as its head said."""


class Body(Protocol):
    done: bool
    """Whether the last byte of the body has been fed."""

    def feed(self, data: bytes) -> int:
        """How many of the bytes at the start of `data` belong to this body. FramingError if they cannot."""


class Empty:
    done = True

    def feed(self, data: bytes) -> int:
        return 0


class Sized:
    """A body of Content-Length bytes."""

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0

    def feed(self, data: bytes) -> int:
        taken = min(self.left, len(data))
        self.left -= taken
        self.done = self.left == 0
        return taken


class UntilClose:
    """A response without a length: it ends when its sender closes."""

    done = False

    def feed(self, data: bytes) -> int:
        return len(data)


class Chunked:
    """Transfer-Encoding: chunked. Trailers are refused: nobody here sends any, and smugglers love them.

    `keep`: collect what is in the chunks as `content`.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.done = False
        self.content = bytearray()
        self._keep = keep
        self._left = 0  # bytes of the present chunk, the CRLF behind it included
        self._line = b""  # the part of a size line that has arrived
        self._last = False

    def feed(self, data: bytes) -> int:
        at = 0
        while at < len(data) and not self.done:
            if self._left > 2:
                step = min(self._left - 2, len(data) - at)
                if self._keep:
                    self.content += data[at : at + step]
                self._left -= step
                at += step
            elif self._left > 0:
                self._end_chunk(data[at])
                at += 1
            else:
                at = self._start_chunk(data, at)
        return at

    def _end_chunk(self, byte: int) -> None:
        if byte != b"\n\r"[self._left - 1]:
            raise FramingError("expected CRLF after a chunk, and no trailers")
        self._left -= 1
        self.done = self._last and self._left == 0

    def _start_chunk(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        self._line += data[at:stop]
        if len(self._line) > _CHUNK_LINE_LIMIT:
            raise FramingError(f"expected a chunk's size in at most {_CHUNK_LINE_LIMIT} bytes")
        if end < 0:
            return stop
        size = _CHUNK_SIZE.fullmatch(self._line)
        if size is None:
            raise FramingError("expected a chunk's size in hexadecimal, then CRLF")
        self._line = b""
        self._left = int(size[1], 16) + 2
        self._last = self._left == 2
        return stop
