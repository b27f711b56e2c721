"""A person erased: the identity is gone wherever it was, and the ledger's sums are what they were."""

import uuid
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction
from django.test import Client

from accounts import attempts, privacy
from accounts.models import User
from actions.models import ActionToken, QueuedWork
from api import redis_client
from integrity.models import Flag, FlaggedEntry
from leaderboard import boards, reads, reconcile, sweep
from leaderboard.boards import Board
from leaderboard.ranking import inspection
from scoreboard import periods
from scoreboard.models import BoardPeriod, Bonus, ScoreHistory
from tests.support.admin_site import superuser
from tests.support.agreement import assert_agreement
from tests.support.boards import make
from tests.support.client import Api
from tests.support.lives import EMAIL, MARKS, NAME, erase, everything_stored, exported, life
from tests.support.people import give, player, site_key

pytestmark = pytest.mark.usefixtures("board", "unlimited")

FORGETTING = "SET LOCAL scoreboard.forgetting = 'on'"


@pytest.fixture
def key(board: Board) -> dict[str, str]:
    return site_key()


@pytest.fixture
def zoe(board: Board) -> User:
    return life()


def test_the_identity_is_in_no_table_and_no_key_any_more(zoe: User) -> None:
    before = everything_stored()
    for mark in MARKS:
        assert mark in before, "the control: this is where it would be found"
    digest = attempts.digest("198.51.100.7")
    assert digest in before
    erase(zoe)
    after = everything_stored()
    for mark in (*MARKS, digest, "d" * 64):
        assert [line for line in after.splitlines() if mark in line] == []


def test_what_is_left_is_an_id_that_nobody_is_behind(zoe: User) -> None:
    erase(zoe)
    zoe.refresh_from_db()
    assert zoe.username.startswith("erased-")
    assert zoe.email.endswith("@erased.invalid")
    assert (zoe.is_active, zoe.is_hidden, zoe.has_usable_password(), zoe.last_login) == (False, True, False, None)
    left = exported("--id", str(zoe.pk))
    kept = {"format", "exported_at", "identity", "score", "history", "bonuses_received", "api_keys", "admin_log"}
    kept |= {"final_ranks", "attribute_history"}
    assert {name for name, part in left.items() if part} == {*kept, "boards"}
    assert {each["value"] for each in left["attribute_history"]} == {""}
    assert "global" in left["boards"]
    assert [kept for kept in left["boards"].values() if kept != {"total": None, "profile": None}] == []
    assert [entry["reason"] for entry in left["history"]] == ["", ""]
    assert [entry["what"] for entry in left["admin_log"]["about"]] == [""]
    for model in (ActionToken, QueuedWork, Flag, FlaggedEntry):
        assert not model._default_manager.exists()


def test_the_ledger_is_what_it_was(zoe: User, board: Board) -> None:
    figures = "SELECT id, user_id, action_id, delta, old_total, new_total, version, created_at FROM score_history"
    with connection.cursor() as cursor:
        cursor.execute(figures)
        before = cursor.fetchall()
        cursor.execute("SELECT user_id, total, reached_at FROM user_scores ORDER BY user_id")
        totals = cursor.fetchall()
    erase(zoe)
    with connection.cursor() as cursor:
        cursor.execute(figures)
        assert sorted(cursor.fetchall()) == sorted(before)
        cursor.execute("SELECT user_id, total, reached_at FROM user_scores ORDER BY user_id")
        assert cursor.fetchall() == totals
    report = reconcile.reconcile(board, check=True)
    assert (report.drift, report.found["ledger"]) == (0, 0)


def test_entries_stay_on_boards_that_go_by_a_former_attribute(zoe: User, board: Board) -> None:
    for slug, value in {"each": "*", "europe": "EU"}.items():
        make(slug, attribute="region", attribute_value=value)
    make("americas", attribute="club", attribute_value="*")
    told = exported("--id", str(zoe.pk))["attribute_history"]
    assert {each["name"]: each["value"] for each in told} == {"region": "EU", "motto": f"{NAME} was here"}
    erase(zoe)
    told = exported("--id", str(zoe.pk))["attribute_history"]
    assert [each["value"] for each in told if each["name"] == "region"] == ["EU", ""]
    assert {each["value"] for each in told if each["name"] == "motto"} == {""}
    assert [periods.wrong_standings(period.pk) for period in BoardPeriod.objects.filter(closed_at=None)] == [[], [], []]


def test_the_boards_show_it_at_once(zoe: User, board: Board) -> None:
    assert [row.username for row in reads.top(board, 10).rows] == [NAME, "Neighbour"]
    erase(zoe)
    assert [row.username for row in reads.top(board, 10).rows] == ["Neighbour"]
    assert_agreement(board)
    assert Api().get(f"/api/v1/score/{zoe.pk}").status_code == 404


@pytest.mark.parametrize("table", ["score_history", "awards"])
def test_however_many_deeds_there_are_no_statement_timeout_ends_it(zoe: User, key: dict[str, str], table: str) -> None:
    """What is cancelled in the middle is cancelled at every repeat, too."""
    deed = {"id": "1", "user_id": str(zoe.pk), "action_type": "COMPLETE_TASK", "metadata": {"car": "red"}}
    assert Api().post("/api/v1/awards", deed, headers=key).status_code == 201
    with connection.cursor() as cursor:
        cursor.execute(f"""
            CREATE TABLE seen (timeout text);
            CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN INSERT INTO seen VALUES (current_setting('statement_timeout')); RETURN NULL; END $$;
            CREATE TRIGGER see AFTER UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION see()""")
        try:
            erase(zoe)
            cursor.execute("SELECT DISTINCT timeout FROM seen")
            assert cursor.fetchall() == [("0",)]
        finally:
            cursor.execute("DROP FUNCTION see CASCADE; DROP TABLE seen")


def test_a_second_time_nothing_happens(zoe: User, board: Board) -> None:
    assert "is erased" in erase(zoe)
    once = everything_stored()
    assert "was erased before" in erase(zoe)
    assert everything_stored() == once


def test_what_a_crash_left_is_cleared_the_next_time(zoe: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(user_id: uuid.UUID) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(privacy, "_parts", [privacy.Part(lambda user: {}, crash)])
    with pytest.raises(KeyboardInterrupt):
        erase(zoe)
    assert Flag.objects.filter(user=zoe).exists()
    monkeypatch.undo()
    erase(zoe)
    assert not any(mark in everything_stored() for mark in MARKS)


def test_without_redis_it_is_said_and_a_repeat_finishes(
    zoe: User, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_client.breaker, "open_until", float("inf"))
    with pytest.raises(CommandError, match=r"run erase_user --id .* again"):
        erase(zoe)
    zoe.refresh_from_db()
    assert zoe.erased_at is not None
    monkeypatch.undo()
    [entry] = inspection.entries(board, [str(zoe.pk)])
    assert entry.profile is not None, "the control: the announcement did not reach Redis"
    erase(zoe)
    assert not any(mark in everything_stored() for mark in MARKS)
    sweep.sweep(board)
    assert_agreement(board)


@pytest.mark.parametrize(
    "change",
    [
        "is_active = true",
        "is_hidden = false",
        "erased_at = NULL",
        "erased_at = NULL, is_active = true, is_hidden = false",
        "username = 'Zoë Quill'",
        "email = 'zoe@example.org'",
        "avatar_url = 'https://x.example/'",
    ],
)
def test_nobody_comes_back_even_by_sql(zoe: User, change: str) -> None:
    erase(zoe)
    with pytest.raises(DatabaseError, match="erased"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE users SET {change} WHERE id = %s", [zoe.pk])


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE score_history SET reason = '' WHERE user_id = %s",
        f"{FORGETTING}; UPDATE score_history SET reason = 'x' WHERE user_id = %s",
        f"{FORGETTING}; UPDATE score_history SET reason = '', delta = 0 WHERE user_id = %s",
        f"{FORGETTING}; UPDATE score_history SET reason = '', actor_id = NULL WHERE user_id = %s",
        f"{FORGETTING}; DELETE FROM score_history WHERE user_id = %s",
    ],
)
def test_the_history_takes_nothing_else(zoe: User, sql: str) -> None:
    erase(zoe)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, [zoe.pk])


def test_the_reasons_of_somebody_who_was_not_erased_stay(zoe: User) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT score_history_forget(%s)", [zoe.pk])
    assert Bonus.objects.get().reason == ScoreHistory.objects.get(source="bonus").reason != ""


def test_the_others_keep_everything(zoe: User) -> None:
    other = player("Tilda Swan")
    give(other, 5)
    attempts.remember(other.pk, "198.51.100.8")
    client = Client()
    client.force_login(other)
    before = exported("Tilda Swan")
    erase(zoe)
    assert exported("Tilda Swan") | {"exported_at": ""} == before | {"exported_at": ""}
    assert client.get("/api/v1/score/me").status_code == 200


def test_the_name_and_the_address_are_free_again(zoe: User) -> None:
    erase(zoe)
    body = {"username": NAME, "email": EMAIL, "password": "a long enough pass phrase"}
    assert Api().post("/api/v1/auth/register", body).status_code == 201


def test_a_superuser_is_not_erased_by_one_command(board: Board) -> None:
    root = superuser()
    with pytest.raises(CommandError, match="superuser"):
        erase(root)
    root.refresh_from_db()
    assert root.username == "root"


@pytest.mark.parametrize(("typed", "erased"), [(NAME, True), ("yes", False), ("", False), (None, False)])
def test_it_asks_for_the_name(zoe: User, monkeypatch: pytest.MonkeyPatch, typed: str | None, erased: bool) -> None:
    def answer(_: str) -> str:
        if typed is None:
            raise EOFError
        return typed

    monkeypatch.setattr("builtins.input", answer)
    if erased:
        call_command("erase_user", NAME, stdout=StringIO())
    else:
        with pytest.raises(CommandError, match="Nothing was changed"):
            call_command("erase_user", NAME, stdout=StringIO())
    zoe.refresh_from_db()
    assert (zoe.erased_at is not None) == erased


def test_every_board_is_told(zoe: User) -> None:
    erase(zoe)
    for board in boards.everyone():
        [entry] = inspection.entries(board, [str(zoe.pk)])
        assert (entry.total, entry.profile) == (None, None)
