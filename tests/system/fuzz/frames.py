"""Bytes of RFC 6455 and bytes near them: what a client might put on the wire after, before and instead of a handshake.

Every maker takes a Random and returns the pieces in which its bytes are sent.
"""

import base64
import struct
from random import Random

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
FINAL = 0x80
RESUME = b'{"type":"resume"}'
BAD_UTF8 = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"{\xfe}"]
CLOSE_CODES = [
    0,
    1,
    999,
    1000,
    1001,
    1002,
    1004,
    1005,
    1006,
    1007,
    1014,
    1015,
    1016,
    2999,
    3000,
    4000,
    4999,
    5000,
]
CLOSE_CODES += [65535]


def frame(rhythm: Random, opcode: int, payload: bytes = b"", *, first: int = FINAL, masked: bool = True) -> bytes:
    """A well-formed frame, as far as its arguments are."""
    mask = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first | opcode, mask | size)
    elif size < 2**16:
        head = struct.pack("!BBH", first | opcode, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first | opcode, mask | 127, size)
    if not masked:
        return head + payload
    key = rhythm.randbytes(4)
    return head + key + bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))


def handshake(rhythm: Random, more: str = "", path: str = "/scoreboard/live") -> bytes:
    key = base64.b64encode(rhythm.randbytes(16)).decode()
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n".encode("latin-1")


def bad_opcode(rhythm: Random) -> list[bytes]:
    return [frame(rhythm, rhythm.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), RESUME)]


def reserved_bits(rhythm: Random) -> list[bytes]:
    return [
        frame(rhythm, rhythm.choice([TEXT, PING, CLOSE]), RESUME, first=FINAL | rhythm.choice([0x40, 0x20, 0x10, 0x70]))
    ]


def unmasked(rhythm: Random) -> list[bytes]:
    return [frame(rhythm, rhythm.choice([TEXT, PING, CLOSE]), RESUME, masked=False)]


def odd_fragments(rhythm: Random) -> list[bytes]:
    """Any order of beginnings, middles and ends, with control frames and other beginnings between them."""
    pieces = []
    for _ in range(rhythm.randint(1, 90)):
        opcode = rhythm.choice([TEXT, BINARY, CONTINUATION, CONTINUATION, CONTINUATION, CONTINUATION, PING, PONG])
        cut = rhythm.randbytes(rhythm.randint(0, 3)) if rhythm.random() < 0.3 else RESUME[: rhythm.randint(0, 17)]
        pieces.append(frame(rhythm, opcode, cut, first=rhythm.choice([0, 0, 0, FINAL])))
    return pieces


def oversized_control(rhythm: Random) -> list[bytes]:
    return [frame(rhythm, rhythm.choice([PING, PONG, CLOSE]), b"x" * rhythm.choice([126, 127, 4096, 65536]))]


def bad_text(rhythm: Random) -> list[bytes]:
    """Invalid UTF-8, whole, or cut in two inside a character."""
    text = rhythm.choice(BAD_UTF8)
    if rhythm.random() < 0.5:
        return [frame(rhythm, TEXT, text)]
    whole = "日本".encode() + text
    at = rhythm.randint(0, len(whole))
    return [frame(rhythm, TEXT, whole[:at], first=0), frame(rhythm, PING), frame(rhythm, CONTINUATION, whole[at:])]


def bad_close(rhythm: Random) -> list[bytes]:
    """Codes that must not be sent, half a code, a reason that is no text; and more behind the end."""
    code = struct.pack("!H", rhythm.choice(CLOSE_CODES))
    payload = rhythm.choice([b"", b"\x03", code, code + b"bye", code + rhythm.choice(BAD_UTF8)])
    return [frame(rhythm, CLOSE, payload), *[frame(rhythm, TEXT, RESUME)] * rhythm.randint(0, 3)]


def wrong_length(rhythm: Random) -> list[bytes]:
    """Lengths that are not the shortest form, that lie, or that no memory holds."""
    form = rhythm.choice([126, 127])
    claimed = rhythm.choice([0, 1, 125, 126, 4096, 4097, 65535, 2**31, 2**63 - 1, 2**63, 2**64 - 1])
    length = struct.pack("!H", min(claimed, 65535)) if form == 126 else struct.pack("!Q", claimed)
    return [bytes([FINAL | TEXT, 0x80 | form]) + length + rhythm.randbytes(4) + RESUME]


def too_big(rhythm: Random) -> list[bytes]:
    return [frame(rhythm, TEXT, b"x" * rhythm.choice([4097, 5000, 70_000]))]


def flood(rhythm: Random) -> list[bytes]:
    return [frame(rhythm, rhythm.choice([PING, PONG, TEXT]), b"x" * rhythm.randint(0, 125)) * 200]


def garbage(rhythm: Random) -> list[bytes]:
    return [rhythm.randbytes(rhythm.randint(1, 3000))]


def http_again(rhythm: Random) -> list[bytes]:
    return [b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"]


AFTER_HANDSHAKE = [bad_opcode, reserved_bits, unmasked, odd_fragments, oversized_control, bad_text, bad_close]
AFTER_HANDSHAKE += [wrong_length, too_big, flood, garbage, http_again]


def nonsense(rhythm: Random) -> list[bytes]:
    """A handshake, then one to four of these; sometimes all at once, sometimes byte by byte."""
    pieces = [handshake(rhythm)]
    for maker in rhythm.choices(AFTER_HANDSHAKE, k=rhythm.randint(1, 4)):
        pieces += maker(rhythm)
    match rhythm.randint(0, 9):
        case 0 | 1 | 2:
            return [b"".join(pieces)]
        case 3:
            whole = b"".join(pieces)[:250]
            return [whole[place : place + 1] for place in range(len(whole))]
        case 4:
            whole = b"".join(pieces)
            return [whole[: rhythm.randint(1, len(whole))]]
        case _:
            return pieces
