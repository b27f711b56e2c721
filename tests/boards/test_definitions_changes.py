"""Boards over the API: changed and deleted, and what becomes of the points that they showed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from accounts.models import User
from leaderboard import boards, rebuild, snapshots
from leaderboard.boards import Board
from scoreboard import board_rules, periods
from scoreboard.models import BoardPeriod
from tests.boards.definitions import BOARDS, WEEKLY, give_type, put
from tests.support.boards import award, make
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import DAY

pytestmark = pytest.mark.usefixtures("board", "unlimited")


def test_a_change_without_a_body_is_a_400(api: Api, key: dict[str, str]) -> None:
    make("mine")
    assert_problem(api.send("PUT", f"{BOARDS}/mine", b"", headers=key), "invalid-request")
    assert put(api, "mine", {}, key).status_code == 200


def test_points_given_before_count_at_once_and_after_an_edit_by_the_new_rule(
    api: Api, key: dict[str, str], alice: User, bob: User
) -> None:
    award(alice, 5, "LAP")
    award(bob, 3, "QUIZ")
    give_type("LAP")
    give_type("QUIZ")
    api.post(BOARDS, {**WEEKLY, "counts": {"types": ["LAP"]}}, headers=key)
    of_board = f"{TOP}?board=weekly"
    assert [row["score"] for row in api.get(of_board).json()["data"]] == [5]
    assert put(api, "weekly", {"counts": {"types": ["QUIZ"]}}, key).json()["data"]["counts"]["types"] == ["QUIZ"]
    assert [row["score"] for row in api.get(of_board).json()["data"]] == [3]
    assert put(api, "weekly", {"paused": True}, key).json()["data"]["state"] == "paused"
    assert_problem(api.get(of_board), "not-found")
    assert_problem(api.get(f"{BOARDS}/weekly"), "not-found")
    assert api.get(f"{BOARDS}/weekly", headers=key).json()["data"]["paused"] is True
    assert put(api, "weekly", {"paused": False}, key).json()["data"]["state"] == "open"
    assert [row["score"] for row in api.get(of_board).json()["data"]] == [3]


def test_who_has_the_board_is_told_of_a_new_title(api: Api, key: dict[str, str], alice: User) -> None:
    award(alice, 5)
    make("weekly", window="weekly")
    rebuild.rebuild(boards.get("weekly"))  # Redis' answers have an ETag
    path = f"{TOP}?board=weekly"
    mine = {"If-None-Match": api.get(path)["ETag"]}
    assert api.get(path, headers=mine).status_code == 304
    put(api, "weekly", {"title": "The week"}, key)
    answer = api.get(path, headers=mine)
    assert answer.status_code == 200
    assert answer.json()["board"]["title"] == "The week"


def test_the_etag_moves_when_a_freeze_begins(board: Board) -> None:
    """Set ahead, it changes neither epoch nor seq."""
    make("weekly", window="weekly")
    weekly = boards.get("weekly")
    assert snapshots.tag(replace(weekly, frozen_at=weekly.starts_at)) != snapshots.tag(weekly)


def test_over_a_long_history_the_worker_counts_and_the_board_says_so(
    api: Api, key: dict[str, str], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    award(alice, 5)
    monkeypatch.setattr(board_rules, "SMALL_BYTES", 0)
    assert api.post(BOARDS, WEEKLY, headers=key).json()["data"]["state"] == "counting"
    assert_problem(api.get(f"{TOP}?board=weekly"), "unavailable")
    periods.keep()  # what the worker is asked for
    boards.forget()
    assert api.get(f"{BOARDS}/weekly").json()["data"]["state"] == "open"
    assert api.get(f"{TOP}?board=weekly").json()["data"][0]["score"] == 5


def test_an_edit_after_a_period_s_end_closes_it_by_the_rule_it_was_counted_by(
    api: Api, key: dict[str, str], alice: User
) -> None:
    award(alice, 5)
    make("daily", window="daily")
    BoardPeriod.objects.filter(ends_at__lte=datetime.now(UTC) + DAY).update(ends_at=datetime.now(UTC))
    put(api, "daily", {"value": "best", "order": "low"}, key)
    [closed] = [one for one in api.get(f"{BOARDS}/daily/periods").json()["data"] if one["state"] == "closed"]
    assert closed["players"] == 1
    assert api.get(f"{TOP}?board=daily&period={closed['key']}").json()["data"][0]["score"] == 5


def test_delete_takes_the_board_and_what_was_closed_of_it_and_no_point(
    api: Api, key: dict[str, str], alice: User
) -> None:
    award(alice, 5)
    api.post(BOARDS, WEEKLY, headers=key)
    assert api.send("DELETE", f"{BOARDS}/weekly", b"", headers=key).status_code == 204
    assert_problem(api.get(f"{BOARDS}/weekly"), "not-found")
    assert_problem(api.send("DELETE", f"{BOARDS}/weekly", b"", headers=key), "not-found")
    assert not BoardPeriod.objects.exists()
    assert api.get(TOP).json()["data"][0]["score"] == 5


def test_the_board_of_all_players_cannot_be_changed(api: Api, key: dict[str, str]) -> None:
    assert_problem(put(api, "global", {"title": "Mine"}, key), "forbidden")
    assert_problem(api.send("DELETE", f"{BOARDS}/global", b"", headers=key), "forbidden")
