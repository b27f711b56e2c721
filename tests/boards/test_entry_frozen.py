"""Joining a frozen board tells nobody anything newer than the freeze."""

import pytest

from accounts.models import User
from scoreboard import entrants, freezing
from tests.boards.every_rule import assert_all_agree
from tests.boards.freezing import SECRET, freeze, reveal_all, ways_out
from tests.boards.joining import join, leave, mine, shown
from tests.support.admin_site import admin, signed_in
from tests.support.boards import award, keep, make
from tests.support.client import TOP, Api
from tests.support.people import site_key

pytestmark = pytest.mark.usefixtures("board", "unlimited")


def test_joining_a_frozen_board_shows_one_s_points_as_of_the_freeze_and_no_more(
    api: Api, alice: User, bob: User
) -> None:
    rule, staff = make("final", entry="join", attempts=5), signed_in(admin())
    award(alice, 10)
    freeze(rule)
    award(alice, SECRET)
    award(bob, SECRET + 1)
    entries = {str(number).encode() for number in (SECRET, SECRET + 1, SECRET + 10)}
    for _ in range(2):  # and again, after leaving
        for user in (alice, bob):
            assert join(api, user, "final").status_code == 201
        assert shown(api, "board=final") == [("alice", 10)]
        assert mine(api, bob, "final") == (True, 0, None)
        for who in (alice, bob):
            for way, said in ways_out(api, who, staff).items():
                assert way == "me/export" or not [one for one in entries if one in said], way
        assert api.get("/api/v1/score/me?board=final", alice).json()["data"]["attempts_left"] == 4
        whole = api.get(f"{TOP}?board=final&view=truth", headers=site_key("read")).json()["data"]
        assert [row["score"] for row in whole] == [SECRET + 10, SECRET + 1]
        for user in (alice, bob):
            assert leave(api, user, "final").status_code == 204
        assert shown(api, "board=final") == []
    join(api, alice, "final")
    reveal_all(rule)
    keep()
    assert shown(api, "board=final") == [("alice", SECRET + 10)]
    assert_all_agree()


def test_who_joins_while_a_board_is_revealed_is_where_the_reveal_is(api: Api, alice: User, bob: User) -> None:
    rule = make("final", entry="join")
    entrants.join(rule, alice)
    freeze(rule)
    for user in (alice, bob, alice):
        award(user, 5)
    freezing.reveal(rule, 0.5)
    one = rule.reveal
    freezing.step(one)
    join(api, bob, "final")
    assert shown(api, "board=final") == [("alice", 5)]
    freezing.step(one)
    assert shown(api, "board=final") == [("alice", 5), ("bob", 5)]
    leave(api, alice, "final")
    reveal_all(rule)
    keep()
    assert shown(api, "board=final") == [("bob", 5)]
    assert_all_agree()
