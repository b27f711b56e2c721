"""A viewer of the live board: a snapshot, then what the announcements bring, by the rules of the protocol."""

from typing import Any, cast

from api import redis_client
from leaderboard import boards
from leaderboard.boards import Board
from tests.support.processes import PATIENCE

Seen = tuple[str, int, list[tuple[bytes, float, bytes | None]]]  # epoch, seq, (member, total, profile) of the top


class Viewer:
    """Knows only what announcements made it read, and checks that this is all there is to know."""

    def __init__(self, board: Board, limit: int) -> None:
        self.board, self.limit = board, limit
        self.redis = cast(Any, redis_client.connection())
        self.pubsub = self.redis.pubsub()
        self.pubsub.subscribe(boards.channel(board))
        self.pubsub.get_message(timeout=PATIENCE)
        self.epochs: set[str] = set()
        self.seen: Seen | None = None
        self.look_again()

    def close(self) -> None:
        self.pubsub.close()

    def announced(self) -> bool:
        """Whether anything was announced; deterministic: what was published before the PING comes before its answer."""
        self.pubsub.ping()
        heard = False
        while (message := self.pubsub.get_message(timeout=PATIENCE))["type"] != "pong":
            heard |= message["type"] == "message"
        return heard

    def fresh(self) -> Seen | None:
        """The top as Redis has it, without any code of ours; None while the board is lost."""
        keys = boards.keys(self.board)
        epoch, seq, updated = self.redis.hmget(keys.meta, ["epoch", "seq", "updated"])
        if epoch is None or seq is None or updated is None:
            return None
        lines = self.redis.zrevrange(keys.rank, 0, self.limit - 1, withscores=True)
        return (
            epoch.decode(),
            int(seq),
            [(member, total, self.redis.hget(keys.profile, member[16:])) for member, total in lines],
        )

    def look_away(self) -> None:
        """Redis was changed by hand, which announces nothing: what was seen is worth nothing now."""
        self.seen = None
        self.announced()

    def look_again(self) -> None:
        """A new connection: the newest snapshot, and no news older than it."""
        self.announced()
        self.seen = self.fresh()
        if self.seen:
            self.epochs.add(self.seen[0])

    def follow(self) -> None:
        """One push, if one was announced; then old snapshot + pushes must be the fresh snapshot."""
        heard, fresh = self.announced(), self.fresh()
        if self.seen is None or fresh is None:
            return
        epoch, seq, top = self.seen
        if fresh[0] == epoch:
            assert fresh[1] >= seq, "seq went back inside an epoch"
            assert fresh[2] == top or fresh[1] > seq, "the top changed and seq did not"
        else:
            assert fresh[0] not in self.epochs, "an epoch came back"
            self.epochs.add(fresh[0])
        assert heard or fresh == self.seen, "the board moved on and no viewer was told"
        self.seen = fresh
