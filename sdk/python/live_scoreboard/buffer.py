"""Accepted awards that wait for a final answer: rows of SQLite, in memory or in a file."""

import json
import os
import sqlite3
import threading
from collections.abc import Iterable
from typing import Any

from live_scoreboard.errors import BufferFull, ScoreboardError
from live_scoreboard.shapes import Award

MAX_AWARD_BYTES = 10_000  # 200 of them fit into one request
SCHEMA = """
    PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS waiting (place INTEGER PRIMARY KEY, id TEXT UNIQUE, line BLOB); BEGIN EXCLUSIVE; COMMIT
"""


class Buffer:
    """At most `most` awards, and `most_bytes` of their JSON. `path`: a file, for one process alone."""

    def __init__(self, path: str = ":memory:", *, most: int = 100_000, most_bytes: int = 32 << 20) -> None:
        self.path, self.most, self.most_bytes, self.count, self.size = path, most, most_bytes, 0, 0
        self._guard, self._process = threading.Lock(), os.getpid()
        try:
            self._rows = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            self._rows.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise ScoreboardError(f"{path}: no buffer, or another process has it: {error}") from error
        self.drop([])

    def add(self, award: Award) -> None:
        """Accepts it, once. Raises BufferFull; ValueError or TypeError for what is no award; sqlite3.Error."""
        id, line = award.get("id"), json.dumps(award, ensure_ascii=False, allow_nan=False).encode()
        if not (isinstance(id, str) and 0 < len(id) < 256 and len(line) <= MAX_AWARD_BYTES):
            raise ValueError(f"expected an id of 1 to 255 characters, and at most {MAX_AWARD_BYTES} bytes of JSON")
        with self._guard:
            if self._process != os.getpid() and self.path != ":memory:":
                raise ScoreboardError(f"{self.path} was opened before a fork: open it in the process that uses it")
            known = self._execute("SELECT line FROM waiting WHERE id = ?", id)
            if known and known != [(line,)]:
                raise ValueError(f"another award with the id {id!r} is waiting")
            if not known and (self.count >= self.most or self.size + len(line) > self.most_bytes):
                raise BufferFull(f"no room: {self.count} awards, {self.size} bytes, wait to be sent")
            if not known:
                self._execute("INSERT INTO waiting (id, line) VALUES (?, ?)", id, line)
                self.count, self.size = self.count + 1, self.size + len(line)

    def oldest(self, most: int) -> dict[str, bytes]:
        with self._guard:
            return dict(self._execute("SELECT id, line FROM waiting ORDER BY place LIMIT ?", most))

    def drop(self, ids: Iterable[str]) -> None:
        """They are answered. A crash that loses this has them sent again, with the same ids."""
        with self._guard:
            self._execute("DELETE FROM waiting WHERE id IN (SELECT value FROM json_each(?))", json.dumps([*ids]))
            [(self.count, self.size)] = self._execute("SELECT count(*), ifnull(sum(length(line)), 0) FROM waiting")

    def close(self) -> None:
        with self._guard:
            self._rows.close()

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        return self._rows.execute(statement, values).fetchall()
