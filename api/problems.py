"""Errors as RFC 9457 problem documents: one class to raise, one handler that answers."""

import json
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from api import refusals
from api.metrics import AUTH_FAILURES
from api.refusals import Caller, Refusal
from api.request_ids import current_request_id

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
UNAVAILABLE_RETRY_SECONDS = 2
MALFORMED = "The request is malformed, or has more parts than any honest one."

# slug → status, title. The slugs are the contract (docs/openapi.yaml); titles never change for a slug. Those of HTTP
# itself; the apps declare what else can fail in theirs.
KINDS: dict[str, tuple[int, str]] = {
    "invalid-request": (400, "The request is not valid"),
    "not-authenticated": (401, "Authentication is needed"),
    "forbidden": (403, "Not allowed"),
    "not-found": (404, "Not found"),
    "method-not-allowed": (405, "Method not allowed"),
    "payload-too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The media type is not supported"),
    "rate-limited": (429, "Too many requests"),
    "internal-error": (500, "Something broke on this side"),
    "unavailable": (503, "The service is unavailable"),
}


# Who asked, or what was asked for, is what was wrong.
REFUSALS = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.CONFLICT,
        HTTPStatus.GONE,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


def declare(kinds: Mapping[str, tuple[int, str]]) -> None:
    """Adds an app's kinds, when it is loaded: slug → (status, title)."""
    KINDS.update(kinds)


class Problem(exceptions.APIException):
    """A failure with a contract slug.

    `kind` is a key of KINDS; `detail` a sentence for a person; `extra` further members of the document
    (such as `original`); `headers` further response headers (such as Retry-After). For the operator: `reason`, why
    more exactly than `kind` says, and `subject`, the user whom it concerns.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        reason: str = "",
        subject: uuid.UUID | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.reason = reason or kind
        self.subject = subject
        self.noted = False
        self.status_code = KINDS[kind][0]
        self.sentence = detail
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})

    def document(self) -> dict[str, Any]:
        return document(self.kind, self.sentence, status=self.status_code, extra=self.extra)


def document(
    kind: str, detail: str, *, status: int | None = None, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The members of one problem document, RFC 9457 section 3.1."""
    default_status, title = KINDS[kind]
    return {
        "type": f"/problems/{kind}",
        "title": title,
        "status": status or default_status,
        "detail": detail,
        "request_id": current_request_id(),
        **(extra or {}),
    }


def problem_response(
    kind: str,
    detail: str,
    *,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """A problem outside DRF: middleware, handler404 and plain views."""
    body = json.dumps(document(kind, detail, extra=extra))
    response = HttpResponse(body, content_type=CONTENT_TYPE, status=KINDS[kind][0])
    response["Cache-Control"] = "no-store"
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def unavailable_response() -> HttpResponse:
    """503 with Retry-After: PostgreSQL is away or too slow.

    If it came to a standstill in the middle of a redemption it may still finish it: a repeat tells.
    """
    return problem_response(
        "unavailable",
        "The database does not answer right now; try again. What was paid already is not paid twice.",
        headers={"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)},
    )


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | HttpResponse | None:
    """DRF's EXCEPTION_HANDLER: every failure a view raises becomes a problem document."""
    if isinstance(exc, OperationalError | InterfaceError):
        log.error("database_unavailable", error=str(exc).strip())
        return unavailable_response()
    problem = as_problem(exc)
    if problem is None:
        return None  # a defect: Django answers 500 and logs the traceback
    response = Response(
        problem.document(),
        status=problem.status_code,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )
    note(problem)
    # Also where the view itself answers in YAML: the schema.
    context["request"].accepted_renderer, context["request"].accepted_media_type = JSONRenderer(), CONTENT_TYPE
    if problem.status_code == HTTPStatus.UNAUTHORIZED:
        response.headers.setdefault("WWW-Authenticate", 'Bearer realm="api"')
    return response


def note(
    problem: Problem, caller: Caller | None = None, *, action_type: str = "", request_id: str | None = None
) -> None:
    """Counts and records a refusal, once however many places it passes. A mistake (400, 404, 405, 413) is none.

    Without `caller` and `request_id` it is the request that this thread serves.
    """
    if problem.noted or problem.status_code not in REFUSALS:
        return
    problem.noted = True
    if problem.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        AUTH_FAILURES.labels(problem.reason).inc()
    refusals.record(
        Refusal(
            problem.kind,
            problem.reason,
            problem.sentence,
            refusals.current_caller() if caller is None else caller,
            problem.subject,
            action_type,
            current_request_id() if request_id is None else request_id,
        )
    )


def as_problem(exc: Exception) -> Problem | None:
    """The Problem that says what `exc` says, or None when `exc` is a defect of ours."""
    match exc:
        case Problem():
            return exc
        case exceptions.ValidationError():
            return invalid_request(exc)
        case exceptions.ParseError():
            return Problem("invalid-request", str(exc.detail))
        case exceptions.NotAuthenticated():
            return Problem("not-authenticated", sentence(exc.detail), reason="no-credentials")
        case exceptions.AuthenticationFailed():
            return Problem("not-authenticated", sentence(exc.detail), reason="token")
        case exceptions.PermissionDenied() | PermissionDenied():
            said = str(exc) or "You do not have permission to do this."
            return Problem("forbidden", said, reason="csrf" if said.startswith("CSRF Failed") else "permission")
        case exceptions.NotFound() | Http404():
            return Problem("not-found", str(exc) or "There is nothing here.")
        case exceptions.MethodNotAllowed():
            return Problem("method-not-allowed", str(exc.detail))
        case exceptions.UnsupportedMediaType():
            return Problem("unsupported-media-type", "Send the body as application/json.")
        case RequestDataTooBig():
            return Problem("payload-too-large", "The body is too large.")
        case SuspiciousOperation():
            return Problem("invalid-request", MALFORMED)
        case _:
            return None


def invalid_request(error: exceptions.ValidationError) -> Problem:
    return Problem("invalid-request", "See `errors`.", extra={"errors": by_field(error.detail)})


def sentence(detail: Any) -> str:
    """The readable part of DRF's detail, which simplejwt makes a dict."""
    if isinstance(detail, Mapping):
        return str(detail.get("detail", "The credentials are not valid."))
    return str(detail)


def by_field(detail: Any) -> dict[str, list[str]]:
    """DRF's nested error detail, flattened to field path → sentences."""
    flat: dict[str, list[str]] = {}

    def walk(node: Any, path: str) -> None:
        if isinstance(node, Mapping):
            for key, value in node.items():
                walk(value, f"{path}.{key}" if path else str(key))
        elif isinstance(node, list) and any(isinstance(item, Mapping | list) for item in node):
            for index, item in enumerate(node):
                walk(item, f"{path}[{index}]")
        else:
            sentences = node if isinstance(node, list) else [node]
            flat.setdefault(path or "body", []).extend(str(item) for item in sentences)

    walk(detail, "")
    return flat
