"""Every response carries a request id: the caller's if it is a sane one, else one made here."""

import re

import pytest

from tests.support.client import Api, assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_of_its_own", "unlimited")]

MADE = re.compile(r"[0-9a-f]{32}")
PATHS = ["/healthz", "/api/v1/scoreboard/top", "/api/v1/nothing", "/api/v1/score/me", "/admin/login/"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("sane", ["12345678", "a1B2._-c3", "x" * 64, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"])
def test_a_sane_id_comes_back(api: Api, path: str, sane: str) -> None:
    assert api.get(path, headers={"X-Request-ID": sane})["X-Request-ID"] == sane


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "insane",
    [
        *("", " ", "1234567", "x" * 65, "x" * 10_000, "has blank", "new\nline", "cr\r\nSet-Cookie: a=b", "tab\tbed"),
        *("nul\0nulnul", "\u00e9" * 8, '{"json":"json"}', "<script>1</script>", "\x1b[31mred\x1b[0m"),
        *("../../../../etc", "12345678\n", "a,b,c,d,e,f", "١٢٣٤٥٦٧٨٩"),
    ],
)
def test_an_insane_id_is_replaced(api: Api, path: str, insane: str) -> None:
    header = insane.encode("utf-8").decode("latin-1")  # as a server hands it to WSGI
    assert MADE.fullmatch(api.get(path, headers={"X-Request-ID": header})["X-Request-ID"])


def test_each_request_has_its_own(api: Api) -> None:
    assert len({api.get("/healthz")["X-Request-ID"] for _ in range(20)}) == 20


def test_a_failure_names_the_id_it_is_logged_under(api: Api) -> None:
    refusal = api.get("/api/v1/nothing", headers={"X-Request-ID": "support-4711"})
    assert assert_problem(refusal, "not-found")["request_id"] == "support-4711"
