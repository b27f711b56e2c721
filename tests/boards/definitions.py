"""The API that defines boards, as a back end calls it."""

import json
from datetime import UTC, datetime
from typing import Any

from actions.models import ActionType
from tests.support.client import Api

BOARDS = "/api/v1/boards"
SOON, LATER = datetime(2090, 1, 1, tzinfo=UTC), datetime(2090, 2, 1, tzinfo=UTC)
WEEKLY = {"slug": "weekly", "title": "This week", "window": "weekly", "zone": "Europe/Paris"}


def put(api: Api, slug: str, body: Any, headers: dict[str, str]) -> Any:
    return api.send("PUT", f"{BOARDS}/{slug}", json.dumps(body).encode(), headers=headers)


def iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def give_type(slug: str) -> None:
    ActionType.objects.get_or_create(slug=slug, defaults={"title": slug, "points": 5, "token_lifetime": 60})
