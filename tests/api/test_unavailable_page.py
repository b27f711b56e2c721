"""What a person sees, and what a program reads, while PostgreSQL is away."""

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from api.middleware import UnavailableMiddleware


def answer(path: str) -> HttpResponse:
    def unused(request: HttpRequest) -> HttpResponse:
        raise AssertionError("the view has failed already")

    response = UnavailableMiddleware(unused).process_exception(RequestFactory().get(path), OperationalError("gone"))
    assert response is not None
    return response


@pytest.mark.parametrize(
    ("path", "media_type"), [("/play", "text/html"), ("/api/v1/action/types", "application/problem+json")]
)
def test_without_postgresql_everyone_is_told_in_their_own_language(path: str, media_type: str) -> None:
    response = answer(path)
    assert response.status_code == 503
    assert response["Content-Type"].startswith(media_type)
    assert int(response["Retry-After"]) > 0
