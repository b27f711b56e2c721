"""The judge of what an answer gives away sees what it should, and nothing in what is honest."""

import pytest

from tests.system.fuzz.leaks import PATTERNS, leaks

TELLING = {
    "traceback": 'File "x", line 3',
    "path": "no such file: /srv/site/secret_key",
    "SQL": "SELECT id FROM users WHERE id = 7",
    "table": "relation score_history does not exist",
    "constraint": "duplicate key value violates unique constraint",
    "module": "psycopg.errors.UniqueViolation",
    "exception": "an IntegrityError",
    "product": "Python/3.11",
    "object": "<scoreboard.models.User object at 0x7f0000000000>",
    "hash": "scrypt$16384$salt",
    "memory of Redis": "lb:{global}:rank",
}
HONEST = (
    '{"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"See `errors`.",'
    '"request_id":"6f347287c1fd49fa8567fcb7e3dfd36b","errors":{"action_id":["Must be a valid UUID."]}}'
)


def test_every_pattern_has_an_example() -> None:
    assert set(TELLING) == set(PATTERNS)


@pytest.mark.parametrize("kind", TELLING)
def test_what_tells_something_is_seen_in_body_and_headers(kind: str) -> None:
    assert any(found.startswith(f"{kind}:") for found in leaks(TELLING[kind], []))
    assert any(found.startswith(f"{kind}:") for found in leaks("", [("X-Anything", TELLING[kind])]))


def test_what_names_the_server_is_seen() -> None:
    assert leaks("", [("Server", "granian")]) == ["header Server: granian"]
    assert leaks("", [("Via", "1.1 inside")]) == ["header Via: 1.1 inside"]
    assert leaks("it is hunter2", [], secrets=["hunter2"]) == ["a secret"]


def test_an_honest_answer_tells_nothing_and_what_was_sent_is_no_news() -> None:
    assert leaks(HONEST, [("Server", "scoreboard"), ("Content-Type", "application/problem+json")]) == []
    assert leaks("Unknown field: views.py", [], echoed='{"views.py": 1}') == []
