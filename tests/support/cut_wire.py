"""A wire to PostgreSQL that a test may cut, hold and mend: what a server process sees of a database that goes away."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from tests.system.live.server import database_url


class CutWire:
    """Listens on a port of its own and passes everything on to the test database, or does not.

    `mute_after`: once a connection has sent these bytes, it never hears of the database again: the statement is
    executed, and its client does not learn of it.
    """

    def __init__(self) -> None:
        self.door = socket.create_server(("127.0.0.1", 0))
        self.whole = True
        self.mute_after = b""
        self.open: list[socket.socket] = []
        self.lock = threading.Lock()
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    @property
    def url(self) -> str:
        """DATABASE_URL by way of this wire."""
        given = urlsplit(database_url())
        host, port = self.door.getsockname()
        user = given.netloc.rpartition("@")[0]
        return urlunsplit(given._replace(netloc=f"{user}@{host}:{port}", query=""))

    def cut(self) -> None:
        """Ends every connection and refuses new ones, as a stopped PostgreSQL does."""
        with self.lock:
            self.whole = False
            for one in self.open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self.open.clear()

    def mend(self) -> None:
        self.whole, self.mute_after = True, b""

    def close(self) -> None:
        self.cut()
        self.door.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.door.accept()
                with self.lock:
                    if not self.whole:
                        near.close()
                        continue
                    far = target()
                    self.open += [near, far]
                mute = threading.Event()
                for source, sink, answers in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._pass, args=(source, sink, answers, mute), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, answers: bool, mute: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not answers and self.mute_after and self.mute_after in data:
                    mute.set()
                if not (answers and mute.is_set()):
                    sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def target() -> socket.socket:
    """A connection to the real thing, over TCP or its Unix socket."""
    about = connection.settings_dict
    host, port = about["HOST"] or about["OPTIONS"].get("host", "127.0.0.1"), int(about["PORT"] or 5432)
    if str(host).startswith("/"):
        wire = socket.socket(socket.AF_UNIX)
        wire.connect(os.path.join(host, f".s.PGSQL.{port}"))
        return wire
    return socket.create_connection((host, port))


@contextmanager
def cut_wire() -> Iterator[CutWire]:
    wire = CutWire()
    try:
        yield wire
    finally:
        wire.close()
