"""The live protocol's own messages, with something wrong in them."""

import json
from random import Random
from typing import Any

from tests.support.nonsense import LITERALS
from tests.system.fuzz.frames import CLOSE, TEXT, frame, handshake

SEEDS: list[dict[str, Any]] = [
    {"type": "resume", "epoch": "3f00000000000000", "seq": 41},
    {"type": "resume"},
    {"type": "ack", "seq": 42},
    {"type": "authenticate", "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"},
    {"type": "ping", "epoch": "x", "seq": 1},
    {"type": "leaderboard_update", "board": "global", "top": []},
    {"type": "bye", "retry_ms": 1},
]
NAMES = ["type", "epoch", "seq", "token", "board", "limit", "", "__proto__", "constructor", "user_id", "players"]
VALUES = [value for value in LITERALS.values() if len(value) < 500]
LONG = [value for value in LITERALS.values() if len(value) >= 500]


def spoiled(rhythm: Random, tokens: list[str]) -> bytes:
    """One message after one to three changes, each somewhere."""
    message = dict(rhythm.choice(SEEDS))
    if message["type"] == "authenticate" and rhythm.random() < 0.5:
        message["token"] = rhythm.choice(tokens)
    members = {name: json.dumps(value).encode() for name, value in message.items()}
    for _ in range(rhythm.randint(1, 3)):
        match rhythm.randint(0, 4):
            case 0 if members:
                del members[rhythm.choice(list(members))]
            case 1:
                members[rhythm.choice(NAMES)] = rhythm.choice(VALUES if rhythm.random() < 0.98 else LONG)
            case 2:
                members[rhythm.choice(NAMES)] = str(rhythm.choice([0, -1, 2**53, 2**64, 10**400, 1e308])).encode()
            case 3:
                members = {name: b"[" * 50 + value + b"]" * 50 for name, value in members.items()}
            case _:
                members[rhythm.choice(NAMES)] = rhythm.choice(list(members.values()) or [b"1"])
    text = b"{" + b",".join(json.dumps(name).encode() + b":" + value for name, value in members.items()) + b"}"
    return changed(rhythm, text)


def changed(rhythm: Random, text: bytes) -> bytes:
    """As it is, or with bytes changed, missing, doubled or added."""
    place = rhythm.randint(0, len(text))
    match rhythm.randint(0, 7):
        case 0:
            return text[:place] + rhythm.randbytes(1) + text[place + 1 :]
        case 1:
            return text[:place]
        case 2:
            return text[:place] + text[place : place + 9] * 3 + text[place:]
        case 3:
            return rhythm.choice([b"\xef\xbb\xbf" + text, b"[" + text + b"]", text * 2, b" " * 3000 + text, b""])
        case _:
            return text


def bad_conversation(rhythm: Random, tokens: list[str]) -> list[bytes]:
    """A handshake that succeeds, then one to thirty messages."""
    said = [frame(rhythm, TEXT, spoiled(rhythm, tokens)) for _ in range(rhythm.randint(1, 40))]
    return [handshake(rhythm), *said, frame(rhythm, CLOSE, b"\x03\xe8")]
