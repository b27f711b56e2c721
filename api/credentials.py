"""How a request presents an API key."""

from rest_framework.request import Request

API_KEY_MARK = "sb_"  # what the text of every API key begins with


def presented_key(request: Request) -> str | None:
    """The text that a back end presents as its API key, by either header; None when it presents none."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and rest.startswith(API_KEY_MARK):
        return rest
    return request.headers.get("X-API-Key")
