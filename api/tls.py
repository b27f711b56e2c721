"""Whose certificates the site believes when it asks others."""

import ssl
from functools import lru_cache


@lru_cache
def trusted(authority: str) -> ssl.SSLContext:
    """The system's authorities and, if there is one, the operator's. To read them takes long, so a process reads once.

    Threads share it: httpcore would set its protocols anew before each handshake, and OpenSSL frees the list that the
    handshake of another thread may be copying.
    """
    context = ssl.create_default_context()
    if authority:
        context.load_verify_locations(authority)
    context.set_alpn_protocols(["http/1.1"])
    context.set_alpn_protocols = lambda alpn_protocols: None  # type: ignore[method-assign]
    return context
