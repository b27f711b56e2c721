"""Query parameters, paths and headers of the reading calls: clear 4xx, never a 500, whatever they hold."""

import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from django.contrib.admin import site
from django.urls import URLResolver, get_resolver

from accounts.exports import ExportView
from accounts.key_views import BackEndView
from accounts.models import ApiKey, User
from api.query import declared
from api.views import ApiView
from leaderboard.boards import Board
from tests.support.admin_site import signed_in, superuser
from tests.support.client import TOP, Api, assert_problem, assert_refused
from tests.support.people import give, site_key
from tests.support.processes import ROOT

pytestmark = pytest.mark.usefixtures("board", "unlimited", "quiet_log")

# As they stand in the URL.
NUMBERS = {
    "empty": "",
    "blank": "%20",
    "text": "ten",
    "negative": "-1",
    "-0": "-0",
    "fraction": "1.5",
    "whole fraction": "10.0",
    "exponent": "1e1",
    "hexadecimal": "0x10",
    "underscore": "1_0",
    "plus sign": "%2B5",
    "blank before": "%205",
    "blank behind": "5%20",
    "newline behind": "5%0A",
    "NUL": "5%00",
    "Arabic digits": quote("\u0661\u0660"),
    "full-width digits": quote("\uff15"),
    "2^31": str(2**31),
    "2^63": str(2**63),
    "10^400": "1" + "0" * 400,
    "5,000 digits": "9" * 5000,
    "NaN": "NaN",
    "Infinity": "Infinity",
    "true": "true",
    "null": "null",
    "list": "[10]",
    "object": "{}",
    "deep": "[" * 1000,
    "invalid UTF-8": "%ff%fe",
    "surrogate in UTF-8": "%ed%a0%80",
    "half an escape": "%",
    "SQL": quote("1; DROP TABLE users"),
    "several": "5,6",
}
NAMES = {
    "empty": "",
    "blank": "%20",
    "unknown": "galactic",
    "capitals": "GLOBAL",
    "blank behind": "global%20",
    "newline behind": "global%0A",
    "NUL": "global%00",
    "glob": "*",
    "key of Redis": quote("{global}:rank"),
    "long": "x" * 5000,
    "invalid UTF-8": "%ff",
    "surrogate in UTF-8": "%ed%a0%80",
    "path": quote("../../etc/passwd", safe=""),
    "class": "__class__",
    "SQL": quote("' OR 1=1--"),
    "full width": quote("\uff47lobal"),
}

CALLS: dict[str, tuple[str, bool, dict[str, dict[str, str]]]] = {
    "top": (TOP, False, {"limit": NUMBERS, "offset": NUMBERS, "board": NAMES}),
    "me": ("/api/v1/score/me", True, {"board": NAMES}),
    "player": ("/api/v1/score/{0}", False, {"board": NAMES}),
    "around": ("/api/v1/score/{0}/around", False, {"radius": NUMBERS, "board": NAMES}),
    "history": ("/api/v1/score/{0}/history", True, {"page_size": NUMBERS, "cursor": NUMBERS | NAMES}),
}
PARAMETERS = [(call, parameter) for call, (_, _, values) in CALLS.items() for parameter in values]


@pytest.fixture
def scorer(board: Board, alice: User) -> User:
    give(alice, 5)
    return alice


def get(api: Api, call: str, scorer: User, query: str) -> Any:
    path, signed_in, _ = CALLS[call]
    return api.get(f"{path.format(scorer.pk)}?{query}", scorer if signed_in else None)


@pytest.mark.parametrize(("call", "parameter"), PARAMETERS)
def test_a_parameter_of_the_wrong_kind_is_refused(api: Api, scorer: User, call: str, parameter: str) -> None:
    wrong: dict[str, str] = {}
    for fault, value in CALLS[call][2][parameter].items():
        try:
            document = assert_refused(get(api, call, scorer, f"{parameter}={value}"))
            if parameter == "board" and document["status"] == 404:
                assert document["detail"] == "There is no such board."
            else:
                assert list(document["errors"]) == [parameter]
        except AssertionError as error:
            wrong[fault] = str(error)
    assert wrong == {}


@pytest.mark.parametrize(("call", "parameter"), PARAMETERS)
def test_a_parameter_given_twice_is_refused(api: Api, scorer: User, call: str, parameter: str) -> None:
    document = assert_problem(get(api, call, scorer, f"{parameter}=5&{parameter}=5"), "invalid-request")
    assert list(document["errors"]) == [parameter]


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("offset=1000001", "offset"), ("limit=0&offset=-1", "limit")],
)
def test_the_ends_of_the_ranges(api: Api, scorer: User, query: str, field: str) -> None:
    assert field in assert_problem(get(api, "top", scorer, query), "invalid-request")["errors"]
    assert get(api, "top", scorer, "limit=100&offset=1000000").status_code == 200
    assert get(api, "around", scorer, "radius=50").status_code == 200
    assert get(api, "around", scorer, "radius=51").status_code == 400


UNKNOWN = ["window=daily", "=", "&&=&", "?", "%", "=5", ";", "%00=%00", "Limit=5", "__proto__=1", "x" * 4000]


@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_parameter_is_refused_by_name(api: Api, scorer: User, call: str) -> None:
    assert get(api, call, scorer, "&").status_code == 200
    for query in UNKNOWN:
        [(name, said)] = assert_problem(get(api, call, scorer, query), "invalid-request")["errors"].items()
        assert (len(name) <= 64, said) == (True, ["Unknown parameter."]), query
    many = "&".join(f"x{number}=1" for number in range(200))
    assert len(assert_problem(get(api, call, scorer, many), "invalid-request")["errors"]) == 10


def views(patterns: list[Any], prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """(path, view class) of every call of the API, with an id, or csv, where the path has one."""
    for pattern in patterns:
        found = re.sub("<[^>]+:extension>", "csv", str(pattern.pattern))
        path = prefix + re.sub("<[^>]+>", str(uuid.UUID(int=1)), found)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, path)
        elif issubclass(getattr(pattern.callback, "cls", object), ApiView):
            yield path, pattern.callback.cls


def test_every_call_refuses_unknown_parameters_and_is_described_with_the_known_ones(api: Api) -> None:
    root, key = superuser(), site_key(*ApiKey.Scope)
    documented = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())["paths"]
    calls = list(views(get_resolver().url_patterns))
    assert len(calls) >= 20
    for path, view in calls:
        for method in {"get", "post", "put", "patch", "delete"} & vars(view).keys():
            caller: dict[str, Any] = {"headers": key} if issubclass(view, BackEndView | ExportView) else {"user": root}
            answer = api.send(method.upper(), f"{path}?window=daily", b"{}", **caller)
            assert assert_problem(answer, "invalid-request")["errors"] == {"window": ["Unknown parameter."]}, path
            described: Any = next(
                (calls[method] for name, calls in documented.items() if same(name, path) and method in calls), {}
            )
            listed = {one["name"] for one in described.get("parameters", []) if one["in"] == "query"}
            assert listed == set(declared(view.query)), path


def same(template: str, path: str) -> bool:
    return re.sub("{[^}]+}", str(uuid.UUID(int=1)), template.replace("{extension}", "csv")) == path


@pytest.mark.parametrize("call", CALLS)
def test_more_parameters_than_django_counts_are_a_400(api: Api, scorer: User, call: str) -> None:
    query = "&".join(f"x{number}=1" for number in range(3000))
    assert_problem(get(api, call, scorer, query), "invalid-request")


NO_PLAYERS = [
    *("0", "-1", "nobody", "me2", "%00", "%20", "%ff", "%ed%a0%80", "..", "....//", "%2e%2e%2f", "*", "x" * 3000),
    str(uuid.UUID(int=0)).replace("-", ""),
    f"{{{uuid.UUID(int=0)}}}",
    f"urn:uuid:{uuid.UUID(int=0)}",
    f"{uuid.UUID(int=0)}%0A",
    quote(str(uuid.UUID(int=0)).replace("0", "\u0660")),
    str(uuid.UUID(int=0)),
    str(uuid.UUID(int=2**128 - 1)),
]


@pytest.mark.parametrize(
    ("player", "rest"),
    [
        pytest.param(player, rest, marks=[pytest.mark.long] if rest and player != "%00" else [])
        for player in NO_PLAYERS
        for rest in ("", "/around", "/history")
    ],
)
def test_a_path_that_names_no_player_is_not_found(api: Api, scorer: User, player: str, rest: str) -> None:
    answer = api.get(f"/api/v1/score/{player}{rest}", scorer)
    assert answer.status_code in ((403, 404) if rest == "/history" else (404,))
    assert_refused(answer)


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1", "/api/v2/scoreboard/top", f"{TOP}/", "/api/v1//score/me"])
def test_a_path_that_is_none_is_a_problem_document(api: Api, path: str) -> None:
    assert_problem(api.get(path), "not-found")


@pytest.mark.parametrize(
    ("call", "method"),
    [
        pytest.param(call, method, marks=[pytest.mark.long] if call != "top" and method != "POST" else [])
        for call in CALLS
        for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
    ],
)
def test_what_only_reads_takes_no_other_method(api: Api, scorer: User, call: str, method: str) -> None:
    answer = api.send(method, CALLS[call][0].format(scorer.pk), b'{"score":1000000}', scorer)
    assert_problem(answer, "method-not-allowed")
    assert "GET" in answer["Allow"]


@pytest.mark.parametrize("call", CALLS)
def test_the_body_of_a_get_is_not_looked_at(api: Api, scorer: User, call: str) -> None:
    for raw in (b"{", b"\xff" * 100, b"x" * 70_000):
        answer = api.send("GET", CALLS[call][0].format(scorer.pk), raw, scorer)
        assert answer.status_code == 200


@pytest.mark.parametrize("call", CALLS)
def test_a_head_is_a_get_without_its_body(api: Api, scorer: User, call: str) -> None:
    path = CALLS[call][0].format(scorer.pk)
    answer = api.send("HEAD", path, b"", scorer)
    assert (answer.status_code, answer.content) == (200, b"")


HEADERS = ["Accept", "Accept-Language", "Accept-Encoding", "Cookie", "If-None-Match", "If-Modified-Since", "Origin"]
HEADERS += ["Referer", "Range", "X-Forwarded-For", "X-Forwarded-Host", "X-HTTP-Method-Override", "Prefer", "Expect"]


@pytest.mark.parametrize("header", HEADERS)
def test_no_header_breaks_a_reading_call(api: Api, scorer: User, header: str) -> None:
    for value in ("", "\x00", "\xff", "x" * 9000, "text/html", "DELETE", "../..", ",,,", "sessionid=x", "bytes=0-"):
        assert api.get(TOP, headers={header: value}).status_code in (200, 304, 400)


@pytest.mark.parametrize(
    "path",
    [
        "integrity/flag/?state=%00",
        "events/delivery/?type__exact=a%00b",
        "scoreboard/scorehistory/export.csv?source=%00",
        "actions/actiontype/%00/change/",
    ],
)
def test_nul_in_a_filter_or_an_id_of_admin_is_a_400(path: str) -> None:
    client = signed_in(superuser())
    client.raise_request_exception = False
    assert client.get(f"/admin/{path}").status_code == 400


@pytest.mark.parametrize("selected", ["x", "\x00", "", "9" * 30, "\u0663"])
def test_what_is_selected_in_a_list_of_admin_and_is_no_key_is_no_defect(selected: str) -> None:
    client = signed_in(superuser())
    client.raise_request_exception = False
    for model, page in site._registry.items():
        for action in page.actions or ():
            body = {"action": action, "_selected_action": selected, "index": "0"}
            answer = client.post(f"/admin/{model._meta.app_label}/{model._meta.model_name}/", body)
            assert answer.status_code in (302, 400), (model, action)


@pytest.mark.parametrize("host", ["", "evil.example", "a b", "x" * 3000, "[::1", "testserver@evil"])
def test_a_host_that_is_not_ours_is_a_400(api: Api, host: str) -> None:
    answer = api.get(TOP, headers={"Host": host})
    assert_problem(answer, "invalid-request")
