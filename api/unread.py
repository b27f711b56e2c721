"""The rest of a request's body, taken in before an answer that did not want it goes out."""

from typing import IO, cast

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from api.middleware import GetResponse
from api.parsers import MAX_AWARDS_BODY_BYTES

PIECE = 16 * 1024  # bytes


class UnreadBodyMiddleware:
    """Reads on to the body's end, as far as any call would, or else says that the connection ends here.

    Granian closes a connection whose body was not read, and it does not say so: a proxy that keeps the connection would
    lose the next request it sends there, which is another client's.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not taken_in(request):
            response["Connection"] = "close"
        return response


def taken_in(request: HttpRequest) -> bool:
    """Whether nothing of the body is left to come."""
    if not isinstance(request, WSGIRequest):  # under ASGI a body is taken in before Django sees the request
        return True
    declared = request.META.get("CONTENT_LENGTH") or ""
    chunked = "HTTP_TRANSFER_ENCODING" in request.META
    if not (chunked or (declared.isascii() and declared.isdigit())):
        return True
    if not chunked and (len(declared) > 9 or int(declared) > MAX_AWARDS_BODY_BYTES):
        return False
    # Django takes a body without a declared length for an empty one.
    stream = cast(IO[bytes], request.META["wsgi.input"] if chunked else request)
    left = MAX_AWARDS_BODY_BYTES
    try:
        while left > 0 and (piece := stream.read(min(PIECE, left))):
            left -= len(piece)
    except (OSError, UnreadablePostError):
        return False
    return left > 0
