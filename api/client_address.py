"""Who is at the other end, as far as the network tells: the key of every limit per address."""

import ipaddress
import re
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

UNKNOWN = "unknown"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
WITH_PORT = re.compile(r"(\[(?P<v6>[^]]+)\]|(?P<v4>[0-9.]+))(:[0-9]{1,5})?", re.ASCII)


def client_address(request: HttpRequest) -> str:
    """The client's IP address; for IPv6 its /64, which is what one subscriber has.

    X-Forwarded-For is believed only as far as TRUSTED_PROXIES reaches: each trusted proxy appended the peer it saw, so
    the client is that many entries from the right. Whatever stands further left, the client may have made up.
    """
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        raw = hops[-min(settings.TRUSTED_PROXIES, len(hops))]
    else:
        raw = request.META.get("REMOTE_ADDR", "")
    return bucket(raw)


@lru_cache(maxsize=4096)  # reading an address costs as much as answering with a copy of the board
def bucket(raw: str) -> str:
    """The limit's unit for a textual address; "unknown" for anything that is none, so that it shares one allowance."""
    address = parsed(raw)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False).network_address) + "/64"
    return str(address) if address else UNKNOWN


def parsed(raw: str) -> Address | None:
    """The address that a peer or a proxy names, without its zone; IPv4 also where it is written as IPv6.

    Some proxies write the port too: 192.0.2.7:4711 or [2001:db8::7]:4711.
    """
    with_port = WITH_PORT.fullmatch(raw)
    host = (with_port["v6"] or with_port["v4"]) if with_port else raw
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address
