"""How many may watch: a process that is full says so, instead of running out of memory or open files."""

from collections import Counter

from django.conf import settings

from api.client_address import UNKNOWN, bucket
from api.problems import Problem
from leaderboard.live.requests import LiveRequest
from leaderboard.live.transport import Scope

RETRY_SECONDS = "5"


class Capacity:
    """The connections of one process, in all and by client address."""

    def __init__(self) -> None:
        self.inside = 0
        self._by_address: Counter[str] = Counter()

    def enter(self, request: LiveRequest) -> str:
        """Counts the connection in and returns what `leave` wants. Raises Problem unavailable, rate-limited.

        Clients of unknown address, such as those of a proxy on a Unix socket that is not trusted, are not counted
        by address: together they could be everyone.
        """
        address = client_address(request)
        if self.inside >= settings.LEADERBOARD_MAX_VIEWERS:
            raise Problem("unavailable", "This server is full; try again.", headers={"Retry-After": RETRY_SECONDS})
        most = settings.LEADERBOARD_MAX_VIEWERS_PER_ADDRESS
        if most and address != UNKNOWN and self._by_address[address] >= most:
            said = f"More than {most} live connections from one address."
            raise Problem("rate-limited", said, headers={"Retry-After": RETRY_SECONDS})
        self.inside += 1
        self._by_address[address] += 1
        return address

    def leave(self, address: str) -> None:
        self.inside -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


def client_address(request: LiveRequest) -> str:
    return address_of(request.scope, request.headers.get("x-forwarded-for", "").encode("latin-1"))


def address_of(scope: Scope, forwarded_for: bytes) -> str:
    """As `api.client_address`: X-Forwarded-For is believed as far as TRUSTED_PROXIES reaches."""
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in forwarded_for.decode("latin-1").split(",")]
        return bucket(hops[-min(settings.TRUSTED_PROXIES, len(hops))])
    peer = scope.get("client")
    return bucket(peer[0]) if peer else UNKNOWN
