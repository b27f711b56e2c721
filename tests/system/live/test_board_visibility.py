"""Boards that are hidden, or for the signed-in, over the live ways out: WebSocket, Server-Sent Events, and `GET
/scoreboard/top` as the live process answers it."""

from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from leaderboard import boards, rebuild, snapshots
from leaderboard.boards import Board
from leaderboard.live.top import Top
from scoreboard.models import Board as Rule
from tests.support.admin_site import admin
from tests.support.boards import award, make
from tests.support.people import access_token, bearer
from tests.system.live.clients import answer, viewer, watcher
from tests.system.live.conftest import Start, opened
from tests.system.live.top import Django, ask, run_with_hub

ON = "?board={}"


@pytest.fixture
def three(board: Board, alice: User) -> User:
    """A board of each visibility, with alice on it."""
    award(alice, 5)
    for visibility in Rule.Visibility.values:
        make(visibility, visibility=visibility)
    return alice


def test_live_a_board_is_shown_to_whom_it_is_visible(three: User, start: Start) -> None:
    server = opened(start)
    with viewer(server, ON.format("public")) as socket, watcher(server, ON.format("public")) as events:
        assert socket.opening()[1]["board"] == events.opening()[1]["board"] == "public"

    for_members = ON.format("signed-in")
    assert answer(server, for_members)[0].status == 401
    assert answer(server, for_members, Authorization="Bearer nonsense")[0].status == 401
    with viewer(server, for_members, protocols=("bearer", "nonsense")) as socket:
        messages, code = socket.ending()
        assert ([message["code"] for message in messages], code) == (["not-authenticated"], 4501)
    mine = access_token(three)
    with viewer(server, for_members) as socket:  # it has five seconds to say who it is
        socket.say(type="authenticate", token=mine)
        assert socket.opening()[0]["user_id"] == str(three.pk)
    with watcher(server, for_members, Authorization=f"Bearer {mine}") as events:
        assert events.opening()[1]["top"][0]["username"] == "alice"

    for who in (mine, access_token(admin())):  # nobody is shown a hidden board live
        credentials = f"Bearer {who}"
        refused, said = answer(server, ON.format("hidden"), Authorization=credentials)
        never, as_well = answer(server, ON.format("never-made"), Authorization=credentials)
        assert refused.status == never.status == 404
        assert {**said, "request_id": ""} == {**as_well, "request_id": ""}
        with viewer(server, ON.format("hidden"), protocols=("bearer", who)) as socket:
            messages, code = socket.ending()
            assert ([message["code"] for message in messages], code) == (["not-found"], 4504)


def test_live_viewers_of_a_board_that_is_closed_to_them_are_shown_out(three: User, start: Start) -> None:
    server, mine = opened(start), access_token(three)
    on = ON.format("public")
    with (
        viewer(server, on) as stranger,
        watcher(server, on) as stream,
        viewer(server, on, protocols=("bearer", mine)) as member,
    ):
        for watching in (stranger, stream, member):
            watching.opening()
        member.until("you")
        Rule.objects.filter(slug="public").update(visibility="signed-in")
        messages, code = stranger.ending()
        assert (messages[-1]["code"], code) == ("not-authenticated", 4501)
        assert stream.rest()[-1]["code"] == "not-authenticated"
        award(three, 1)
        assert member.scores({"alice": 6})
        Rule.objects.filter(slug="public").update(visibility="hidden")
        messages, code = member.ending()
        assert (messages[-1]["code"], code) == ("not-found", 4504)


def test_live_who_may_not_see_a_board_any_more_is_shown_out_while_it_is_counted_anew(three: User, start: Start) -> None:
    server, on = opened(start), ON.format("public")
    with viewer(server, on) as stranger, viewer(server, on, protocols=("bearer", access_token(three))) as member:
        for watching in (stranger, member):
            watching.opening()
        member.until("you")
        # With the visibility its rule is changed, and there is no worker that would fill its period.
        Rule.objects.filter(slug="public").update(visibility="signed-in", value="best")
        messages, code = stranger.ending()
        assert (messages[-1]["code"], code) == ("not-authenticated", 4501)
        Rule.objects.filter(slug="public").update(visibility="hidden")
        messages, code = member.ending()
        assert (messages[-1]["code"], code) == ("not-found", 4504)


def test_the_copy_in_a_live_process_answers_for_public_boards_alone(
    three: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what it learns of Django's headers is never of another board's: they say who may keep the answer."""
    monkeypatch.setattr(snapshots, "FRESH_SECONDS", 3600.0)  # however slow the machine is

    async def asked() -> list[tuple[int, str]]:
        django = Django()
        top = Top(django)
        mine = bearer_of["Authorization"]
        found = []
        for board in ("signed-in", "public", "public"):
            headers: dict[str, Any] = {"Authorization": mine} if board == "signed-in" else {}
            status, said, _ = await ask(top, f"board={board}", **headers)
            found.append((status, said["cache-control"]))
        for board in ("signed-in", "hidden"):
            status, said, _ = await ask(top, f"board={board}")
            found.append((status, said["cache-control"]))
        return [*found, (django.asked, "times")]

    bearer_of = bearer(three)
    for visibility in Rule.Visibility.values:
        rebuild.rebuild(boards.get(visibility))
        snapshots.get(boards.get(visibility))
    public = "public, max-age=1, stale-while-revalidate=5"
    expected = [(200, "private, no-cache"), (200, public), (200, public), (401, "no-store"), (404, "no-store")]
    assert run_with_hub(asked()) == [*expected, (4, "times")]


def test_a_board_made_a_moment_ago_is_there_for_viewers(board: Board, start: Start) -> None:
    """Also for a process that looked which boards there are just before."""
    server = opened(start)
    for number in range(3):
        with transaction.atomic():  # filled with its making, so that nobody finds it being counted
            make(f"new-{number}")
        with viewer(server, ON.format(f"new-{number}")) as socket:
            assert socket.opening()[1]["board"] == f"new-{number}"
        with transaction.atomic():
            make(f"newer-{number}")
        with watcher(server, ON.format(f"newer-{number}")) as events:
            assert events.opening()[1]["board"] == f"newer-{number}"
