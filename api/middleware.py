"""Middleware of every response: the request id, its log line, and 503 instead of 500 when PostgreSQL is away."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import structlog
from django.db import DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from api import refusals, tracing
from api.error_pages import bad_request, error_page, is_call
from api.problems import UNAVAILABLE_RETRY_SECONDS, Problem, unavailable_response
from api.request_ids import accept_or_make, current_request_id

if TYPE_CHECKING:
    from opentelemetry.trace import Span

log = structlog.get_logger("api.request")

GetResponse = Callable[[HttpRequest], HttpResponse]
UNTRACED = frozenset(("/healthz", "/readyz", "/metrics"))


class RequestIdMiddleware:
    """Takes X-Request-ID from the request if it is sane, binds it to the log, returns it on the response."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = accept_or_make(request.headers.get("X-Request-ID"))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        with self.traced(request) as span, refusals.serving(request):
            response = self.get_response(request)
            if span is not None:
                self.describe(span, request, response)
            self.tell(request, response, started)
        response["X-Request-ID"] = request_id
        response["Server"] = "scoreboard"  # a server that finds no name there puts its own
        return response

    @staticmethod
    def tell(request: HttpRequest, response: HttpResponse, started: float) -> None:
        # Reads of the board are the bulk of all traffic and say nothing: they are logged at debug only.
        routine = request.method in ("GET", "HEAD") and response.status_code < 400
        emit = log.debug if routine else log.info
        emit(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )

    @staticmethod
    def traced(request: HttpRequest) -> AbstractContextManager["Span | None"]:
        """The first block of a request's trace, or the next one of its caller's. Probes have none."""
        if request.path_info in UNTRACED:
            return tracing.NOTHING
        parent = request.headers.get("traceparent", "")
        return tracing.span(f"{request.method}", parent=parent, kind="SERVER", url__path=request.path)

    @staticmethod
    def describe(span: "Span", request: HttpRequest, response: HttpResponse) -> None:
        route = request.resolver_match.route if request.resolver_match else ""
        span.update_name(f"{request.method} /{route}".rstrip("/"))
        span.set_attributes(
            {
                "http.request.method": str(request.method),
                "http.response.status_code": response.status_code,
                "http.route": f"/{route}",
                "request_id": current_request_id(),
            }
        )


class UnavailableMiddleware:
    """Turns a lost or overloaded database into 503 with Retry-After, for pages as DRF's handler does for the API; and
    text that PostgreSQL cannot hold into 400."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, OperationalError | InterfaceError):
            log.error("database_unavailable", error=str(exception).strip())
            return (
                unavailable_response()
                if is_call(request)
                else error_page(503, {"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)})
            )
        if isinstance(exception, Problem) and exception.kind == "unavailable":
            return error_page(503, exception.headers)  # a page that was to check or set a password: admin's, say
        if isinstance(exception, DataError) and "NUL" in str(exception):
            return bad_request(request, exception)  # in a filter or an id of admin's, which Django hands on as they are
        return None
