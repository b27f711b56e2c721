"""Many viewers at once, and many one after another: what they cost does not depend on how many they are, or were."""

import asyncio
import time
from typing import Any

import psutil
import pytest

from api import redis_client
from leaderboard import boards
from tests.support.processes import eventually
from tests.support.redis_of_our_own import OwnRedis
from tests.system.live.clients import token_of, viewer, watcher
from tests.system.live.conftest import Start
from tests.system.live.crowd import Crowd, Member, together
from tests.system.live.server import NOWHERE, Server
from tests.system.live.writing import page, user_id, write

MANY = 300
VISITS = 3600
REPEATED_READS = 40  # commands of the periodic reads that may fall into a measurement
A_SECOND = 3  # of them in each further one


def name(number: int) -> str:
    return f"viewer-{number}"


def identity(number: int) -> str:
    return token_of(str(user_id(name(number))))


def test_everyone_reconnecting_at_once_costs_redis_and_postgresql_nothing(own_redis: OwnRedis, start: Start) -> None:
    """There is no PostgreSQL: no viewer without a session may need it."""
    server = start(DATABASE_URL=NOWHERE)
    crowd = Crowd(MANY)
    write("alice", 30)

    async def work() -> None:
        await crowd.come(server)
        await crowd.until_all_have(page().epoch, page().seq)
        await crowd.go()
        for member in crowd.members:
            member.seen.clear()
        before, began = own_redis.calls(), time.monotonic()
        await crowd.come(server)
        newest = page()
        await crowd.until(lambda member: member.seen, "is shown the board again")
        assert {member.seen[-1] for member in crowd.members} == {(newest.epoch, newest.seq)}
        assert own_redis.calls() - before < REPEATED_READS + A_SECOND * (time.monotonic() - began)

    together(crowd, work)


def test_a_push_costs_redis_the_same_for_one_viewer_and_for_many(own_redis: OwnRedis, start: Start) -> None:
    server = start(DATABASE_URL=NOWHERE, LEADERBOARD_PUSH_INTERVAL_MS="50")
    costs: dict[int, float] = {}
    version = 0

    def measured(crowd: Crowd, members: int) -> None:
        async def work() -> None:
            nonlocal version
            await crowd.come(server)
            await crowd.until(lambda member: member.seen, "is shown the board")
            before, began = own_redis.calls(), time.monotonic()
            for _ in range(10):
                version += 1
                write("alice", version, version)
                await crowd.until_all_have(page().epoch, page().seq)
            costs[members] = own_redis.calls() - before - A_SECOND * (time.monotonic() - began)

        together(crowd, work)

    measured(Crowd(1), 1)
    measured(Crowd(MANY), MANY)
    assert costs[MANY] < costs[1] + REPEATED_READS


@pytest.mark.long
def test_the_own_lines_of_all_signed_in_viewers_are_one_read(own_redis: OwnRedis, start: Start) -> None:
    server = start(DATABASE_URL=NOWHERE)
    crowd = Crowd(100)

    async def work() -> None:
        await crowd.come(server, token=identity)
        await crowd.until(lambda member: "you" in member.kinds, "has an own line")
        lines = [member.kinds.count("you") for member in crowd.members]
        before, began = evaluations(), time.monotonic()
        write(name(7), 30)
        await asyncio.sleep(0)
        await crowd.until(lambda member: member.kinds.count("you") > lines[0], "hears that there is a player more")
        # The write itself, the board, the lines; and the periodic reads that may fall in between.
        assert evaluations() - before <= 8 + 2 * (time.monotonic() - began)

    together(crowd, work)


def evaluations() -> int:
    stats = redis_client.connection().info("commandstats")
    assert isinstance(stats, dict)
    return sum(stats.get(f"cmdstat_{script}", {"calls": 0})["calls"] for script in ("eval", "evalsha"))


class Baseline:
    """What a live server holds on to."""

    def __init__(self, server: Server) -> None:
        self.process = psutil.Process(server.process.pid)
        self.server = server

    def counts(self) -> dict[str, float]:
        clients: Any = redis_client.connection().client_list()
        return {
            "viewers": self.server.viewers(),
            "signed in": self.server.metric("scoreboard_live_signed_in"),
            "blocked": self.server.metric("scoreboard_live_blocked"),
            "groups": self.server.metric("scoreboard_live_groups"),
            "tasks": self.server.metric("scoreboard_live_tasks"),
            "Redis connections": len(clients),
            "subscriptions": sum(int(client["sub"]) for client in clients),
            "threads": self.process.num_threads(),
        }

    def memory(self) -> int:
        return int(self.process.memory_info().rss)


@pytest.mark.long
def test_an_hour_of_churn_leaves_nothing_behind(own_redis: OwnRedis, start: Start) -> None:
    """Thousands of visits: orderly, aborted, signed in and not, over both transports, while the board changes."""
    server = start(DATABASE_URL=NOWHERE, LEADERBOARD_PUSH_INTERVAL_MS="50")
    baseline = Baseline(server)

    def settled() -> dict[str, float]:
        eventually(lambda: server.viewers() == 0 and server.metric("scoreboard_live_groups") == 1, "all are gone")
        eventually(lambda: server.metric("scoreboard_live_tasks") == idle, "their tasks too")
        return baseline.counts()

    visits(server, 200)
    idle = steady_tasks(server)
    before = settled()
    visits(server, 400)
    settled()
    middle = baseline.memory()
    visits(server, VISITS)
    after = settled()
    # The feed and the own lines ask at the same moment or they do not: one connection more or less.
    assert abs(after.pop("Redis connections") - before.pop("Redis connections")) <= 1
    assert after == before
    # Less than a kilobyte each: nothing is kept of them. So many that an allocator's own steps do not weigh.
    assert baseline.memory() - middle < VISITS * 1024
    with viewer(server) as alice, watcher(server) as bob:
        write("last", 10**6)
        for each in (alice, bob):
            assert each.until("leaderboard_update", seq=page().seq)["top"][0]["username"] == "last"
    channel = boards.channel(boards.get("global"))
    assert redis_client.connection().pubsub_numsub(channel) == [(channel.encode(), 1)]


def steady_tasks(server: Server) -> float:
    """The tasks of a server without viewers: the same number for longer than the second between two counts."""
    eventually(lambda: server.viewers() == 0, "all are gone")
    tasks, since = -1.0, time.monotonic()

    def same() -> bool:
        nonlocal tasks, since
        now = server.metric("scoreboard_live_tasks")
        if now != tasks:
            tasks, since = now, time.monotonic()
        return time.monotonic() - since > 2.5

    eventually(same, "a steady number of tasks")
    return tasks


def visits(server: Server, count: int) -> None:
    """Some leave with a close frame, some just drop the connection, some before they have read anything."""
    crowd = Crowd(40)

    async def work() -> None:
        for turn in range(count // len(crowd.members)):
            await crowd.come(server, token=identity if turn % 2 else None)
            write("alice", turn + 1, turn + 1)
            if turn % 3:
                await crowd.until(lambda member: member.kinds, "has heard something")
            await asyncio.gather(*(leave(member, number) for number, member in enumerate(crowd.members)))
            for member in crowd.members:
                member.kinds.clear()
                member.seen.clear()
            with watcher(server) as stream:
                stream.opening()

    together(crowd, work)


async def leave(member: Member, number: int) -> None:
    if number % 2 and member.connection is not None:
        member.connection.transport.abort()
    await member.go()


@pytest.mark.parametrize("viewers", [50])
def test_viewers_of_one_server_do_not_wait_for_each_other(start: Start, viewers: int) -> None:
    """One that never reads, among many that do: everyone else has each snapshot."""
    server = start(DATABASE_URL=NOWHERE, LEADERBOARD_PUSH_INTERVAL_MS="50")
    crowd = Crowd(viewers)

    async def work() -> None:
        await crowd.come(server, query="?limit=100")
        idle = crowd.members[0].connection
        assert idle is not None
        idle.transport.pause_reading()
        crowd.members, sleeper = crowd.members[1:], crowd.members[0]
        for version in range(1, 30):
            write("alice", version, version)
            newest = page()
            await crowd.until_all_have(newest.epoch, newest.seq)
        idle.transport.resume_reading()
        crowd.members.append(sleeper)
        newest = page()
        await crowd.until_all_have(newest.epoch, newest.seq)

    together(crowd, work)
