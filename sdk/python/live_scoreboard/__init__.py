"""A scoreboard's client: see README.md."""

from live_scoreboard.asyncio_client import AsyncClient
from live_scoreboard.buffer import Buffer
from live_scoreboard.client import Client
from live_scoreboard.errors import BufferFull, Refused, ScoreboardError, Unavailable

__all__ = ["AsyncClient", "Buffer", "BufferFull", "Client", "Refused", "ScoreboardError", "Unavailable"]
