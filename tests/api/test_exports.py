"""Tables as files: whole, harmless in a spreadsheet, for those who may, a few rows in memory."""

import csv
import io
import json
import resource
import uuid
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import AuditLog, User
from api import exports
from scoreboard.models import ScoreHistory
from tests.support.admin_site import admin, signed_in
from tests.support.client import Api, assert_problem
from tests.support.people import give, player, site_key

pytestmark = pytest.mark.django_db

FILES = ("board.csv", "board.json", "history.csv", "history.json", "audit.csv", "admin-log.csv")
PATHS = [f"/api/v1/exports/{name}" for name in FILES]
HISTORY = "/admin/scoreboard/scorehistory/"


def body(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content).decode()  # then Django's client closes it


def table(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body(answer))))


@pytest.fixture
def ada(db: None) -> Client:
    return signed_in(admin())


def test_the_board_is_exported_in_the_order_of_ranks(ada: Client, alice: User, bob: User) -> None:
    give(alice, 5)
    give(bob, 7)
    give(player("hidden", is_hidden=True), 9)
    give(player("nought"))
    rows = table(ada.get("/api/v1/exports/board.csv"))
    assert [(row["rank"], row["username"], row["score"]) for row in rows] == [("1", "bob", "7"), ("2", "alice", "5")]
    document = json.loads(body(ada.get("/api/v1/exports/board.json")))
    assert document["success"] is True
    assert [(row["rank"], row["user_id"], row["score"]) for row in document["data"]] == [
        (1, str(bob.pk), 7),
        (2, str(alice.pk), 5),
    ]


def test_the_history_is_exported_from_an_id_on_with_signs_and_times(ada: Client, alice: User) -> None:
    first, second = give(alice, 5), give(alice, -2)
    rows = table(ada.get("/api/v1/exports/history.csv"))
    assert [(row["delta"], row["new_total"]) for row in rows] == [("5", "5"), ("-2", "3")]
    later = json.loads(body(ada.get("/api/v1/exports/history.json", {"after": rows[0]["id"]})))["data"]
    assert [row["action_id"] for row in later] == [str(second.action_id)]
    assert first.created_at is not None
    assert rows[0]["created_at"] == first.created_at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"])  # noqa: RUF001
def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    raw = b"".join(exports.as_csv(["a", "b"], [(text, -1)])).decode()
    assert list(csv.reader(io.StringIO(raw, newline="")))[1] == [f"'{text}", "-1"]
    assert json.loads(b"".join(exports.as_json(["a"], [(text,)])))["data"] == [{"a": text}]


def test_a_player_s_name_is_neutralised_on_its_way_through_everything(ada: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(username='=HYPERLINK("https://x.example";"a,b")')
    give(alice, 5)
    for name in ("board", "history"):
        assert table(ada.get(f"/api/v1/exports/{name}.csv"))[0]["username"].startswith("'=HYPERLINK(")


@pytest.mark.parametrize("path", PATHS)
def test_who_may_not_export_is_refused(api: Api, alice: User, path: str) -> None:
    moderator = player("mo", role=User.Role.MODERATOR)
    assert_problem(api.get(path), "not-authenticated")
    assert_problem(api.get(path, headers=site_key("award", "players")), "forbidden")
    assert_problem(api.get(path, admin()), "not-authenticated")  # a JWT: no second factor was asked for
    for user in (alice, moderator):
        answer = signed_in(user).get(path)
        assert answer.status_code == 403, user


def test_a_key_exports_by_its_scope(api: Api, alice: User) -> None:
    give(alice, 5)
    for path in PATHS:
        assert body(api.get(path, headers=site_key("read")))


def test_staff_who_need_a_second_factor_do_not_export_without_it(ada: Client, settings: Settings) -> None:
    settings.ADMIN_OTP = True
    assert ada.get("/api/v1/exports/board.csv").status_code == 403


def test_exports_are_limited_for_each_user(ada: Client, settings: Settings, fresh_limits: None) -> None:
    settings.LIMITS = {**settings.LIMITS, "export": "1/hour"}
    body(ada.get("/api/v1/exports/board.csv"))
    assert ada.get("/api/v1/exports/board.csv").status_code == 429
    assert ada.get(f"{HISTORY}export.csv").status_code == 429


def test_the_lists_of_admin_are_exported_with_their_filters(ada: Client, alice: User, bob: User) -> None:
    give(alice, 5)
    give(bob, 6)
    assert b'href="export.csv?q=alice"' in ada.get(HISTORY, {"q": "alice"}).content
    assert [row["username"] for row in table(ada.get(f"{HISTORY}export.csv", {"q": "alice"}))] == ["alice"]
    AuditLog.objects.create(
        id=uuid.uuid4(), kind="forbidden", first_at="2026-01-01T00:00Z", last_at="2026-01-01T00:00Z", count=3
    )
    log = "/admin/accounts/auditlog/export.csv"
    assert table(ada.get(log)) == []  # of today, as the list is
    assert [row["count"] for row in table(ada.get(log, {"day": "all", "kind": "forbidden"}))] == ["3"]


@pytest.mark.parametrize(
    "path",
    [
        f"{HISTORY}export.csv?user=abc",
        "/admin/accounts/auditlog/export.csv?user=abc",
        "/admin/admin/logentry/export.json?action_time__gte=x",
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_and_not_charged(
    ada: Client, settings: Settings, fresh_limits: None, path: str
) -> None:
    settings.LIMITS = {**settings.LIMITS, "export": "1/hour"}
    assert ada.get(path).status_code == 400
    body(ada.get(path.partition("?")[0]))


@pytest.mark.parametrize(
    "path",
    [
        f"{HISTORY}export.csv?id__exact={'9' * 30}",
        "/admin/accounts/auditlog/export.csv?day=tomorrow",
        f"/admin/admin/logentry/export.csv?action_flag__exact={'9' * 30}",
    ],
)
def test_a_filter_that_no_row_can_fit_is_a_file_without_rows(ada: Client, path: str) -> None:
    assert table(ada.get(path)) == []


def test_what_was_done_in_admin_is_exported_the_newest_first(ada: Client, alice: User, bob: User) -> None:
    by = User.objects.get(username="ada")
    LogEntry.objects.log_actions(by.pk, [alice], CHANGE, "=HYPERLINK()", single_object=True)
    LogEntry.objects.log_actions(by.pk, [bob], ADDITION, [{"added": {}}], single_object=True)
    rows = table(ada.get("/api/v1/exports/admin-log.csv"))
    told = [(row["username"], row["action"], row["kind"], row["object_id"], row["message"]) for row in rows]
    assert told == [
        ("ada", "add", "user", str(bob.pk), '[{"added": {}}]'),
        ("ada", "change", "user", str(alice.pk), "'=HYPERLINK()"),
    ]
    mine = table(ada.get("/admin/admin/logentry/export.csv", {"q": "HYPERLINK"}))
    assert [row["object_id"] for row in mine] == [str(alice.pk)]


def test_a_moderator_who_sees_the_history_is_not_offered_all_of_it(alice: User) -> None:
    site = signed_in(player("mo", role=User.Role.MODERATOR))
    assert b"Export CSV" not in site.get(HISTORY).content
    assert site.get(f"{HISTORY}export.csv").status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_query_that_postgresql_refuses_is_an_error_before_anything_is_sent(
    ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.exports.ROWS", "SELECT pg_sleep(60) WHERE %s <> 0 AND %s >= 0")
    monkeypatch.setattr(exports, "SECONDS", 0.05)
    ada.raise_request_exception = False
    answer = ada.get("/api/v1/exports/board.csv")
    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_client_reads(ada: Client, alice: User) -> None:
    give(alice, 5)
    answer = ada.get("/api/v1/exports/history.csv")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE is_holdable")
        assert cursor.fetchone() == (1,)
    assert not connection.in_atomic_block
    assert len(body(answer).splitlines()) == 2
    unread: Any = ada.get("/api/v1/exports/history.csv")
    for close in unread._resource_closers:
        close()  # as for a client that left before the first byte
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE is_holdable")
        assert cursor.fetchone() == (0,)
    assert ScoreHistory.objects.count() == 1


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_million_rows_take_no_more_memory_than_a_few() -> None:
    def drain(rows: int) -> int:
        sql = "SELECT g, repeat('x', 200), now() FROM generate_series(1, %s) g"
        for extension in exports.FORMATS:
            found = exports.Selection(sql, [rows])
            pieces = exports.ENCODERS[extension](["a", "b", "c"], found)
            assert sum(len(piece) for piece in pieces) > rows * 200
            found.close()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    few = drain(10_000)
    assert drain(1_000_000) - few < 20_000  # KB
