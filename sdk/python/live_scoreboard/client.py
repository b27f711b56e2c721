"""The client that waits for its answers, and what it shares with the one for asyncio."""

import logging
import math
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from functools import wraps
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import BufferedReader, RawIOBase
from socket import SHUT_RDWR, socket
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from live_scoreboard.buffer import Buffer
from live_scoreboard.core import LONGEST_WAIT, Answer, Core, Line, OnRefused, Send, Show, Steps, Wait
from live_scoreboard.errors import Refused
from live_scoreboard.shapes import Award, Board

P = ParamSpec("P")
T = TypeVar("T")
MAX_ANSWER_BYTES = 16 << 20
SILENCE_SECONDS = 40.0  # of a stream, which says something every 15
log = logging.getLogger("live_scoreboard")


class Reads(RawIOBase):
    """Of an answer that has to be whole at `ends`, by the monotonic clock: a socket's own time-out is for one read."""

    def __init__(self, connection: socket, raw: RawIOBase, ends: float) -> None:
        self.connection, self.raw, self.ends = connection, raw, ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if (left := self.ends - time.monotonic()) <= 0:
            raise TimeoutError("timed out")
        self.connection.settimeout(left if left < math.inf else SILENCE_SECONDS)
        return self.raw.readinto(buffer)

    def close(self) -> None:
        self.raw.close()
        super().close()


class Stream:
    def __init__(self, connection: socket, method: str, ends: float) -> None:
        self.connection, self.response = connection, HTTPResponse(connection, method=method)
        self.reads = Reads(connection, self.response.fp.detach(), ends)
        self.response.fp = BufferedReader(self.reads)

    def end(self) -> None:
        """From any thread: one that waits for a line comes back."""
        with suppress(OSError):
            self.connection.shutdown(SHUT_RDWR)


def log_refused(award: dict[str, Any], error: Refused) -> None:
    log.error("award %r was refused: %s", award["id"], error)


class Shell:
    """`key`: an API key. `token`: a player's, or a function that returns one. `timeout`: seconds for one attempt.

    `buffer` keeps the awards of `award_later`. `on_refused` hears of those that are refused, in the thread that sends
    them; an award whose report fails is sent, and reported, again. `traceparent`: a function that returns the caller's
    place in a trace (W3C), "" outside of any; what is sent in the background has none.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        token: str | Callable[[], str] | None = None,
        timeout: float = 10.0,
        attempts: int = 5,
        buffer: Buffer | None = None,
        on_refused: OnRefused = log_refused,
        traceparent: Callable[[], str] = str,
    ) -> None:
        self.core = Core(url, key, token, attempts, buffer or Buffer(), traceparent)
        self.timeout, self.on_refused = timeout, on_refused
        self._change, self._closing, self._thread = threading.Condition(), False, threading.Thread()
        self._tls = ssl.create_default_context() if self.core.base.scheme == "https" else None
        self._wake()

    def take(self, step: Send | Line | Wait) -> Any:
        """Takes a step of the core's; returns what came of it."""
        try:
            if isinstance(step, Send):
                return self._send(step)
            return (
                step.stream.response.readline(MAX_ANSWER_BYTES) if isinstance(step, Line) else time.sleep(step.seconds)
            )
        except (OSError, HTTPException, ValueError) as error:
            return error

    def _send(self, send: Send) -> Answer | Stream:
        base, timeout = self.core.base, self.timeout
        secure = (
            HTTPSConnection(base.hostname or "", base.port, timeout=timeout, context=self._tls) if self._tls else None
        )
        connection = secure or HTTPConnection(base.hostname or "", base.port, timeout=timeout)
        ends = time.monotonic() + timeout
        connection.request(send.method, send.path, send.body, {**send.headers, "Connection": "close"})
        stream = Stream(connection.sock, send.method, ends)
        connection.close()  # the stream has its socket
        with ExitStack() as closing:
            response = closing.enter_context(stream.response)
            response.begin()
            if send.stream and response.status == 200:
                stream.reads.ends = math.inf
                closing.pop_all()
                return stream
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read(MAX_ANSWER_BYTES))

    def _accept(self, award: Award) -> None:
        self.core.buffer.add(award)
        self._wake()

    def _close(self, seconds: float) -> bool:
        with self._change:
            emptied = self._change.wait_for(lambda: not self.core.buffer.count, seconds)
            self._closing = True
            self._change.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self.core.buffer.close()
        return emptied

    def _wake(self) -> None:
        with self._change:
            if self.core.buffer.count and not self._thread.is_alive():
                self._thread = threading.Thread(target=self._deliver, name="live-scoreboard", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def _deliver(self) -> None:
        steps = self.core.deliver(self.on_refused)
        reply = None
        while not self._closing:
            try:
                step = steps.send(reply)
                reply = self.take(step) if isinstance(step, Send) else self._pause(step.seconds)
            except Exception as error:
                steps, reply = self.core.deliver(self.on_refused), None
                if not isinstance(error, StopIteration):  # but of on_refused, or of the disk
                    log.exception("awards wait: the next attempt is in %s s", LONGEST_WAIT)
                    self._pause(LONGEST_WAIT)
                with self._change:
                    self._change.notify_all()
                    self._change.wait_for(lambda: self._closing or self.core.buffer.count)

    def _pause(self, seconds: float) -> Any:
        with self._change:
            self._change.wait_for(lambda: self._closing, seconds)


def call(steps_of: Callable[Concatenate[Core, P], Steps[T]]) -> Callable[Concatenate["Client", P], T]:
    @wraps(steps_of)
    def called(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        steps, reply = steps_of(client.core, *args, **kwargs), None
        while True:
            try:
                reply = client.take(steps.send(reply))
            except StopIteration as end:
                value: T = end.value
                return value

    return called


class Client(Shell):
    award, player, viewer_token = call(Core.award), call(Core.player), call(Core.viewer_token)
    act, score, top = call(Core.act), call(Core.score), call(Core.top)

    def award_later(self, **award: Unpack[Award]) -> None:
        """Accepts it and returns; it is sent in the background until there is a final answer. Raises BufferFull."""
        self._accept(award)

    def watch(
        self, limit: int = 10, *, board: str = "global", period: str | None = None
    ) -> Generator[Board, None, None]:
        """Each new state of the board, for ever; over a new connection when one ends. Raises Refused."""
        steps, reply = self.core.watch(limit, board, period), None
        while True:
            step = steps.send(reply)
            reply = (yield step.board) if isinstance(step, Show) else self.take(step)

    def close(self, seconds: float = 10.0) -> bool:
        """Whether all that was accepted was answered in this time. What a file has waits there for the next client."""
        return self._close(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
