"""What to say to a scoreboard and when: generators that yield steps, and do no I/O. The clients take the steps.

What came of a step is sent into the generator: of Send an Answer, or the exception why there is none, or, once a stream
has begun, the stream; of Line a line, b"" at the end, or the exception.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, Unpack, cast
from urllib.parse import quote, urlencode, urlsplit

from live_scoreboard.buffer import Buffer
from live_scoreboard.errors import Refused, ScoreboardError, Unavailable
from live_scoreboard.shapes import Award, Awarded, Board, Player, PlayerFields, Redeemed, Standing, ViewerToken

T = TypeVar("T")
AGAIN = {408, 425, 429}  # and 5xx: not now, but maybe later
UNREADABLE = {"invalid-request", "payload-too-large"}
MAX_BATCH = 200
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds
LONGEST_SAID = 3600  # a Retry-After beyond this is not believed


@dataclass(frozen=True, slots=True)
class Send:
    """A request. `stream`: if the answer is 200, it is read by `Line`."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    stream: bool


@dataclass(frozen=True, slots=True)
class Line:
    stream: Any


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Show:
    board: Board


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


Steps = Generator[Send | Wait, Any, T]
OnRefused = Callable[[dict[str, Any], Refused], None]


class Core:
    """`key`: an API key. `token`: a player's, or a function that has one. `attempts`: of one call. `traceparent`: has
    the caller's place in a trace, "" outside of any."""

    def __init__(
        self,
        url: str,
        key: str | None,
        token: str | Callable[[], str] | None,
        attempts: int,
        buffer: Buffer,
        traceparent: Callable[[], str] = str,
    ) -> None:
        self.base, self.key, self.token, self.attempts, self.buffer = urlsplit(url), key, token, attempts, buffer
        self.traceparent = traceparent
        self.trouble: ScoreboardError | None = None  # why awards wait

    def award(self, **award: Unpack[Award]) -> Steps[Awarded]:
        """Points for a deed, now. Repeat it after Unavailable: the same `id` pays once."""
        return self.data("POST", "awards", award, key=True)

    def player(self, player: str, **fields: Unpack[PlayerFields]) -> Steps[Player]:
        """Says how your user appears; makes the player if there is none."""
        return self.data("PUT", f"players/{quote(player, safe='')}", fields, key=True)

    def viewer_token(self, player: str) -> Steps[ViewerToken]:
        """For the page that your user sees: the board there shows the user's own place."""
        return self.data("POST", "viewer-tokens", {"player": player}, key=True)

    def act(self, action_type: str) -> Steps[Redeemed]:
        """Mints and redeems as the player whose token this is. Waits while it is too early to redeem."""
        minted, since = (yield from self.data("POST", "action/token", {"action_type": action_type})), time.monotonic()
        body = {name: minted[name] for name in ("action_id", "action_type", "action_token")}
        # By the server's clock, for this machine's may be wrong.
        body["timestamp"] = datetime.fromisoformat(minted["issued_at"]).timestamp() + time.monotonic() - since
        try:
            redeemed = yield from self.redeem(body)
        except Refused as error:
            if error.kind != "already-redeemed":
                raise
            redeemed = {"action_id": minted["action_id"], "rank": None, **error.document["original"]}  # it was lost
        return cast(Redeemed, {name: redeemed[name] for name in Redeemed.__annotations__})

    def redeem(self, body: dict[str, Any]) -> Steps[Any]:
        """A busy site answers 202: then asks for what became of it. Raises Unavailable while it still waits."""
        redeemed, misses = (yield from self.data("POST", "score/update", body)), 0
        while "work_id" in redeemed:
            path, misses = f"score/requests/{redeemed['work_id']}", misses + 1
            if misses > self.attempts:
                raise Unavailable(f"GET {path}: it is queued, and counts when the site comes to it")
            yield Wait(pause(misses, None))
            [redeemed] = (yield from self.data("GET", path))["results"] or [redeemed]
            status = redeemed.get("status", 0)
            if again(status):  # too early, say
                redeemed = yield from self.data("POST", "score/update", body)
            elif status >= 300:
                raise Refused(f"GET {path}:", "", status, redeemed)
        return redeemed

    def score(self, user_id: str | None = None, *, board: str = "global", period: str | None = None) -> Steps[Standing]:
        """`user_id`: the scoreboard's, or `ext:` and yours; by default the player whose token this is."""
        path = f"score/{quote(user_id, safe=':') if user_id else 'me'}?{which(board, period)}"
        return self.data("GET", path, key=bool(user_id and self.key))

    def top(
        self, limit: int = 10, offset: int = 0, *, board: str = "global", period: str | None = None
    ) -> Steps[Board]:
        """`period`: its key, such as 2026-W47; a closed one has its final ranks. By default the current one."""
        query = which(board, period, limit=limit, offset=offset)
        said = yield from self.call("GET", f"scoreboard/top?{query}")
        return shown(
            {**said, "top": said["data"], "timestamp": datetime.fromisoformat(said["last_updated"]).timestamp()}
        )

    def watch(
        self, limit: int, board: str, period: str | None = None
    ) -> Generator[Send | Line | Wait | Show, Any, None]:
        """Shows each new state of the board, for ever, over as many connections as it takes. Raises Refused."""
        query, seen, misses, retry = which(board, period, limit=limit), (None, 0), 0, 0.0
        while True:
            reply = yield (send := self.request("GET", f"scoreboard/stream?{query}", stream=True))
            if isinstance(reply, Answer | Exception):
                if isinstance(error := judge(send, reply)[1], Refused):
                    raise error
            else:
                while isinstance(line := (yield Line(reply)), bytes) and line:
                    name, _, value = line.partition(b":")
                    retry = int(value) / 1000 if name == b"retry" else retry
                    said = json.loads(value) if name == b"data" else {}
                    misses = 0 if said else misses
                    # Within an epoch only what is newer; a new epoch replaces everything.
                    if said.get("type") == "leaderboard_update" and (said["epoch"] != seen[0] or said["seq"] > seen[1]):
                        seen = (said["epoch"], said["seq"])
                        yield Show(shown(said))
            misses += 1
            yield Wait(retry if retry and misses == 1 else pause(misses, reply))

    def deliver(self, on_refused: OnRefused) -> Steps[None]:
        """Sends what waits in the buffer, oldest first, until none is left. Only a final answer takes one out."""
        misses, most = 0, MAX_BATCH
        while batch := self.buffer.oldest(most):
            body = b'{"awards": [%b]}' % b",".join(batch.values())
            reply = yield (send := self.request("POST", "awards/batch", body, key=True))
            document, error = judge(send, reply)
            results = [] if error else document["data"]["results"]
            if error and error.kind in UNREADABLE and len(batch) == 1:
                results = [document | {"status": error.status}]  # it cannot be read even alone
            judged = zip(batch, results, strict=True) if len(results) == len(batch) else []
            final = {id: said for id, said in judged if not again(said["status"])}
            self.buffer.drop(id for id, said in final.items() if said["status"] < 300)
            for id, said in final.items():
                if said["status"] >= 300:
                    refused = Refused("POST awards/batch:", send.headers["X-Request-ID"], said["status"], said)
                    on_refused(json.loads(batch[id]), refused)
                    self.buffer.drop([id])
            self.trouble, misses, most = error, 0 if final else misses + 1, MAX_BATCH
            if len(final) < len(batch):
                # Fewer at once: maybe too many for this key's limit, or one spoils the others.
                most = max(1, len(batch) // 2) if error and error.status in (400, 413, 429) else most
                yield Wait(pause(misses, reply))

    def data(self, method: str, path: str, body: Any = None, *, key: bool = False) -> Steps[Any]:
        return (yield from self.call(method, path, body, key=key))["data"]

    def call(self, method: str, path: str, body: Any = None, *, key: bool = False) -> Steps[dict[str, Any]]:
        """The document of a success. The same request is sent again while there is no final answer."""
        send, misses = self.request(method, path, body, key=key), 0
        if parent := self.traceparent():
            send.headers["traceparent"] = parent
        while True:
            document, error = judge(send, reply := (yield send))
            if error is None:
                return document
            misses += 1
            if isinstance(error, Refused) or misses >= self.attempts or pause(misses, reply) > LONGEST_WAIT:
                raise error
            yield Wait(pause(misses, reply))

    def request(self, method: str, path: str, body: Any = None, *, key: bool = False, stream: bool = False) -> Send:
        credentials = self.key if key else self.token() if callable(self.token) else self.token
        headers = {"Accept": "*/*", "Content-Type": "application/json", "X-Request-ID": uuid.uuid4().hex}
        headers |= {"Authorization": f"Bearer {credentials}"} if credentials else {}
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return Send(method, f"{self.base.path.rstrip('/')}/api/v1/{path}", headers, sent, stream)


def which(board: str, period: str | None, **more: int) -> str:
    """A query."""
    return urlencode({"board": board, **({"period": period} if period else {}), **more})


def judge(send: Send, reply: Answer | Exception) -> tuple[dict[str, Any], ScoreboardError | None]:
    """The document of the answer, and what is wrong with it: nothing, or Unavailable, or Refused, which is final."""
    called, id = f"{send.method} {send.path}:", send.headers["X-Request-ID"]
    if isinstance(reply, Exception):
        return {}, Unavailable(f"{called} {type(reply).__name__} {reply}", id)
    try:
        document = json.loads(reply.body)
    except ValueError:
        document = None
    document = document if isinstance(document, dict) else {}
    if reply.status < 300 and document.get("success"):
        return document, None
    # A success that is none of ours is a proxy's, or that of a network where one has to sign in first.
    kind = Unavailable if reply.status < 300 or again(reply.status) else Refused
    return document, kind(called, reply.headers.get("x-request-id", id), reply.status, document)


def again(status: int) -> bool:
    return status in AGAIN or status >= 500


def shown(said: dict[str, Any]) -> Board:
    return cast(Board, {name: said[name] for name in Board.__annotations__})


def pause(misses: int, reply: Any) -> float:
    """Seconds to wait after so many failures: what the server says, else twice as long each time; never quite alike."""
    said = reply.headers.get("retry-after", "") if isinstance(reply, Answer) else ""
    usual = min(FIRST_WAIT * 2.0 ** min(misses, 10), LONGEST_WAIT)
    least, spread = (min(int(said), LONGEST_SAID), 1.0) if said.isdigit() else (usual / 2, usual / 2)
    return least + spread * random.random()  # noqa: S311 (spreads load; nothing to guess)
