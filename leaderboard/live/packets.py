"""One message to viewers, encoded once and written to many: as JSON, as a WebSocket frame, as an SSE event."""

import json
from typing import Any

from websockets.frames import Frame, Opcode


class Packet:
    """`fields` is the message with its `type`; `event_id` is what SSE gives as `id:`, if anything.

    `prelude` is put before the SSE event as it is: a comment or a `retry:` line with its line end.
    """

    __slots__ = ("_chunk", "_event", "_frame", "event_id", "kind", "payload", "prelude")

    def __init__(self, fields: dict[str, Any], *, event_id: str = "", prelude: str = "") -> None:
        self.kind: str = fields["type"]
        # "replace": half a surrogate pair, which Redis can hold and UTF-8 cannot, must not stop a push.
        self.payload = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        self.event_id = event_id
        self.prelude = prelude
        self._frame: bytes | None = None
        self._event: bytes | None = None
        self._chunk: bytes | None = None

    @property
    def text(self) -> str:
        """The message as JSON."""
        return self.payload.decode()

    @property
    def frame(self) -> bytes:
        """A whole, unmasked WebSocket text frame."""
        if self._frame is None:
            self._frame = Frame(Opcode.TEXT, self.payload).serialize(mask=False)
        return self._frame

    @property
    def event(self) -> bytes:
        """One Server-Sent Event. JSON has no line ends, so one `data:` line holds it."""
        if self._event is None:
            named = f"{self.prelude}event: {self.kind}\n" + (f"id: {self.event_id}\n" if self.event_id else "")
            self._event = b"%bdata: %b\n\n" % (named.encode(), self.payload)
        return self._event

    @property
    def chunk(self) -> bytes:
        """The event as one chunk of HTTP's chunked coding."""
        if self._chunk is None:
            self._chunk = b"%x\r\n%b\r\n" % (len(self.event), self.event)
        return self._chunk
