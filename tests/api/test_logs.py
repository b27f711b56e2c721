"""What a request leaves in the log: one JSON object a line, a defect's traceback, and no secret of the caller's."""

import json
from typing import Any

import pytest

from tests.support.processes import python

pytestmark = pytest.mark.django_db

ASK = """
import json, sys
from django.test import Client
from accounts import sign_in

def broken(*args, **kwargs):
    raise ZeroDivisionError("a defect")

sign_in.sign_in = broken
client = Client(raise_request_exception=False)
headers = {"Host": "localhost", "X-Request-ID": "support-4711"}
for method, path, body in json.loads(sys.argv[1]):
    answer = client.generic(method, path, body, "application/json", headers=headers)
    print(answer.status_code, answer.content.decode().strip())
"""
PATHS = ('/api/v1/a%0A{"level":"error"}', "/api/v1/%1b[31m", "/api/v1/%00%ff%ed%a0%80", "/api/v1/\u2028\u202e")


def asked(*requests: tuple[str, str, str]) -> tuple[list[str], list[dict[str, Any]]]:
    """(what the client got, the lines of the log) of a server process that gets these requests."""
    done = python(ASK, json.dumps(requests), LOG_FORMAT="json")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), [json.loads(line) for line in done.stderr.splitlines()]


def test_a_defect_is_a_500_without_a_word_and_a_traceback_without_a_secret() -> None:
    password = "correct horse battery staple"
    body = json.dumps({"username": "alice", "password": password})
    [said], log = asked(("POST", "/api/v1/auth/token", body))
    assert said.startswith("500 ")
    assert json.loads(said.partition(" ")[2])["type"] == "/problems/internal-error"
    assert "ZeroDivisionError" not in said
    assert "a defect" not in said

    [error] = [line for line in log if line["level"] == "error"]
    assert error["request_id"] == "support-4711"
    assert "ZeroDivisionError" in json.dumps(error["exception"])
    assert password not in json.dumps(log)
    assert [line["status"] for line in log if line["event"] == "request"] == [500]


def test_a_line_is_one_json_object_whatever_the_path_holds() -> None:
    said, log = asked(*(("GET", path, "") for path in PATHS))
    assert [answer.partition(" ")[0] for answer in said] == ["404"] * len(PATHS)
    lines = [(line["event"], line["status"], line["level"]) for line in log]
    assert lines == [("request", 404, "info")] * len(PATHS)


def test_a_path_says_nothing_to_the_terminal_that_shows_the_log() -> None:
    done = python(ASK, json.dumps([("GET", path, "") for path in PATHS]), LOG_FORMAT="console")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "path=" in line]
    assert len(lines) == len(PATHS)
    assert [line for line in lines if not line.isprintable()] == []
