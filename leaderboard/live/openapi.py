"""The live stream in OpenAPI: it is no Django view, so drf-spectacular does not find it."""

from typing import Any

from api.query import declared
from leaderboard.serializers import LiveQuery

EVENT = """\
id: 3f2a9c:42
event: leaderboard_update
data: {"type": "leaderboard_update", "board": "global", "epoch": "3f2a9c", "seq": 42, "timestamp": 1704529000.412, \
"players": 12345, "top": [{"rank": 1, "user_id": "…", "username": "playerOne", "score": 5000, "avatar": null}]}

"""


def stream(result: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """Adds `GET /scoreboard/stream`. After `api.openapi_rules.complete`, whose problems and headers it refers to."""
    top = result["paths"]["/api/v1/scoreboard/top"]["get"]
    shared = result["components"]["responses"]
    result["components"]["schemas"]["EventStream"] = {"type": "string", "examples": [EVENT]}
    own = {"$ref": "#/components/headers/X-Request-ID"}
    too_many = {
        "description": "`rate-limited`: as many connections as one address may have.",
        "content": shared["TooManyRequests"]["content"],
        "headers": {"X-Request-ID": own, "Retry-After": {"$ref": "#/components/headers/Retry-After"}},
    }
    operation = {
        "operationId": "stream",
        "summary": "The board, pushed: Server-Sent Events",
        "description": (
            "`event` is the type of the message in `data`, a JSON object; `id` is `epoch:seq`. Messages, their order "
            "and what a client does with them: docs/live-protocol.md. On a public board bad credentials refuse no "
            "viewer: an `error` message says what is wrong with them. The same messages by WebSocket: "
            "`/scoreboard/live`."
        ),
        "tags": ["live"],
        "parameters": [
            *(one for one in top["parameters"] if one["name"] in declared(LiveQuery)),
            {
                "in": "header",
                "name": "Last-Event-ID",
                "schema": {"type": "string"},
                "description": "What the client has: the `id` of the last event. Browsers send it by themselves.",
            },
        ],
        "security": [{}, {"bearer": []}, {"session": []}],
        "responses": {
            "200": {
                "description": "Until the client leaves, or a `bye` says when to come back.",
                "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/EventStream"}}},
                "headers": {"X-Request-ID": own},
            },
            **{status: top["responses"][status] for status in ("400", "401")},
            "403": {"$ref": "#/components/responses/Forbidden"},
            "404": top["responses"]["404"],
            "429": too_many,
            "503": top["responses"]["503"],
        },
    }
    result["paths"]["/api/v1/scoreboard/stream"] = {"get": operation}
    return result
