"""The same over a real connection to a real `web`: a proxy may append to the header, or add a line of its own."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import PATIENCE
from tests.system.deploy.nginx import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_of_its_own")]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    server = Web(tmp_path / "web.log", TRUSTED_PROXIES="1", LIMIT_IP="3/hour", REDIS_TIMEOUT="20")
    yield server
    server.close()


def statuses(web: Web, requests: list[list[str]]) -> list[int]:
    """The answers to requests that arrive with these X-Forwarded-For lines."""
    answers = []
    for lines in requests:
        connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE)
        connection.putrequest("GET", "/api/v1/action/types")
        for line in lines:
            connection.putheader("X-Forwarded-For", line)
        connection.endheaders()
        answers.append(connection.getresponse().status)
        connection.close()
    return answers


def test_what_stands_before_the_proxys_own_entry_moves_nothing(web: Web) -> None:
    made_up = [f"192.0.2.{number}" for number in range(8)]
    appended = [[f"{address}, 203.0.113.1"] for address in made_up]
    added_below = [[address, "203.0.113.2"] for address in made_up]
    several = [[address, address, f"{address}, 203.0.113.3"] for address in made_up]
    for requests in (appended, added_below, several):
        assert statuses(web, requests) == [200] * 3 + [429] * 5


@pytest.mark.long
def test_control_the_proxys_own_entry_does(web: Web) -> None:
    assert statuses(web, [["192.0.2.1", f"203.0.113.{number}"] for number in range(8)]) == [200] * 8
