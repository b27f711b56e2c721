"""Fixtures of the live side's tests."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.fixtures import Settings

from api import redis_client
from leaderboard import ranking, snapshots
from leaderboard.boards import VISIBLE_TOP, Board
from tests.support.processes import eventually
from tests.system.live.clients import answer, viewer
from tests.system.live.server import NOWHERE, Server
from tests.system.live.writing import empty_board, write

PUSH_MS = 100
Start = Callable[..., Server]


def assert_no_defect(server: Server) -> None:
    log = server.log.read_text()
    assert "Traceback" not in log, log
    assert '"critical"' not in log, log


class Fleet:
    """Servers by what distinguishes them, all on one key prefix."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = f"{settings.REDIS_KEY_PREFIX}{uuid.uuid4().hex[:12]}:"
        self.servers: dict[tuple[tuple[str, str], ...], Server] = {}

    def server(self, **changes: str) -> Server:
        wanted = tuple(sorted(changes.items()))
        if wanted not in self.servers:
            usual = {"DATABASE_URL": NOWHERE, "LEADERBOARD_PUSH_INTERVAL_MS": str(PUSH_MS)}
            log = self.folder / f"live-{len(self.servers)}.log"
            self.servers[wanted] = Server(log, REDIS_KEY_PREFIX=self.prefix, **{**usual, **changes})
        return self.servers[wanted]

    def close(self) -> None:
        for server in self.servers.values():
            server.close()
            assert_no_defect(server)
        for key in redis_client.connection().scan_iter(f"{self.prefix}*"):
            redis_client.connection().delete(key)


@pytest.fixture
def start(board: Board, tmp_path: Path) -> Iterator[Start]:
    """Starts live servers on the test's board; none of them may have met a defect."""
    servers: list[Server] = []

    def one_more(kind: type[Server] = Server, **changes: str) -> Server:
        servers.append(kind(tmp_path / f"live-{len(servers)}.log", **changes))
        return servers[-1]

    yield one_more
    for server in servers:
        server.close()
    for server in servers:
        assert_no_defect(server)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Live servers shared by many tests: starting one takes longer than most of them."""
    fleet = Fleet(tmp_path_factory.mktemp("live"))
    yield fleet
    fleet.close()


@pytest.fixture
def live(fleet: Fleet, settings: Settings) -> Server:
    """A server on an empty board under a new epoch that it has already pushed. It has no database."""
    share(settings, fleet.prefix)
    server = fleet.server()
    epoch = empty_board()
    eventually(lambda: first_epoch(server) == epoch, "the new epoch is live")
    return server


@pytest.fixture
def private(fleet: Fleet, settings: Settings) -> Server:
    """The same for a board that only signed-in viewers may see."""
    share(settings, fleet.prefix)
    empty_board()
    return fleet.server(LEADERBOARD_PUBLIC="false")


def share(settings: Settings, prefix: str) -> None:
    """This process on the same keys, channels and groups as the servers with this prefix."""
    settings.REDIS_KEY_PREFIX = prefix
    layer = settings.CHANNEL_LAYERS["default"]
    settings.CHANNEL_LAYERS = {"default": {**layer, "CONFIG": {**layer["CONFIG"], "prefix": f"{prefix}channels"}}}


def first_epoch(server: Server) -> str | None:
    with viewer(server) as anyone:
        epoch: str | None = anyone.next()["epoch"]
        return epoch


def opened(start: Start) -> Server:
    """A server that has read which boards there are."""
    server = start()
    eventually(lambda: answer(server, "?board=never-made")[0].status == 404, "the boards are known")
    return server


@pytest.fixture
def copy(board: Board, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[snapshots.Snapshot]:
    """The hub has just read the board, and however slow the test is, that was just now."""
    monkeypatch.setattr(snapshots, "FRESH_SECONDS", 3600.0)
    settings.LIMITS = {**settings.LIMITS, "ip": "off"}
    for number in range(12):
        write(f"player{number}", 100 - number)
    snapshots.put(board, ranking.top(board, VISIBLE_TOP))
    current = snapshots.fresh(board)
    assert current is not None
    yield current
    snapshots.of(board).current = None
