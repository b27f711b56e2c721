"""PostgreSQL and Redis of a test's own, to be killed."""

import os
from contextlib import suppress
from pathlib import Path
from subprocess import Popen

import psutil
import psycopg
import redis

from devsite.postgres import Postgres
from devsite.process import Refusal
from devsite.valkey import Valkey
from tests.support.processes import PATIENCE, eventually

START_SECONDS = 300


class Servers:
    """`folder` must have a short path: sockets lie below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sockets = folder / "sockets"
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        self.postgres = Postgres(folder, self.sockets)
        self.redis = Valkey(folder, self.sockets)
        # Python ignores SIGXFSZ, and so does what it starts without resetting it: a full disk is an error, no end.
        self.redis.child.options["restore_signals"] = False
        self._nothing = os.open(os.devnull, os.O_RDONLY)  # in the place of the home's lock

    def start_postgres(self) -> None:
        """After a kill it may find its former processes still ending; its supervisor tries again."""

        def started() -> bool:
            try:
                self.postgres.start(self._nothing)
            except Refusal:
                return False
            return True

        eventually(started, "PostgreSQL starts", START_SECONDS)

    def start_redis(self) -> None:
        self.redis.start(self._nothing)

    def kill_postgres(self) -> None:
        """Every process of it at once, as when the machine's power fails: none can tell another to write anything."""
        for one in self.postgres_processes():
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.postmaster.wait()

    def kill_redis(self) -> None:
        self.redis_process.kill()
        self.redis_process.wait()

    @property
    def postmaster(self) -> "Popen[bytes]":
        assert self.postgres.child.process is not None
        return self.postgres.child.process

    @property
    def redis_process(self) -> "Popen[bytes]":
        assert self.redis.child.process is not None
        return self.redis.child.process

    def postgres_processes(self) -> list[psutil.Process]:
        postmaster = psutil.Process(self.postmaster.pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def database(self) -> "psycopg.Connection[tuple[object, ...]]":
        """A session of ours, each statement its own transaction."""
        return psycopg.connect(self.postgres.url, autocommit=True, connect_timeout=int(PATIENCE))

    def redis_client(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis.url, socket_timeout=PATIENCE)

    def resume_servers(self) -> None:
        """Both run, whatever was done to them."""
        for process in (self.redis.child.process, self.postgres.child.process):
            if process is not None and process.poll() is None:
                resume(process.pid)
        if not self.redis.child.running():
            self.start_redis()
        if not self.postgres.child.running():
            self.start_postgres()

    def stop_servers(self) -> None:
        for child in (self.redis.child, self.postgres.child):
            if child.process is not None and child.running():
                resume(child.process.pid)
            child.stop()
        os.close(self._nothing)


def resume(pid: int) -> None:
    """The process and all it has started."""
    parent = psutil.Process(pid)
    for one in (parent, *parent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            one.resume()
