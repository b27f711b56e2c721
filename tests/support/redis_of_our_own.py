"""A Redis that a test may stop, kill, pause and flush."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from api import redis_client
from devsite.valkey import Valkey


class OwnRedis:
    """The embedded server, on a Unix socket below a folder of its own; its data survive `stop` and `start`."""

    def __init__(self, folder: Path) -> None:
        self.server = Valkey(folder, folder)
        self._nothing = os.open(os.devnull, os.O_RDONLY)  # in the place of the home's lock

    @property
    def url(self) -> str:
        return self.server.url

    def start(self) -> None:
        self.server.start(self._nothing)
        redis_client.breaker.open_until = 0.0

    def stop(self) -> None:
        """In order: nothing is lost."""
        self.server.child.stop()

    def send(self, signum: signal.Signals) -> None:
        assert self.server.child.process is not None
        self.server.child.process.send_signal(signum)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        assert self.server.child.process is not None
        self.server.child.process.wait()

    def close(self) -> None:
        if self.server.child.running():
            self.kill()
        os.close(self._nothing)

    def calls(self) -> int:
        """Commands executed so far, those inside scripts included."""
        stats: Any = redis_client.connection().info("commandstats")
        own = {"cmdstat_info", "cmdstat_config|resetstat"}
        return sum(about["calls"] for name, about in stats.items() if name not in own)


@pytest.fixture
def own_redis(settings: Settings) -> Iterator[OwnRedis]:
    """Running, and this process is on it as well."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))  # short: a socket's path has 108 bytes
    redis = OwnRedis(folder)
    redis.start()
    settings.REDIS_URL = redis.url
    cache = settings.CACHES["default"]
    patience = {"SOCKET_TIMEOUT": settings.REDIS_TIMEOUT, "SOCKET_CONNECT_TIMEOUT": settings.REDIS_TIMEOUT}
    own = {**cache, "LOCATION": redis.url, "OPTIONS": {**cache["OPTIONS"], **patience}}
    settings.CACHES = {**settings.CACHES, "default": own}
    yield redis
    redis.close()
    shutil.rmtree(folder)
    redis_client.breaker.open_until = 0.0
