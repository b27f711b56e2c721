"""A board as a file."""

import csv
import io
from typing import Any

from django.test import Client

from tests.support.client import Api


def exported(staff: Client, query: str) -> bytes:
    answer: Any = staff.get(f"/api/v1/exports/board.csv?{query}")
    return b"".join(answer.streaming_content)


def exported_lines(
    api: Api, board: str, period: str = "", headers: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    answer = api.get(f"/api/v1/exports/board.csv?board={board}{f'&period={period}' if period else ''}", headers=headers)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
