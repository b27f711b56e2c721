"""How a request presents its credentials: an API key, or a token."""

from rest_framework.request import Request

API_KEY_MARK = "sb_"  # what the text of every API key begins with


def presented_key(request: Request) -> str | None:
    """The text that a back end presents as its API key, by either header; None when it presents none."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and rest.startswith(API_KEY_MARK):
        return rest
    return request.headers.get("X-API-Key")


def presented_token(request: Request) -> str | None:
    """What follows `Bearer`, in any capitals (RFC 9110); None for another scheme. Raises ValueError for more or less
    than one word, and for an API key."""
    words = request.headers.get("Authorization", "").split()
    if not words or words[0].lower() != "bearer":
        return None
    if len(words) != 2:
        raise ValueError("Expected `Authorization: Bearer <JWT>`.")
    if words[1].startswith(API_KEY_MARK):
        raise ValueError("This call takes a player's token, not an API key.")
    return str(words[1])
