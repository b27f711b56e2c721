"""What looks like a secret does not get into a line of the log; what does not, stays."""

import pytest

from api.redaction import redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl_-"
KEY = "sb_0123456789ab_" + "x" * 43

HIDDEN = {
    f"Bearer {JWT}": "Bearer […]",
    f"token={JWT}&x": "token=[…]&x",
    f"X-API-Key: {KEY}": "X-API-Key: […]",
    "scrypt$16384$salt$8$5$aGFzaA== for alice": "[…] for alice",
    "cannot reach postgres://site:hunter2@db:5432/x": "cannot reach postgres://[…]@db:5432/x",
    "redis://:hunter2@cache:6379/0": "redis://[…]@cache:6379/0",
    "otpauth://totp/x?secret=ABC done": "[…] done",
    "DETAIL:  Failing row contains (7, alice@example.org, s3cret).\n": "DETAIL:  Failing row contains […]",
    "DETAIL:  Key (lower(email::text))=(alice@example.org) already exists.": "DETAIL:  Key (lower(email::text))=[…]",
    "row contains\nFailing row contains (a\nb).\n\nThe above": "row contains\nFailing row contains […]\n\nThe above",
}
KEPT = [
    *("request", "/api/v1/score/me", "http://127.0.0.1:8000/x", "ops@example.org", "support-4711", "", "eyJ", "sb_1"),
    'relation "users" does not exist',
    "3f0e1a52-0d1c-4c0e-9a53-6b3f2f1d7c11",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_a_secret_is_blanked_and_what_is_around_it_stays(text: str) -> None:
    assert redact(text) == HIDDEN[text]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_none_stays(text: str) -> None:
    assert redact(text) == text


def test_wherever_it_is() -> None:
    event = {"event": "x", "status": 500, "exception": [{"exc_value": JWT, "frames": [{"line": JWT}]}], "none": None}
    assert redact(event) == {
        "event": "x",
        "status": 500,
        "exception": [{"exc_value": "[…]", "frames": [{"line": "[…]"}]}],
        "none": None,
    }
