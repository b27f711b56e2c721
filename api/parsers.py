"""A JSON parser that takes nothing on trust: size, depth, numbers, keys and text are all bounded."""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from api.problems import Problem

MAX_BODY_BYTES = 64 * 1024
MAX_BATCH_BODY_BYTES = 256 * 1024
MAX_AWARDS_BODY_BYTES = 2 * 1024 * 1024  # the largest that any call takes
MAX_DEPTH = 20
STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
BRACKET = re.compile(r"[\[\]{}]")


class StrictJSONParser(BaseParser):
    """application/json, RFC 8259 with the looseness of Python's decoder removed.

    Refuses with 400: NaN and Infinity, numbers that overflow a double, duplicate keys, nesting deeper than
    MAX_DEPTH, bytes that are not UTF-8, lone surrogates, NUL. Refuses with 413: more than `max_bytes`.
    """

    media_type = "application/json"
    max_bytes = MAX_BODY_BYTES
    storable = True

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        refuse_coded(parser_context)
        return loads(read_at_most(stream, self.max_bytes, parser_context), storable=self.storable)


class BatchJSONParser(StrictJSONParser):
    """The same for `POST /score/batch`, whose hundred signed tokens need more room."""

    max_bytes = MAX_BATCH_BODY_BYTES


class AwardsJSONParser(StrictJSONParser):
    """The same for `POST /awards/batch`, but text that cannot be stored is the matter of the award that has it."""

    max_bytes = MAX_AWARDS_BODY_BYTES
    storable = False


class Lines(list[Any]):
    """The values of the lines of an NDJSON body; a ParseError stands for a line that is none."""


class NDJSONParser(BaseParser):
    """application/x-ndjson: one JSON text a line, empty lines left out. A bad line refuses no other. Gives Lines."""

    media_type = "application/x-ndjson"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        refuse_coded(parser_context)
        body = read_at_most(stream, MAX_AWARDS_BODY_BYTES, parser_context)
        return Lines(line_value(line) for line in body.split(b"\n") if line.strip())


def line_value(line: bytes) -> Any:
    try:
        return loads(line)
    except ParseError as error:
        return error


def refuse_coded(context: Mapping[str, Any] | None) -> None:
    """Raises 415 for a compressed body (RFC 9110 section 8.4): a few bytes of it could become very many."""
    request = (context or {}).get("request")
    coding = request.META.get("HTTP_CONTENT_ENCODING", "") if request is not None else ""
    if coding.strip().lower() not in ("", "identity"):
        raise Problem(
            "unsupported-media-type",
            "Send the body without a content coding.",
            headers={"Accept-Encoding": "identity"},
        )


def read_at_most(stream: IO[bytes], limit: int, context: Mapping[str, Any] | None) -> bytes:
    """The body, without ever reading more than `limit` + 1 bytes; raises 413 beyond `limit`."""
    request = (context or {}).get("request")
    declared = request.META.get("CONTENT_LENGTH") if request is not None else None
    if declared and declared.isascii() and declared.isdigit() and len(declared) < 20 and int(declared) > limit:
        raise too_large(limit)
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise too_large(limit)
    return body


def too_large(limit: int) -> Problem:
    return Problem("payload-too-large", f"The body may have at most {limit} bytes.")


def loads(body: bytes, *, storable: bool = True) -> Any:
    """The value of a JSON text; raises ParseError with a sentence that names the fault.

    `storable`: whether text that PostgreSQL cannot keep is one; else the caller refuses it.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError("The body is not UTF-8.") from error
    refuse_deep(text)
    try:
        value = json.loads(text, object_pairs_hook=unique_keys, parse_constant=refuse_constant, parse_float=finite)
    except ParseError:
        raise
    except (ValueError, RecursionError) as error:
        raise ParseError("The body is not valid JSON.") from error
    if storable and "\\u" in text:
        refuse_unstorable(value)
    return value


def refuse_deep(text: str) -> None:
    """Bounds nesting before the recursive decoder sees it."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in BRACKET.findall(STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two parsers may disagree on which duplicate wins; a signed request must not be read two ways."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ParseError("The body has a duplicate key.")
    return value


def refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"{name} is not a JSON number.")


def finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ParseError("A number is too large.")
    return number


def refuse_unstorable(value: Any) -> None:
    """A lone surrogate cannot be encoded and PostgreSQL keeps no NUL: both would be refused later, as a 500."""
    match value:
        case str():
            if "\0" in value:
                raise ParseError("A string has a NUL character.")
            try:
                value.encode("utf-8")
            except UnicodeEncodeError as error:
                raise ParseError("A string has a lone surrogate.") from error
        case dict():
            for key, item in value.items():
                refuse_unstorable(key)
                refuse_unstorable(item)
        case list():
            for item in value:
                refuse_unstorable(item)
