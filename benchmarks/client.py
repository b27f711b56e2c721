"""A lean HTTP/1.1 load client: keep-alive connections on one event loop, requests rendered beforehand.

It measures the server, so it does as little as it can: no parsing beyond status line and Content-Length.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Load:
    """What a run saw. `latencies` in seconds, in order of completion; `statuses` counts by HTTP status."""

    seconds: float = 0.0
    cpu: float = 0.0  # seconds of the server's CPU
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def quantile(self, share: float) -> float:
        """Latency in milliseconds below which `share` of the answers lie."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else float("nan")


def render(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """One request, ready to be written."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        *(f"{n.replace('_', '-')}: {v}" for n, v in headers.items()),
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def run(host: str, port: int, requests: Sequence[bytes], connections: int, *, keep_bodies: bool = False) -> Load:
    """Sends each request once, over this many connections, as fast as the answers come."""
    return asyncio.run(_run(host, port, requests, connections, keep_bodies))


async def _run(host: str, port: int, requests: Sequence[bytes], connections: int, keep_bodies: bool) -> Load:
    load = Load()
    work = iter(requests)
    started = time.perf_counter()
    await asyncio.gather(*(_connection(host, port, work, load, keep_bodies) for _ in range(connections)))
    load.seconds = time.perf_counter() - started
    return load


async def _connection(host: str, port: int, work: Iterator[bytes], load: Load, keep_bodies: bool) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for request in work:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(content_length(head))
        load.latencies.append(time.perf_counter() - started)
        load.statuses[int(head[9:12])] += 1
        if keep_bodies:
            load.bodies.append(body)
    writer.close()


def content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 : lowered.index(b"\r\n", at)]) if at >= 0 else 0
