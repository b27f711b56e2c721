"""What a live server said to nonsense, taken apart: is every byte of it an answer the protocol knows?"""

import json
import struct
from dataclasses import dataclass, field

from tests.system.fuzz.leaks import SERVER_NAME, leaks

TYPES = {"connection_success", "leaderboard_update", "you", "current", "ping", "error", "bye"}
# Ours (docs/live-protocol.md), and those with which RFC 6455 wants broken frames answered. Not 1011: that is a defect.
CLOSE_CODES = {4000, 4001, 4002, 4408, 4501, 4503, 4504, 4513, 4529} | {1000, 1001, 1002, 1003, 1005, 1007, 1009}
CLOSE_CODES |= {1012, 1014, 3000, 4999}  # what a client of tests/system/fuzz/frames.py says comes back to it


@dataclass
class Heard:
    """`faults`: what should not have been said. `closes`: the close codes, `statuses` those of HTTP."""

    statuses: list[int] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def heard(raw: bytes, sent: bytes) -> Heard:
    """Whatever came back on one connection to what was sent there."""
    result = Heard()
    rest = raw
    while rest.startswith(b"HTTP/"):
        head, _, rest = rest.partition(b"\r\n\r\n")
        result.statuses.append(int(head.split()[1]))
        judge_head(head, result)
        if result.statuses[-1] == 101:
            judge_frames(rest, result)
            return result
        start = rest.find(b"HTTP/1.1 ")  # an answer to what was pipelined behind
        body, rest = (rest, b"") if start < 0 else (rest[:start], rest[start:])
        result.faults += leaks(body.decode(errors="replace"), [], echoed=sent.decode("latin-1"))
    if rest:
        result.faults.append(f"not HTTP: {rest[:60]!r}")
    return result


def judge_head(head: bytes, result: Heard) -> None:
    if result.statuses[-1] >= 500:
        result.faults.append(f"status {result.statuses[-1]}")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:]]
    result.faults += [
        f"header {name}: {value}"
        for name, _, value in lines
        if name.lower() == "x-powered-by" or (name.lower() == "server" and value.strip() != SERVER_NAME)
    ]


def judge_frames(rest: bytes, result: Heard) -> None:
    while len(rest) >= 2:
        first, size = rest[0], rest[1]
        start = 2
        if size == 126:
            start, size = 4, struct.unpack_from("!H", rest, 2)[0] if len(rest) >= 4 else 2**32
        elif size == 127:
            start, size = 10, struct.unpack_from("!Q", rest, 2)[0] if len(rest) >= 10 else 2**32
        payload = rest[start : start + size]
        if len(payload) < size:
            return  # cut off by the end of the connection
        rest = rest[start + size :]
        judge_frame(first, payload, result)
        if first == 0x88 and rest:
            result.faults.append(f"{len(rest)} bytes behind a close frame")
            return


def judge_frame(first: int, payload: bytes, result: Heard) -> None:
    if first == 0x81:
        try:
            kind = json.loads(payload)["type"]
        except (ValueError, KeyError, TypeError):
            kind = payload[:60]
        if kind not in TYPES:
            result.faults.append(f"message {kind!r}")
        result.faults += leaks(payload.decode(), [])
    elif first == 0x88:
        code = struct.unpack("!H", payload[:2])[0] if payload else 1005
        result.closes.append(code)
        if code not in CLOSE_CODES:
            result.faults.append(f"close code {code} {payload[2:]!r}")
        result.faults += leaks(payload[2:].decode(errors="replace"), [])
    elif first != 0x8A:
        result.faults.append(f"frame {first:#x}")
