"""The same for asyncio. Threads make the requests; to wait in between costs none."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from live_scoreboard.client import Shell, Stream
from live_scoreboard.core import Core, Line, Send, Show, Steps, Wait
from live_scoreboard.shapes import Award, Board

P = ParamSpec("P")
T = TypeVar("T")


def call(
    steps_of: Callable[Concatenate[Core, P], Steps[T]],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    @wraps(steps_of)
    async def called(client: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        steps, reply = steps_of(client.core, *args, **kwargs), None
        while True:
            try:
                reply = await client.taken(steps.send(reply))
            except StopIteration as end:
                value: T = end.value
                return value

    return called


class AsyncClient(Shell):
    award, player, viewer_token = call(Core.award), call(Core.player), call(Core.viewer_token)
    act, score, top = call(Core.act), call(Core.score), call(Core.top)

    async def award_later(self, **award: Unpack[Award]) -> None:
        await asyncio.to_thread(self._accept, award)

    async def watch(
        self, limit: int = 10, *, board: str = "global", period: str | None = None
    ) -> AsyncGenerator[Board, None]:
        steps, reply, stream = self.core.watch(limit, board, period), None, None
        thread = ThreadPoolExecutor(1, "live-scoreboard-watch")
        try:
            while True:
                step = steps.send(reply)
                reply = (yield step.board) if isinstance(step, Show) else await self.taken(step, thread)
                stream = reply if isinstance(reply, Stream) else stream
        finally:
            if stream:
                stream.end()
            thread.shutdown(wait=False)

    async def close(self, seconds: float = 10.0) -> bool:
        return await asyncio.to_thread(self._close, seconds)

    async def taken(self, step: Send | Line | Wait, thread: ThreadPoolExecutor | None = None) -> Any:
        if isinstance(step, Wait):
            return await asyncio.sleep(step.seconds)
        return await asyncio.get_running_loop().run_in_executor(thread, self.take, step)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
