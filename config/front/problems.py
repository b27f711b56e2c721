"""The answers the front gives itself, as the API's own problem documents (RFC 9457)."""

from __future__ import annotations

import json
from enum import Enum
from http import HTTPStatus
from uuid import uuid4


class Problem(Enum):
    """Slug, status, title and further headers of each way to fail here."""

    INVALID_REQUEST = ("invalid-request", 400, "The request is not valid", "")
    BODY_TOO_LARGE = ("payload-too-large", 413, "The body is too large", "")
    HEAD_TOO_LARGE = ("head-too-large", 431, "The headers are too large", "")
    BAD_GATEWAY = ("bad-gateway", 502, "The server broke off", "Retry-After: 1\r\n")
    UNAVAILABLE = ("unavailable", 503, "The service is unavailable", "Retry-After: 1\r\n")

    def response(self, detail: str, *, with_body: bool) -> bytes:
        """A whole response that ends the connection; without its body in answer to HEAD."""
        slug, status, title, headers = self.value
        request_id = uuid4().hex
        document = {
            "type": f"/problems/{slug}",
            "title": title,
            "status": status,
            "detail": detail,
            "request_id": request_id,
        }
        body = json.dumps(document)
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            "Content-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"X-Request-ID: {request_id}\r\n"
            f"Cache-Control: no-store\r\n{headers}Connection: close\r\n\r\n"
        )
        return (head + body if with_body else head).encode()
