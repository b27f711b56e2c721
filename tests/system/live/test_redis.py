"""Redis goes away under viewers, in every way it can: they stay, are told nothing false, and are put right soon."""

import signal
import time
from collections.abc import Iterator

import pytest

from accounts.models import User
from api import redis_client
from leaderboard import boards, ranking, rebuild
from leaderboard.boards import Board
from tests.support.people import give
from tests.support.processes import PATIENCE, eventually
from tests.support.redis_of_our_own import OwnRedis
from tests.system.live.clients import Message, Watching, viewer, watcher
from tests.system.live.conftest import Start
from tests.system.live.server import Server
from tests.system.live.writing import page, write


@pytest.fixture
def server(own_redis: OwnRedis, start: Start) -> Server:
    return start(LEADERBOARD_PUSH_INTERVAL_MS="100")


@pytest.fixture
def everyone(server: Server) -> Iterator[list[Watching]]:
    """Viewers on both transports, who have seen the board's first snapshot."""
    with viewer(server) as alice, viewer(server, "?limit=3") as bob, watcher(server) as carol:
        watching: list[Watching] = [alice, bob, carol]
        for each in watching:
            each.opening()
        yield watching


def corrected(everyone: list[Watching], scores: dict[str, int], seconds: float = PATIENCE) -> Message:
    """All of them, over the connections they have, next see exactly this; returns the snapshot."""
    deadline = time.monotonic() + seconds
    for each in everyone:
        while (message := each.next(deadline - time.monotonic()))["type"] == "ping":
            pass
        assert message["type"] == "leaderboard_update"
        assert {row["username"]: row["score"] for row in message["top"]} == scores
    return message


def until_noticed(server: Server, outcome: str = "away") -> None:
    """The server has found out that it cannot read the board."""
    eventually(lambda: server.metric("scoreboard_live_reads_total", outcome=outcome) > 0, "noticed")


def test_redis_restarted(own_redis: OwnRedis, server: Server, everyone: list[Watching]) -> None:
    write("alice", 30)
    before = corrected(everyone, {"alice": 30})
    own_redis.stop()
    until_noticed(server)
    own_redis.start()
    # It is another Redis process: it gets another epoch, whether anything was lost or not.
    after = corrected(everyone, {"alice": 30})
    assert after["epoch"] != before["epoch"]
    write("alice", 31, 2)
    corrected(everyone, {"alice": 31})
    assert server.metric("scoreboard_live_subscriptions_total") >= 2
    assert server.viewers() == len(everyone)


def test_redis_killed_and_come_back_without_its_last_writes(
    own_redis: OwnRedis, server: Server, everyone: list[Watching]
) -> None:
    """seq counts again from where it was: without a new epoch viewers would drop the truth as old news."""
    write("alice", 30)
    before = corrected(everyone, {"alice": 30})
    redis_client.connection().config_set("appendonly", "no")
    for version in range(2, 6):
        write("alice", 100 + version, version)
        corrected(everyone, {"alice": 100 + version})
    own_redis.kill()
    own_redis.start()
    after = corrected(everyone, {"alice": 30})
    assert after["epoch"] != before["epoch"]
    write("alice", 102, 2)
    corrected(everyone, {"alice": 102})
    assert server.viewers() == len(everyone)


def test_seq_seen_going_back_within_an_epoch(server: Server, everyone: list[Watching]) -> None:
    """Something in between may change the Redis behind a connection that holds: a proxy, say."""
    write("alice", 30)
    write("alice", 31, 2)
    before = everyone[0].scores({"alice": 31})
    for each in everyone[1:]:
        each.scores({"alice": 31})
    redis_client.connection().hset(boards.keys(boards.get("global")).meta, "seq", "1")
    after = corrected(everyone, {"alice": 31})
    assert after["epoch"] != before["epoch"]


@pytest.mark.parametrize("transaction", ["flushall", pytest.param("flushdb", marks=pytest.mark.long)])
def test_redis_flushed(
    own_redis: OwnRedis, server: Server, everyone: list[Watching], alice: User, transaction: str
) -> None:
    give(alice, 30)
    before = corrected(everyone, {"alice": 30})
    getattr(redis_client.connection(), transaction)()
    after = corrected(everyone, {"alice": 30})
    assert after["epoch"] != before["epoch"]
    give(alice, 5)
    corrected(everyone, {"alice": 35})
    assert server.viewers() == len(everyone)


def test_redis_flushed_while_postgresql_is_away_too(own_redis: OwnRedis, start: Start, board: Board) -> None:
    server = start(DATABASE_URL="postgres://nobody@127.0.0.1:9/nothing", LEADERBOARD_PUSH_INTERVAL_MS="100")
    with viewer(server) as alice:
        alice.opening()
        redis_client.connection().flushall()
        until_noticed(server, "lost")
        eventually(lambda: "rebuild_postponed" in server.log.read_text(), "the rebuild is tried, and cannot be done")
        assert rebuild.rebuild(board) or eventually(lambda: rebuild.rebuild(board), "the lock is free again")
        corrected([alice], {})


def test_redis_hanging(own_redis: OwnRedis, server: Server, everyone: list[Watching]) -> None:
    write("alice", 30)
    before = corrected(everyone, {"alice": 30})
    own_redis.send(signal.SIGSTOP)
    until_noticed(server)
    own_redis.send(signal.SIGCONT)
    redis_client.breaker.open_until = 0.0
    eventually(lambda: answered(31), "Redis takes writes again")
    after = corrected(everyone, {"alice": 31})
    assert after["epoch"] == before["epoch"]  # it is the same Redis and has lost nothing
    assert server.viewers() == len(everyone)


def answered(total: int) -> bool:
    try:
        write("alice", total, 2)
    except ranking.Unavailable:
        return False
    return True


def test_a_subscription_that_is_cut_is_made_again(server: Server, everyone: list[Watching]) -> None:
    redis = redis_client.connection()
    for version in range(1, 6):
        redis.client_kill_filter(_type="pubsub")
        write("alice", version, version)
        corrected(everyone, {"alice": version})
    channel = boards.channel(boards.get("global"))
    eventually(lambda: redis.pubsub_numsub(channel) == [(channel.encode(), 1)], "the process is in the group again")
    assert server.viewers() == len(everyone)


def test_a_server_started_without_redis(own_redis: OwnRedis, board: Board, start: Start) -> None:
    write("alice", 30)
    own_redis.stop()
    server = start()
    with viewer(server) as alice, watcher(server) as bob:
        for each in (alice, bob):
            hello = each.next()
            assert (hello["type"], hello["epoch"], hello["seq"]) == ("connection_success", None, None)
        alice.say(type="resume", epoch="e", seq=1)  # nothing is known: nothing is said
        own_redis.start()
        corrected([alice, bob], {"alice": 30})
        alice.say(type="resume", epoch=page().epoch, seq=page().seq)
        assert alice.next()["type"] == "current"


@pytest.mark.long
def test_two_servers_agree_after_a_restart_of_redis(own_redis: OwnRedis, start: Start) -> None:
    servers = [start(LEADERBOARD_PUSH_INTERVAL_MS="100") for _ in range(2)]
    with viewer(servers[0]) as alice, viewer(servers[1]) as bob:
        for each in (alice, bob):
            each.opening()
        write("alice", 30)
        for each in (alice, bob):
            each.scores({"alice": 30})
        before = page().epoch
        own_redis.kill()
        own_redis.start()
        write("alice", 31, 2)
        eventually(lambda: page().epoch != before, "the board is declared another")
        newest = page()
        for each in (alice, bob):
            shown = each.until("leaderboard_update", epoch=newest.epoch, seq=newest.seq)
            assert [row["score"] for row in shown["top"]] == [31]
