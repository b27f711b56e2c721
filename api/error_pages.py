"""Failures outside REST framework: a problem document under /api/, a page elsewhere. Django calls them by name."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.csrf import csrf_failure as django_csrf_failure

from api.problems import MALFORMED, Problem, note, problem_response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: what Django itself refuses, such as a Host header that is not ours."""
    return problem_response("invalid-request", MALFORMED) if is_call(request) else error_page(400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403, of pages: calls have `exception_handler`."""
    note_forbidden_page(request, "permission")
    return error_page(403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: Django's own, noted."""
    note_forbidden_page(request, "csrf")
    return django_csrf_failure(request, reason)


def note_forbidden_page(request: HttpRequest, reason: str) -> None:
    match = request.resolver_match
    note(Problem("forbidden", f"{request.method} {match.view_name if match else 'page'}", reason=reason))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: a problem under /api/, a page elsewhere."""
    return problem_response("not-found", "There is no such resource.") if is_call(request) else error_page(404)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: the traceback is in the log under the request id, never in the answer."""
    if is_call(request):
        return problem_response("internal-error", "The failure is logged under this request_id.")
    return error_page(500)


def is_call(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def error_page(status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Rendered without the request: reading its session or its form, as Django's own pages do, could fail once more."""
    return HttpResponse(render_to_string(f"{status}.html"), status=status, headers=dict(headers or {}))
