"""Where a webhook may lead: https to public addresses, and what WEBHOOK_ALLOW lists.

What decides is the address of the socket, at the moment it is connected: a name can lead elsewhere a second later. What
is said of a URL, when it is entered, is only a courtesy to the person who enters it.
"""

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

UNICAST = ipaddress.IPv6Network("2000::/3")  # all that IANA has given out
# Within it: tunnels, behind whose addresses lies an IPv4 address that only a router of the way sees; and documentation.
NOT_THESE = [ipaddress.IPv6Network(network) for network in ("2002::/16", "2001::/32", "3fff::/20")]
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def public(address: Address) -> bool:
    """Whether it is anyone's on the Internet, as opposed to this machine, its network and what they translate to."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return public(address.ipv4_mapped)
        if address in NAT64:
            return public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in UNICAST or any(address in network for network in NOT_THESE):
            return False
    return address.is_global and not address.is_multicast


def may_connect(host: str, address: str, *, tls: bool) -> bool:
    """Whether a webhook to this host may talk to this address, the socket's own."""
    found = ipaddress.ip_address(address.partition("%")[0])
    hosts, networks = allowed()
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if host.lower() in hosts or any(found in network for network in networks):
        return True
    return tls and public(found)


def allowed() -> tuple[set[str], list[ipaddress.IPv4Network | ipaddress.IPv6Network]]:
    """WEBHOOK_ALLOW: (host names, networks)."""
    hosts: set[str] = set()
    networks = []
    for item in settings.WEBHOOK_ALLOW:
        try:
            networks.append(ipaddress.ip_network(item))
        except ValueError:
            hosts.add(item.lower())
    return hosts, networks


def refuse_url(url: str) -> str | None:
    """What is wrong with the URL of a webhook, in a sentence; None when nothing is."""
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", split.port
    except ValueError:
        return "This is no URL."
    if not host or port == 0 or not url.isascii() or any(ord(letter) <= ord(" ") for letter in url):
        return "This is no URL; expected one such as https://shop.example/hooks/scores."
    if split.scheme not in ("https", "http"):
        return "A webhook is reached by https."
    if split.username is not None or split.password is not None or split.fragment:
        return "A webhook's URL has no user, password or fragment: the signature proves who calls."
    hosts, networks = allowed()
    try:
        address: Address | None = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is not None and not may_connect(host, str(address), tls=split.scheme == "https"):
        return f"{host} is not a public address; WEBHOOK_ALLOW can list it."
    if split.scheme == "http" and host.lower() not in hosts and address is None and not networks:
        return "Plain http is for hosts that WEBHOOK_ALLOW lists; use https."
    return None
