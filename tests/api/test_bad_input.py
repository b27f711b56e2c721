"""No request, however malformed, gets a 500, a stack trace or a point: each is told what is wrong with it."""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from tests.support.client import Api, assert_problem, assert_refused
from tests.support.nonsense import CALLS, FIELDS, LITERALS, encoded, whole
from tests.support.people import PASSWORD, bearer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_of_its_own", "unlimited", "quiet_log")]

WRITTEN = """
SELECT (SELECT count(*) FROM users), (SELECT max(date_joined) FROM users),
       (SELECT count(*) FROM user_scores WHERE total > 0), (SELECT count(*) FROM score_history),
       (SELECT count(*) FROM action_tokens), (SELECT count(*) FROM action_tokens WHERE redeemed_at IS NOT NULL),
       (SELECT array_agg(s ORDER BY s) FROM sign_ins s)
"""


def written() -> tuple[Any, ...]:
    """What any successful call would change."""
    with connection.cursor() as cursor:
        cursor.execute(WRITTEN)
        return tuple(cursor.fetchone())


@pytest.fixture
def caller() -> User:
    return User.objects.create_user("caller", "caller@example.org", PASSWORD)


class Spoiler:
    """Sends one call again and again, each time spoiled otherwise, and collects what should not have happened."""

    def __init__(self, name: str, caller: User) -> None:
        self.call, self.caller, self.api = CALLS[name], caller, Api()
        self.body = self.call.body(caller)
        self.good = json.dumps(self.body).encode()
        self.credentials = bearer(caller) if self.call.signed_in else {}
        self.before = written()
        self.wrong: dict[str, str] = {}

    def send(self, raw: bytes, method: str = "POST", **options: Any) -> Any:
        headers = {**self.credentials, **self.call.headers, **options.pop("headers", {})}
        return self.api.send(method, self.call.path, raw, headers=headers, **options)

    @contextmanager
    def spoiling(self, how: str, *, writes: bool = False) -> Iterator[None]:
        """One attempt, undone afterwards; unless `writes`, it must have nothing to undo."""
        with transaction.atomic():
            try:
                yield
                if not writes:
                    assert written() == self.before
            except AssertionError as error:
                self.wrong[how] = str(error)
            transaction.set_rollback(True)


@pytest.fixture
def spoiler(request: pytest.FixtureRequest, caller: User) -> Iterator[Spoiler]:
    """For the call that the test is parametrised with; fails the test with everything that went wrong."""
    spoiler = Spoiler(request.getfixturevalue("name"), caller)
    yield spoiler
    assert spoiler.wrong == {}


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_value_of_the_wrong_kind_is_refused(spoiler: Spoiler, name: str, field: str) -> None:
    for literal, value in LITERALS.items():
        fits = literal in spoiler.call.fits.get(field, ())
        with spoiler.spoiling(literal, writes=fits):
            answer = spoiler.send(encoded(spoiler.body, field, value))
            if fits:
                assert answer.status_code < 500
            else:
                assert_refused(answer)


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_missing_field_is_named(spoiler: Spoiler, name: str, field: str) -> None:
    del spoiler.body[field]
    with spoiler.spoiling("missing"):
        document = assert_problem(spoiler.send(json.dumps(spoiler.body).encode()), "invalid-request")
        assert list(document["errors"]) == [field]


@pytest.mark.parametrize("name", CALLS)
def test_a_body_that_is_none_is_refused(spoiler: Spoiler, name: str) -> None:
    for shape, raw in whole(spoiler.body).items():
        with spoiler.spoiling(shape):
            kind = "payload-too-large" if shape == "too large" else "invalid-request"
            assert_problem(spoiler.send(raw), kind)


@pytest.mark.parametrize("name", CALLS)
def test_the_control_the_unspoiled_body_succeeds(spoiler: Spoiler, name: str) -> None:
    assert spoiler.send(spoiler.good).status_code in (200, 201)


MEDIA_TYPES = [
    "text/plain",
    "text/html",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/jsonp",
    "application/json5",
    "application/json+x",
    "application/problem+json",
    "json",
    "application/",
    "/json",
    "*/*",
    "application/json, text/plain",
    "x" * 3000,
    "application/\xa0json",
    ";",
]


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param('"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",' + "[" * 30 + "]" * 30, id="brackets in a text before it"),
        pytest.param('["]",' * 30 + "0" + "]" * 30, id="brackets in texts between"),
        pytest.param('"\\"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",' + "[" * 30 + "]" * 30, id="behind an escaped quote"),
    ],
)
def test_no_text_hides_how_deep_a_body_is(api: Api, caller: User, hidden: str) -> None:
    refused = assert_problem(api.post(CALLS["mint"].path, f"[{hidden}]".encode(), caller), "invalid-request")
    assert "nested deeper than" in refused["detail"]


def test_brackets_in_a_text_nest_nothing(api: Api, caller: User) -> None:
    refused = api.post(CALLS["mint"].path, {"action_type": "[" * 30}, caller)
    assert_problem(refused, "not-found")


@pytest.mark.parametrize("name", CALLS)
def test_another_media_type_is_refused(spoiler: Spoiler, name: str) -> None:
    for media_type in MEDIA_TYPES:
        with spoiler.spoiling(media_type):
            assert_problem(spoiler.send(spoiler.good, content_type=media_type), "unsupported-media-type")


@pytest.mark.parametrize("name", ["mint"])
def test_json_is_json_however_it_is_written(spoiler: Spoiler, name: str) -> None:
    for media_type in ("application/json; charset=utf-8", "Application/JSON", "application/json ; x=y"):
        with spoiler.spoiling(media_type, writes=True):
            assert spoiler.send(spoiler.good, content_type=media_type).status_code == 201


@pytest.mark.parametrize("name", CALLS)
def test_a_coded_body_is_not_unpacked(spoiler: Spoiler, name: str) -> None:
    for coding in ("gzip", "deflate", "br", "compress", "gzip, gzip", "identity, gzip", "x" * 500):
        for raw in (gzip.compress(spoiler.good), zlib.compress(spoiler.good), spoiler.good):
            with spoiler.spoiling(coding):
                answer = spoiler.send(raw, headers={"Content-Encoding": coding})
                assert_problem(answer, "unsupported-media-type")
                assert answer["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("name", CALLS)
def test_another_method_is_refused(spoiler: Spoiler, name: str) -> None:
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get", "X"):
        with spoiler.spoiling(method):
            answer = spoiler.send(spoiler.good, method)
            assert answer.status_code == 405
            assert "POST" in answer["Allow"]
            if method != "HEAD":
                assert_problem(answer, "method-not-allowed")


@pytest.mark.parametrize("name", ["mint", "register"])
def test_a_content_length_that_is_none_is_no_500(spoiler: Spoiler, name: str) -> None:
    for length in ("", "x", "-1", "1e1", "0", "3", "\u0661", "+5", " 5", "5,5"):
        with spoiler.spoiling(length, writes=True):
            assert spoiler.send(spoiler.good, headers={"Content-Length": length}).status_code < 500
