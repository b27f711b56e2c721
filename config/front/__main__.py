"""``python -m config.front``: listens on HOST and PORT; web.sock and live.sock lie in SCOREBOARD_SOCKETS."""

import asyncio
import os
import signal
from pathlib import Path

import uvloop

from config.front.door import Door


async def main() -> None:
    loop = asyncio.get_running_loop()
    leave = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, leave.set)
    door = Door(loop, Path(os.environ["SCOREBOARD_SOCKETS"]))
    await door.serve(os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000")), leave)


if __name__ == "__main__":
    uvloop.run(main())
