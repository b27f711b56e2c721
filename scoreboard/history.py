"""Reading the history: the newest first, page by page, from wherever the last page ended."""

import re
from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

MAX_PAGE = 100
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")  # Python's decoder skips what it does not know
MAX_ID = 2**63 - 1  # bigserial


class HistoryPages(CursorPagination):
    """Cursors on the id: entries that arrive while a client reads shift nothing and repeat nothing."""

    ordering = "-id"
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Raises ValidationError for a cursor that this site did not make; it would fail as a 404 or in SQL."""
        encoded = request.query_params.get(self.cursor_query_param)
        try:
            if encoded is not None and not BASE64.fullmatch(encoded):
                raise ValueError
            cursor: Cursor | None = super().decode_cursor(request)
            position = int(cursor.position or 0) if cursor else 0
        except (NotFound, ValueError) as error:
            raise ValidationError({"cursor": ["Not a cursor of this site."]}) from error
        if not 0 <= position <= MAX_ID:
            raise ValidationError({"cursor": ["Not a cursor of this site."]})
        return cursor

    def links(self) -> dict[str, Any]:
        return {"next": self.get_next_link(), "previous": self.get_previous_link()}
