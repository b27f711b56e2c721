"""Where a body ends, however its bytes arrive."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.front.framing import Body, Chunked, Empty, FramingError, Sized, UntilClose

NEXT = b"GET /next HTTP/1.1\r\n"


def fed(body: Body, pieces: list[bytes]) -> int:
    """How many bytes the body took, piece by piece, the rest of a piece not being fed again."""
    taken = 0
    for piece in pieces:
        step = body.feed(piece)
        taken += step
        if step < len(piece):
            break
    return taken


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(edge, len(data)) for edge in at), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


def chunked(chunks: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk) + b"0\r\n\r\n"


@given(st.binary(max_size=50), st.lists(st.integers(0, 60)))
def test_a_sized_body_ends_after_its_length(content: bytes, at: list[int]) -> None:
    body = Sized(len(content))
    assert fed(body, cut(content + NEXT, at)) == len(content)
    assert body.done


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 300)))
def test_a_chunked_body_ends_after_its_last_chunk(chunks: list[bytes], at: list[int]) -> None:
    whole = chunked(chunks)
    body = Chunked()
    assert fed(body, cut(whole + NEXT, at)) == len(whole)
    assert body.done


@given(st.lists(st.binary(max_size=40)), st.integers(0, 300))
def test_a_chunked_body_is_not_done_before_its_last_byte(chunks: list[bytes], length: int) -> None:
    whole = chunked(chunks)
    part = whole[: min(length, len(whole) - 1)]
    body = Chunked()
    assert body.feed(part) == len(part)
    assert not body.done


def test_a_size_may_carry_an_extension() -> None:
    body = Chunked()
    body.feed(b'3;name="value"\r\nabc\r\n0\r\n\r\n')
    assert body.done


@pytest.mark.parametrize(
    "wire",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"+3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b"3\nabc\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"123456789\r\n",
        b"3;" + b"a" * 300,
        b"0\r\nTrailer: here\r\n\r\n",
    ],
)
def test_a_chunk_that_could_be_read_in_two_ways_is_refused(wire: bytes) -> None:
    with pytest.raises(FramingError):
        Chunked().feed(wire)


def test_an_empty_body_takes_nothing_and_an_endless_one_everything() -> None:
    assert (Empty().feed(NEXT), Empty.done) == (0, True)
    assert (UntilClose().feed(NEXT), UntilClose.done) == (len(NEXT), False)
