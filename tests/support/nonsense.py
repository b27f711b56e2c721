"""Values that no field of any call takes, as JSON is written on the wire, and calls to put them into."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Permission

from accounts import sign_in
from accounts.models import User
from actions import tokens
from tests.support.client import MINT, UPDATE
from tests.support.people import PASSWORD, update_body

DEEP = 1000

# Name → raw JSON. Whatever the field, unless FITS says otherwise.
LITERALS: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "false": b"false",
    "zero": b"0",
    "seven": b"7",
    "negative": b"-1",
    "minus zero": b"-0",
    "fraction": b"1.5",
    "whole fraction": b"1.0",
    "exponent": b"1e3",
    "2^53": b"9007199254740992",
    "2^63": b"9223372036854775808",
    "-2^63 - 1": b"-9223372036854775809",
    "10^400": b"1" + b"0" * 400,
    "5,000 digits": b"9" * 5000,
    "1e400": b"1e400",
    "1e-400": b"1e-400",
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "nan": b"nan",
    "empty": b'""',
    "blank": b'" "',
    "number as text": b'"7"',
    "text": b'"x"',
    "NaN as text": b'"NaN"',
    "40,000 characters": b'"' + b"x" * 40_000 + b'"',
    "NUL escaped": b'"x\\u0000"',
    "NUL raw": b'"x\0"',
    "control character raw": b'"x\x01"',
    "newline raw": b'"x\n"',
    "newline behind": b'"x\\n"',
    "bidi override": b'"\\u202ex"',
    "lone high surrogate": b'"x\\ud800"',
    "lone low surrogate": b'"x\\udc00"',
    "surrogates reversed": b'"\\udc00\\ud800"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "invalid UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "truncated UTF-8": b'"\xe2\x82"',
    "Latin-1": b'"\xe9"',
    "bad escape": b'"\\x41"',
    "unclosed": b'"x',
    "single quotes": b"'x'",
    "bare word": b"x",
    "nothing": b"",
    "empty list": b"[]",
    "list of one": b'["x"]',
    "empty object": b"{}",
    "object": b'{"x":1}',
    "object with the fields of a class": b'{"__class__":"User","pk":1}',
    "1,000 lists deep": b"[" * DEEP + b"]" * DEEP,
    "1,000 objects deep": b'{"x":' * DEEP + b"1" + b"}" * DEEP,
    "1,000 deep, unclosed": b"[" * DEEP,
    "brackets in a text": b'"' + b"[" * 50 + b'"',
    "SQL": b"\"x' OR '1'='1\"",
    "template": b'"{{7*7}}${7*7}%s%n"',
    "path": b'"../../../../etc/passwd"',
    "markup": b'"<script>alert(1)</script>"',
}


@dataclass(frozen=True)
class Call:
    """A call with a body that would succeed, its fields to be spoiled one by one."""

    path: str
    body: Callable[[User], dict[str, Any]]
    signed_in: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    fits: dict[str, frozenset[str]] = field(default_factory=dict)
    """Field → literals that are no fault there; what they lead to may be success or a refusal of another kind."""


TEXTS = frozenset(
    {"blank", "number as text", "text", "NaN as text", "newline behind", "bidi override", "brackets in a text"}
    | {"SQL", "template", "path", "markup"}
)


def moderator(user: User) -> dict[str, Any]:
    user.user_permissions.add(Permission.objects.get(codename="give_bonus"))
    receiver = User.objects.create(username="receiver", email="receiver@example.org")
    return {"user_id": str(receiver.pk), "points": 5, "reason": "Well played."}


CALLS = {
    "register": Call(
        "/api/v1/auth/register",
        lambda user: {"username": "newcomer", "email": "newcomer@example.org", "password": PASSWORD},
        fits={"username": TEXTS, "password": frozenset({"SQL", "template", "path", "markup", "brackets in a text"})},
    ),
    "token": Call(
        "/api/v1/auth/token",
        lambda user: {"username": user.username, "password": PASSWORD},
        fits={"username": TEXTS, "password": TEXTS},
    ),
    "refresh": Call("/api/v1/auth/token/refresh", lambda user: {"refresh": sign_in.start(user)["refresh"]}),
    "verify": Call("/api/v1/auth/token/verify", lambda user: {"token": sign_in.start(user)["refresh"]}),
    "logout": Call("/api/v1/auth/logout", lambda user: {"refresh": sign_in.start(user)["refresh"]}),
    "mint": Call(MINT, lambda user: {"action_type": "COMPLETE_TASK"}, signed_in=True),
    "update": Call(UPDATE, lambda user: update_body(tokens.mint(user.pk, "WIN_MATCH")), signed_in=True),
    "batch": Call(
        "/api/v1/score/batch",
        lambda user: {"actions": [update_body(tokens.mint(user.pk, "WIN_MATCH"))]},
        signed_in=True,
        fits={"actions": frozenset({"list of one"})},
    ),
    "bonus": Call(
        "/api/v1/score/bonus",
        moderator,
        signed_in=True,
        headers={"Idempotency-Key": "key-1"},
        fits={"reason": TEXTS - {"blank"}, "points": frozenset({"seven"})},
    ),
}

FIELDS = [
    ("register", "username"),
    ("register", "email"),
    ("register", "password"),
    ("token", "username"),
    ("token", "password"),
    ("refresh", "refresh"),
    ("verify", "token"),
    ("logout", "refresh"),
    ("mint", "action_type"),
    ("update", "action_id"),
    ("update", "action_type"),
    ("update", "action_token"),
    ("update", "timestamp"),
    ("batch", "actions"),
    ("bonus", "user_id"),
    ("bonus", "points"),
    ("bonus", "reason"),
]


def encoded(body: dict[str, Any], name: str, literal: bytes) -> bytes:
    """The body with this raw literal in the place of one field's value."""
    members = [
        json.dumps(key).encode() + b":" + json.dumps(value).encode() for key, value in body.items() if key != name
    ]
    return b"{" + b",".join([*members, json.dumps(name).encode() + b":" + literal]) + b"}"


def whole(body: dict[str, Any]) -> dict[str, bytes]:
    """The body as a whole in ways that are none."""
    good = json.dumps(body).encode()
    name, value = next(iter(body.items()))
    first = json.dumps(name).encode() + b":" + json.dumps(value).encode()
    return {
        "empty": b"",
        "blank": b" \r\n\t",
        "null": b"null",
        "a list": b"[" + good + b"]",
        "an empty list": b"[]",
        "a text": b'"x"',
        "a number": b"7",
        "NaN": b"NaN",
        "an empty object": b"{}",
        "two objects": good + good,
        "something behind": good + b"x",
        "NUL behind": good + b"\0",
        "trailing comma": good[:-1] + b",}",
        "comment": b"/* */" + good,
        "unclosed": good[:-1],
        "half": good[: len(good) // 2],
        "byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": json.dumps(body).encode("utf-16"),
        "UTF-32": json.dumps(body).encode("utf-32"),
        "not UTF-8": b"\xff\xfe\xfd",
        "random bytes": bytes(range(256)),
        "a form": b"username=x&password=y",
        "XML": b"<?xml version='1.0'?><x/>",
        "duplicate key, same value": good[:-1] + b"," + first + b"}",
        "duplicate key, other value": good[:-1] + b"," + json.dumps(name).encode() + b':"x"}',
        "duplicate key, written otherwise": good[:-1] + b',"\\u%04x%s":"x"}' % (ord(name[0]), name[1:].encode()),
        "unknown field": good[:-1] + b',"points":1000000}' if "points" not in body else good[:-1] + b',"x":1}',
        "unknown empty field": good[:-1] + b',"":1}',
        "unknown field of a class": good[:-1] + b',"__proto__":{}}',
        "key with NUL": good[:-1] + b',"x\\u0000":1}',
        "key with a lone surrogate": good[:-1] + b',"\\ud800":1}',
        "10,000 keys": b"{" + b",".join(b'"k%d":1' % n for n in range(5_000)) + b"}",
        "deep": b'{"x":' * DEEP + good + b"}" * DEEP,
        "too large": good[:-1] + b" " * 300_000 + b"}",
    }
