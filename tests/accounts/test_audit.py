"""The audit log: what was refused, to whom and why; merged, bounded, written beside the requests, kept for a while."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from accounts import api_keys, audit, identity_data, privacy
from accounts.addresses import digest
from accounts.audit import LINES, Writer
from accounts.models import AuditLog, SignIn, User
from actions import queue, tokens
from api import refusals
from api.refusals import Caller, Refusal
from tests.support.admin_site import admin, change_page, form_values, signed_in, superuser
from tests.support.client import MINT, TOP, UPDATE, Api
from tests.support.people import PASSWORD, bearer, player, site_key, update_body
from tests.support.processes import PATIENCE, ROOT, environment
from tests.support.queued import BATCH, queued

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("board", "fresh_limits")]

Lines = Callable[[], list[AuditLog]]
HERE = "127.0.0.1"


@pytest.fixture
def lines(settings: Settings) -> Iterator[Lines]:
    """Has this process keep the audit log; the call writes what is waiting, and returns all lines."""
    writer = Writer(seconds=3600)
    refusals.set_recorder(writer.record)

    def lines() -> list[AuditLog]:
        writer.flush()
        return list(AuditLog.objects.order_by("first_at", "kind"))

    yield lines
    refusals.set_recorder(None)
    writer.lines.clear()
    writer.close()


def counted(reason: str) -> float:
    return REGISTRY.get_sample_value("scoreboard_auth_failures_total", {"reason": reason}) or 0


def ended(user: User) -> dict[str, str]:
    header = bearer(user)
    SignIn.objects.end(user.pk)
    return header


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def present_password(api: Api, alice: User) -> Any:
    return api.post("/api/v1/auth/password", {"old": "wrong", "new": "a quite long pass phrase"}, alice)


def forged(alice: User, **changes: Any) -> dict[str, Any]:
    return {**update_body(tokens.mint(alice.pk, "WIN_MATCH")), "action_token": "a.b.c", **changes}


def foreign(alice: User) -> dict[str, Any]:
    return update_body(tokens.mint(alice.pk, "WIN_MATCH"))


def by_form(path: str, alice: User) -> Any:
    return Client().post(path, {"username": alice.username, "password": "wrong"})


def csrf(path: str, alice: User) -> Any:
    return signed_in(alice, enforce_csrf_checks=True).post(path, "{}", content_type="application/json")


def admin_of_none(alice: User) -> Any:
    """Right name and password of a player, at the admin site."""
    return Client().post("/admin/login/", {"username": with_password(alice).username, "password": PASSWORD})


KEY = {"Idempotency-Key": "key-1"}
# What is done → (status, kind, reason, who, about whom); "a" is alice, "b" is bob, "-" no known user.
CASES: dict[str, tuple[Callable[[Api, User, User], Any], int, str, str, str]] = {
    "no credentials": (lambda api, a, b: api.get("/api/v1/score/me"), 401, "not-authenticated", "no-credentials", "--"),
    "a bad JWT": (
        *(lambda api, a, b: api.get("/api/v1/score/me", headers={"Authorization": "Bearer a.b.c"}), 401),
        *("not-authenticated", "token", "--"),
    ),
    "an ended sign-in": (
        *(lambda api, a, b: api.get("/api/v1/score/me", headers=ended(a)), 401),
        *("not-authenticated", "sign-in-ended", "-a"),
    ),
    "a bad API key": (
        *(lambda api, a, b: api.post(MINT, {}, headers={"X-API-Key": "sb_x"}), 403, "forbidden", "api-key", "--"),
    ),
    "a session without its CSRF token": (lambda api, a, b: csrf(MINT, a), 403, "forbidden", "csrf", "a-"),
    "a form without its CSRF token": (lambda api, a, b: csrf("/accounts/me", a), 403, "forbidden", "csrf", "--"),
    "a wrong password": (
        *(lambda api, a, b: api.post("/api/v1/auth/token", {"username": "alice", "password": "x"}), 401),
        *("not-authenticated", "password", "-a"),
    ),
    "a wrong name": (
        *(lambda api, a, b: api.post("/api/v1/auth/token", {"username": "none", "password": "x"}), 401),
        *("not-authenticated", "password", "--"),
    ),
    "a wrong password on the page": (
        *(lambda api, a, b: by_form("/accounts/sign-in", a), 200, "not-authenticated", "password", "-a"),
    ),
    "a wrong password at the admin site": (
        *(lambda api, a, b: by_form("/admin/login/", a), 200, "not-authenticated", "password", "-a"),
    ),
    "a player at the admin site": (lambda api, a, b: admin_of_none(a), 200, "forbidden", "permission", "-a"),
    "a signed-in player at the admin site": (
        *(lambda api, a, b: signed_in(a).get("/admin/", follow=True), 200, "forbidden", "permission", "a-"),
    ),
    "a page that is not for this admin": (
        *(lambda api, a, b: signed_in(admin()).get(f"/admin/accounts/user/{b.pk}/password/"), 403),
        *("forbidden", "permission", "?-"),
    ),
    "a wrong present password": (
        lambda api, a, b: present_password(api, a),
        *(400, "not-authenticated", "password", "aa"),
    ),
    "a token that was not mailed": (
        *(lambda api, a, b: api.post("/api/v1/auth/email/confirm", {"token": "x"}, a), 400),
        *("not-authenticated", "mailed-token", "a-"),
    ),
    "a bad refresh token": (
        *(lambda api, a, b: api.post("/api/v1/auth/token/refresh", {"refresh": "x"}), 401),
        *("not-authenticated", "token", "--"),
    ),
    "a forged action token": (
        lambda api, a, b: api.post(UPDATE, forged(a), a),
        *(403, "token-invalid", "token-invalid", "a-"),
    ),
    "a forged one in a batch": (
        *(lambda api, a, b: api.post(BATCH, {"actions": [forged(a)]}, a), 200, "token-invalid", "token-invalid", "a-"),
    ),
    "another player's action token": (
        lambda api, a, b: api.post(UPDATE, foreign(a), b),
        *(403, "token-invalid", "token-invalid", "ba"),
    ),
    "a bonus to oneself": (
        lambda api, a, b: api.post("/api/v1/score/bonus", bonus(b), moderator(b), headers=KEY),
        *(403, "forbidden", "forbidden", "b-"),
    ),
    "a bonus by a player": (
        lambda api, a, b: api.post("/api/v1/score/bonus", bonus(a), b, headers=KEY),
        *(403, "forbidden", "permission", "b-"),
    ),
    "an award to staff": (lambda api, a, b: award(api, moderator(a)), 403, "forbidden", "forbidden", "-a"),
    "an award in a batch to who is disabled": (
        *(lambda api, a, b: award(api, disabled(a), "/batch"), 200, "player-disabled", "player-disabled", "-a"),
    ),
    "a key without the scope": (
        *(lambda api, a, b: api.get("/api/v1/players", headers=site_key("award")), 403, "forbidden", "forbidden", "--"),
    ),
    "another player's history": (
        *(lambda api, a, b: api.get(f"/api/v1/score/{a.pk}/history", b), 403, "forbidden", "forbidden", "b-"),
    ),
}


def bonus(user: User) -> dict[str, Any]:
    return {"user_id": str(user.pk), "points": 5, "reason": "well done"}


def award(api: Api, user: User, batch: str = "") -> Any:
    body = {"id": "order-1", "user_id": str(user.pk), "action_type": "WIN_MATCH"}
    return api.post(f"/api/v1/awards{batch}", {"awards": [body]} if batch else body, headers=site_key())


def disabled(user: User) -> User:
    user.is_active = False
    user.save()
    return user


def moderator(user: User) -> User:
    user.role = User.Role.MODERATOR
    user.save()
    return user


@pytest.mark.parametrize("case", CASES)
def test_every_refusal_of_identity_or_right_is_counted_and_on_record_once(
    api: Api, alice: User, bob: User, lines: Lines, case: str
) -> None:
    act, status, kind, reason, people = CASES[case]
    before = counted(reason)
    assert act(api, alice, bob).status_code == status
    assert counted(reason) == before + 1
    [line] = lines()
    assert (line.kind, line.reason, line.count) == (kind, reason, 1)
    letters = {None: "-", alice.pk: "a", bob.pk: "b"}
    assert letters.get(line.user_id, "?") + letters.get(line.subject_id, "?") == people
    assert line.address == digest(HERE)
    assert line.detail
    assert line.request_id


def test_repeats_and_limits_are_on_record_with_the_action_and_the_request(
    api: Api, alice: User, lines: Lines, settings: Settings
) -> None:
    body = foreign(alice)
    headers = {"X-Request-ID": "support-4711"}
    assert api.post(UPDATE, body, alice).status_code == 200
    assert api.post(UPDATE, body, alice, headers=headers).status_code == 409
    key, text = api_keys.issue("shop", ["mint"], limit="1/minute")
    settings.LIMITS = {**settings.LIMITS, "user": "1/minute"}
    assert api.get("/api/v1/score/me", alice).status_code == 200
    for _ in range(2):
        api.post(MINT, {"user_id": str(alice.pk), "action_type": "WIN_MATCH"}, headers={"X-API-Key": text})
    assert api.get("/api/v1/score/me", alice).status_code == 429
    repeat, limited_key, limited_user = lines()
    assert (repeat.kind, repeat.user_id, repeat.action_type) == ("already-redeemed", alice.pk, "WIN_MATCH")
    assert repeat.request_id == "support-4711"
    assert (limited_key.kind, limited_key.api_key_id, limited_key.user_id) == ("rate-limited", key.pk, None)
    assert (limited_user.kind, limited_user.user_id) == ("rate-limited", alice.pk)


def test_what_the_queue_refuses_later_is_on_record_under_the_request_that_was_accepted(
    api: Api, alice: User, lines: Lines
) -> None:
    body = foreign(alice)
    work = queued(api, alice, body)
    assert api.post(UPDATE, body, alice).status_code == 200
    queue.process(work.pk)
    [line] = lines()
    assert (line.kind, line.user_id, line.action_type) == ("already-redeemed", alice.pk, "WIN_MATCH")
    assert line.request_id == work.request_id != ""


def test_a_moderator_who_is_asked_for_the_code_was_not_refused(settings: Settings, lines: Lines) -> None:
    settings.ADMIN_OTP = True
    assert signed_in(player(role=User.Role.MODERATOR)).get("/admin/", follow=True).status_code == 200
    assert lines() == []


def test_mistakes_are_no_refusals(api: Api, alice: User, lines: Lines) -> None:
    assert api.get("/api/v1/nothing").status_code == 404
    assert api.get(f"{TOP}?limit=0").status_code == 400
    assert api.post(UPDATE, {"points": 1}, alice).status_code == 400
    assert api.post(TOP, {}, alice).status_code == 405
    assert lines() == []


# --- many


def refusal(address: str, reason: str = "password", **changes: Any) -> Refusal:
    values = {"kind": "not-authenticated", "detail": "No.", "subject": None, "action_type": "", "request_id": "id-4711"}
    return Refusal(**{**values, **changes}, reason=reason, caller=Caller(None, None, address))


@pytest.fixture
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)


@pytest.mark.usefixtures("one_minute")
def test_repeats_of_one_caller_and_reason_are_one_line_in_all_processes() -> None:
    writers = [Writer(seconds=3600) for _ in range(2)]
    for writer in writers:
        for _ in range(3):
            for _ in range(50):
                writer.record(refusal("192.0.2.1"))
            writer.record(refusal("192.0.2.2", request_id="id-4712"))
            writer.record(refusal("192.0.2.1", reason="token"))
            writer.flush()
        writer.close()
    found = {(line.address, line.reason): line.count for line in AuditLog.objects.order_by("id")}
    assert found == {
        (digest("192.0.2.1"), "password"): 300,
        (digest("192.0.2.2"), "password"): 6,
        (digest("192.0.2.1"), "token"): 6,
    }


@pytest.mark.usefixtures("one_minute")
@pytest.mark.parametrize("addresses", [1, 100_000])
def test_a_flood_is_a_few_lines_and_a_number(addresses: int) -> None:
    writer = Writer(seconds=3600)
    before = REGISTRY.get_sample_value("scoreboard_audit_left_out_total") or 0
    for number in range(100_000):
        writer.record(refusal(f"address-{number % addresses}"))
        if number % 20_000 == 0:
            writer.flush()
    assert len(writer.lines) <= LINES
    writer.flush()
    writer.close()
    listed = list(AuditLog.objects.order_by("id"))
    assert len(listed) == (1 if addresses == 1 else LINES + 1)
    assert sum(line.count for line in listed) == 100_000
    left_out = sum(line.count for line in listed if line.kind == "left-out")
    assert left_out == (0 if addresses == 1 else 100_000 - LINES)
    assert REGISTRY.get_sample_value("scoreboard_audit_left_out_total") == before + left_out


@pytest.mark.django_db(transaction=True)
def test_what_postgresql_does_not_take_is_written_when_it_is_back() -> None:
    writer = Writer(seconds=3600)
    writer.record(refusal("192.0.2.1"))
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 100")
        cursor.execute("SET lock_timeout = 1")
    other = connection.copy()
    with other.cursor() as cursor:
        other.set_autocommit(False)
        cursor.execute("LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE")
        writer.flush()
        writer.record(refusal("192.0.2.1"))
        writer.record(refusal("192.0.2.2"))
        writer.flush()
        other.rollback()
    other.close()
    connection.close()
    writer.flush()
    writer.close()
    assert sorted(line.count for line in AuditLog.objects.order_by("id")) == [1, 2]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("one_minute")
def test_while_postgresql_hangs_what_waits_is_bounded_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals go on while a batch waits for the answer."""
    monkeypatch.setattr(audit, "WAITING", 3)
    writer, write = Writer(seconds=3600), audit.write
    numbers = iter(range(1000))

    def slow(lines: Any) -> None:
        for _ in range(5):
            writer.record(refusal(f"192.0.2.{next(numbers)}"))
        write(lines)

    monkeypatch.setattr(audit, "write", slow)
    writer.record(refusal("198.51.100.1"))
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 1")
    other = connection.copy()
    with other.cursor() as cursor:
        other.set_autocommit(False)
        cursor.execute("LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE")
        for _ in range(4):
            writer.flush()
            assert len([line for line in writer.lines.values() if line.refusal.kind != "left-out"]) <= 3
        other.rollback()
    other.close()
    connection.close()
    monkeypatch.setattr(audit, "write", write)
    writer.flush()
    writer.close()
    assert sum(line.count for line in AuditLog.objects.all()) == 1 + 4 * 5


REFUSED = """
from accounts import audit
from django.test import Client
audit.Writer.__init__.__defaults__ = (3600.0,)
audit.start()
assert Client().get("/api/v1/score/me").status_code == 401
"""
CHILD = """
import multiprocessing
def child():
    import django
    django.setup()
    exec(%r)
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=child)
    process.start()
    process.join()
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["the process itself", "a worker of it"])
def test_a_process_that_ends_writes_what_is_left(where: str, tmp_path: Any) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        f"import django\ndjango.setup()\n{REFUSED}" if where == "the process itself" else CHILD % REFUSED
    )
    env = environment(ALLOWED_HOSTS="testserver")
    subprocess.run([sys.executable, str(program)], env=env, cwd=ROOT, check=True, timeout=PATIENCE)
    assert [line.reason for line in AuditLog.objects.all()] == ["no-credentials"]


# --- for how long, and for whom


def line(**fields: Any) -> AuditLog:
    now = timezone.now()
    values: dict[str, Any] = {"kind": "forbidden", "reason": "permission", "first_at": now, "last_at": now, "count": 1}
    return AuditLog.objects.create(pk=uuid.uuid4(), **{**values, **fields})


def test_lines_are_kept_for_audit_days(settings: Settings) -> None:
    settings.AUDIT_DAYS = 7
    old, young = (line(last_at=timezone.now() - timedelta(days=days)) for days in (7.01, 6.99))
    assert audit.purge(chunk=1) == 1
    assert list(AuditLog.objects.all()) == [young] != [old]


def test_a_person_gets_their_refusals_and_they_go_with_the_person(alice: User, bob: User) -> None:
    own = line(user=alice, subject=bob, request_id="id-4711", address="digest-of-alice")
    about = line(user=bob, subject=alice, detail="Not yours.", address="digest-of-bob")
    said = privacy.export(alice)
    assert [one["request_id"] for one in said["refusals"]] == [own.request_id]
    assert [one["kind"] for one in said["refusals_about"]] == ["forbidden"]
    assert "digest-of-bob" not in str(said["refusals_about"])
    identity_data.anonymise(alice.pk)
    identity_data.erase(alice.pk)
    [left] = AuditLog.objects.all()
    assert (left.pk, left.user_id, left.subject_id) == (about.pk, bob.pk, None)


# --- for admins

LIST = "/admin/accounts/auditlog/"


def test_admins_filter_by_who_kind_and_day_and_change_nothing(alice: User, bob: User) -> None:
    client = signed_in(admin())
    today = line(user=alice, kind="token-invalid", request_id="0123456789abcdef" * 4, detail="<b>forged</b>")
    line(user=bob, first_at=timezone.now() - timedelta(days=3), last_at=timezone.now() - timedelta(days=3))
    page = client.get(LIST)
    assert [one.pk for one in page.context["cl"].result_list] == [today.pk]
    said = page.content.decode()
    assert today.request_id in said
    assert f"{today.last_at:%Y-%m-%d %H:%M:%S.%f}"[:-3] in said
    assert "<b>forged" not in said
    for kind in ("forbidden", "left-out", "webhook-disabled"):
        assert f"kind={kind}" in said, "there may be lines of it"
    for query, found in {
        "day=all": 2,
        "day=all&kind=token-invalid": 1,
        "day=all&kind=already-redeemed": 0,
        f"day=all&q={bob.username}": 1,
        f"day=all&user={bob.pk}": 1,
        f"day={timezone.now() - timedelta(days=3):%Y-%m-%d}": 1,
        f"q={'0123456789abcdef' * 4}": 1,
    }.items():
        assert len(client.get(f"{LIST}?{query}").context["cl"].result_list) == found, query
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{today.pk}/delete/", {"post": "yes"}).status_code == 403
    assert signed_in(player()).get(LIST).status_code == 302


def test_a_day_is_found_by_the_index(alice: User) -> None:
    client = signed_in(admin())
    for moment in ("2026-01-01T23:59:59.999Z", "2026-01-02T00:00Z", "2026-01-02T23:59:59.999Z", "2026-01-03T00:00Z"):
        line(user=alice, kind="forbidden", first_at=moment, last_at=moment)
    listed = client.get(f"{LIST}?day=2026-01-02").context["cl"]
    assert [one.last_at.isoformat()[:19] for one in listed.result_list] == [
        "2026-01-02T23:59:59",
        "2026-01-02T00:00:00",
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert "Index Cond: ((last_at >= " in listed.queryset.explain()
    for none in ("9999-12-31", "yesterday"):
        assert list(client.get(f"{LIST}?day={none}").context["cl"].result_list) == []


def test_acts_say_who_did_what_to_whom(alice: User) -> None:
    """In the admin log, which is written with the act."""
    client = signed_in(superuser())
    client.post(change_page(alice), form_values(client, alice, role="moderator", is_hidden="on"))
    alice.refresh_from_db()
    client.post(change_page(alice), form_values(client, alice, is_active=None))
    said = [entry.get_change_message() for entry in LogEntry.objects.order_by("id")]
    assert said == ["Is hidden: False → True. Role: player → moderator.", "Active: True → False."]
