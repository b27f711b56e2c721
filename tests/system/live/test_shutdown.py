"""A live server ends, in order or not: its viewers know, and find another."""

import signal
import threading
from collections.abc import Iterator

import pytest

from tests.support.processes import PATIENCE
from tests.support.redis_of_our_own import OwnRedis
from tests.system.live.clients import stalled, token_of, viewer, watcher
from tests.system.live.conftest import Start
from tests.system.live.crowd import Crowd, together
from tests.system.live.server import NOWHERE, Server
from tests.system.live.writing import page, write


class Writer:
    """Scores all the time until it is stopped; then its last write is done."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.write_on)
        self.thread.start()

    def write_on(self) -> None:
        version = 0
        while not self.over.wait(0.005):
            version += 1
            write("alice", version, version)

    def stop(self) -> None:
        self.over.set()
        self.thread.join()


@pytest.fixture
def load() -> Iterator[Writer]:
    writer = Writer()
    yield writer
    writer.stop()


def test_sigterm_under_load_says_goodbye_to_everyone(start: Start, load: Writer) -> None:
    server = start(DATABASE_URL=NOWHERE, LEADERBOARD_PUSH_INTERVAL_MS="50")
    crowd = Crowd(200)

    async def work() -> None:
        await crowd.come(server)
        await crowd.until(lambda member: len(member.seen) > 3, "follows the board")
        server.send(signal.SIGTERM)
        await crowd.until(lambda member: member.ended, "is told to leave")

    with watcher(server) as stream:
        stream.opening()
        together(crowd, work)
        messages = stream.rest()
    assert {member.code for member in crowd.members} == {4000}
    assert {member.kinds[-1] for member in crowd.members} == {"bye"}
    delays = [member.retry or 0 for member in crowd.members]
    assert min(delays) >= 1000
    assert max(delays) <= 6000
    assert len(set(delays)) > 100  # jitter: they come back over five seconds, not all at once
    assert stream.ended
    assert messages[-1]["type"] == "bye"
    assert stream.retries[-1] == messages[-1]["retry_ms"]
    server.process.wait(PATIENCE)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_viewers_that_do_not_read_cannot_hold_it_up(start: Start, load: Writer, signum: signal.Signals) -> None:
    server = start(DATABASE_URL=NOWHERE, LEADERBOARD_PUSH_INTERVAL_MS="50")
    with stalled(server, "websocket", 3), stalled(server, "sse", 3), viewer(server) as alice:
        alice.opening()
        server.send(signum)
        assert alice.ending()[1] == 4000
        server.process.wait(PATIENCE)


def test_a_server_without_viewers_ends_at_once(start: Start) -> None:
    server = start(DATABASE_URL=NOWHERE)
    server.send(signal.SIGTERM)
    server.process.wait(PATIENCE)
    assert server.log.read_text() == ""


def test_viewers_of_a_killed_server_find_another_and_never_go_back_in_time(start: Start, load: Writer) -> None:
    servers = [start(DATABASE_URL=NOWHERE, LEADERBOARD_PUSH_INTERVAL_MS="50") for _ in range(2)]
    crowd = Crowd(100)

    async def work() -> None:
        await crowd.come(*servers)
        await crowd.until(lambda member: len(member.seen) > 3, "follows the board")
        servers[0].send(signal.SIGKILL)
        lost = Crowd(0)
        lost.members = crowd.members[::2]
        await lost.until(lambda member: member.ended, "notices")
        assert {member.code for member in lost.members} == {None}
        await lost.come(servers[1])
        load.stop()
        newest = page()
        await crowd.until_all_have(newest.epoch, newest.seq)

    together(crowd, work)
    for member in crowd.members:
        assert_never_back(member.seen)
    newest = page()
    for member in crowd.members:
        assert (member.last["epoch"], member.last["seq"]) == (newest.epoch, newest.seq)
        assert [row["score"] for row in member.last["top"]] == [row.score for row in newest.rows]


def assert_never_back(seen: list[tuple[str, int]]) -> None:
    """By the client's rule: within an epoch what is not newer is dropped. A repeat after reconnecting is no harm."""
    highest: dict[str, int] = {}
    for epoch, seq in seen:
        highest[epoch] = max(seq, highest.get(epoch, 0))
    assert seen[-1][1] == highest[seen[-1][0]]


@pytest.mark.long
def test_a_client_bounced_between_two_servers_never_goes_back_in_time(start: Start, load: Writer) -> None:
    servers: list[Server] = [start(DATABASE_URL=NOWHERE, LEADERBOARD_PUSH_INTERVAL_MS="100") for _ in range(2)]
    epoch, seq = "", 0
    for turn in range(20):
        with viewer(servers[turn % 2]) as alice:
            alice.opening()
            alice.say(type="resume", epoch=epoch, seq=seq)
            while True:
                message = alice.until("leaderboard_update")
                if message["epoch"] != epoch or message["seq"] > seq:
                    break
            assert turn == 0 or message["epoch"] == epoch
            epoch, seq = message["epoch"], message["seq"]


def test_a_hanging_redis_cannot_hold_it_up(own_redis: OwnRedis, start: Start) -> None:
    server = start(DATABASE_URL=NOWHERE)
    with viewer(server, protocols=("bearer", token_of())) as alice:
        alice.until("you")
        own_redis.send(signal.SIGSTOP)
        server.send(signal.SIGTERM)
        assert alice.ending()[1] == 4000
        server.process.wait(PATIENCE)
        own_redis.send(signal.SIGCONT)
