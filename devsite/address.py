"""Where `make run` listens, BIND and PORT, and where a browser on this machine finds it."""

import ipaddress
import os
import socket
from contextlib import suppress

from devsite.process import Refusal


def host() -> str:
    """Not HOST: many shells export that name, for the machine's own."""
    return os.environ.get("BIND") or "127.0.0.1"


def port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not (text.isdecimal() and 0 < int(text) < 65_536):
        raise Refusal(f"PORT is {text!r}; expected a number from 1 to 65535.")
    return int(text)


def quiz_port() -> int:
    """For the demo's other site (examples/quiz): a hundred further on, or any that is free."""
    family = socket.AF_INET6 if ":" in host() else socket.AF_INET
    for wanted in (port() + 100, 0):
        with suppress(OSError, OverflowError), socket.create_server((host(), wanted), family=family) as listener:
            return int(listener.getsockname()[1])
    raise Refusal(f"No port is free on {host()}.")


def local(host: str) -> str:
    """Where a listener on `host` is reached from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (nothing is bound here)


def origin(host: str, port: int) -> str:
    """As a URL without a path."""
    address = local(host)
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


def private(host: str) -> bool:
    """Whether only this machine reaches a listener on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
