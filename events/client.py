"""One POST to a webhook: to addresses that it may reach, to an end, whatever the other side does.

httpcore follows no redirects, reads no proxies from the environment and has the connection made by a backend of ours:
each address is judged before it is connected to, and the socket's own once more when it is.
"""

import socket
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import httpcore
from django.conf import settings

from api.tls import trusted
from events.addresses import may_connect

CONNECT_SECONDS = 5.0
SECONDS = 15.0  # for all of it; a look-up of the name that takes longer ends it when it has its answer
MAX_ANSWER = 64 * 1024  # bytes that are read of an answer; more end the connection
FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError, UnicodeError)


class NotAllowed(OSError):
    """The name leads to an address that webhooks may not reach."""


class Answer(NamedTuple):
    """`status` is None when there was none; then `error` says why."""

    status: int | None
    error: str
    milliseconds: int

    @property
    def accepted(self) -> bool:
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Backend(httpcore.SyncBackend):
    """`line` is a second handle of the socket, which stays good while TLS takes the first one over. `late` is set when
    the time is over, which it may be before there is a line."""

    def __init__(self) -> None:
        self.tls = True
        self.late = threading.Event()
        self.line: socket.socket | None = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        last: Exception = NotAllowed(f"{host} has no address that webhooks may reach")
        for *_, found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            address = str(found[0])
            if not may_connect(host, address, tls=self.tls):
                continue
            try:
                stream = super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
                continue
            peer = stream.get_extra_info("server_addr")[0]
            if not may_connect(host, peer, tls=self.tls):
                stream.close()
                raise NotAllowed(f"{host} has led to {peer}")
            self.hang_up()
            self.line = stream.get_extra_info("socket").dup()
            if self.late.is_set():
                stream.close()
                raise TimeoutError(f"{host} was found too late")
            return stream
        raise last

    def hang_up(self) -> None:
        line, self.line = self.line, None
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()


class Client:
    """For one endpoint and one thread; its connection is kept from one POST to the next."""

    def __init__(self) -> None:
        self.backend = Backend()
        self.pool = httpcore.ConnectionPool(
            ssl_context=trusted(settings.CA_FILE), max_connections=1, network_backend=self.backend
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.close()
        self.backend.hang_up()

    def post(self, url: str, body: bytes, headers: Mapping[bytes | str, bytes | str]) -> Answer:
        """Raises nothing: what went wrong is in the answer."""
        began = time.monotonic()
        self.backend.tls = urlsplit(url).scheme == "https"
        late = self.backend.late = threading.Event()
        timer = threading.Timer(SECONDS, self.cut, [late])
        timer.daemon = True
        timer.start()
        timeouts = {"connect": CONNECT_SECONDS, "read": SECONDS, "write": SECONDS, "pool": CONNECT_SECONDS}
        status, error = None, ""
        try:
            with self.pool.stream("POST", url, headers=headers, content=body, extensions={"timeout": timeouts}) as said:
                status = said.status
                self.read(said)
        except FAILURES as failure:
            if status is None:
                silent = late.is_set() or isinstance(failure, (httpcore.ReadTimeout, httpcore.WriteTimeout))
                error = f"No answer within {SECONDS:.0f} s." if silent else sentence(failure)
        finally:
            timer.cancel()
        return Answer(status, error, int((time.monotonic() - began) * 1000))

    def cut(self, late: threading.Event) -> None:
        late.set()
        self.backend.hang_up()

    def read(self, said: httpcore.Response) -> None:
        """To the end, so that the connection can be kept; what is too long ends it."""
        size = 0
        for chunk in said.iter_stream():
            size += len(chunk)
            if size > MAX_ANSWER:
                return


def sentence(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}"[:300]
