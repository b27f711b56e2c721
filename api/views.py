"""The base of every API view: the order in which a request is let in."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.credentials import presented_key
from api.query import Query, parse
from api.throttles import charge_address


class ApiView(APIView):
    """Counts the address before looking at credentials: a wrong token costs its sender like any other request.

    `limits` names further policies counted per address, such as ("sign-in",). Signed-in users are counted against their
    own allowance afterwards, by LimitThrottle. `query` declares the parameters that the call takes; `asked` has their
    values. Unknown ones are refused, of every method.
    """

    query: type[Query] = Query
    asked: dict[str, Any]
    limits: Sequence[str] = ()
    # A back end speaks for many players from one address: its key is charged instead, by the authentication.
    accepts_api_keys = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if not (self.accepts_api_keys and presented_key(request) is not None):
            charge_address(request._request, self.limits)
        super().initial(request, *args, **kwargs)
        self.asked = parse(self.query, dict(request.query_params.lists()))

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """No cache keeps what does not ask to be kept: some would keep a 404, or an answer with a token in it."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer
