"""`python -m devsite.api_page`: docs/api.md from docs/openapi.yaml, to standard output.

A table of every call that reads well as text: what it is for, what it takes, and who may make it.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
METHODS = ("get", "post", "put", "patch", "delete")
TITLES = {
    "awards": "Awards by your server",
    "players": "Players of your server",
    "actions": "Action tokens",
    "board": "Scores and ranks",
    "boards": "Boards",
    "live": "Live",
    "accounts": "Accounts",
    "moderation": "Moderation",
    "exports": "Exports",
}
WHO = {"apiKey": "API key", "bearer": "JWT", "session": "session"}
KIND = re.compile(r"`([a-z-]+)`: ([^;()]+)")
INTRODUCTION = """# The HTTP API

Every call, from [openapi.yaml](openapi.yaml). A running site shows the same at `/api/docs`, with all fields, bounds
and answers, and tries them there; its document is at `/api/v1/schema`. Paths below begin with `/api/v1`.
[integration.md](integration.md) explains how a shop, a course or a game uses them.

Bodies are JSON. A name with `?` may be left out. An answer is `{"success": true, "data": …}` or has no body; an export
is a file. A refusal is a problem document (RFC 9457) with one of the types at the end. An unknown field or parameter
is refused with 400.
"""


def main() -> None:
    document = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
    calls = list(every_call(document))
    lines = [INTRODUCTION]
    for tag, title in TITLES.items():
        lines += [f"## {title}\n", "| call | | takes | who |", "|---|---|---|---|"]
        lines += [row(document, *call) for call in calls if call[2]["tags"] == [tag]]
        lines.append("")
    if left := {tag for call in calls for tag in call[2]["tags"]} - set(TITLES):
        raise SystemExit(f"devsite/api_page.py has no title for the calls of {sorted(left)}.")
    lines += ["## Problems\n", "| status | type | |", "|---|---|---|", *problems(document, calls)]
    sys.stdout.write("\n".join(lines) + "\n")


def every_call(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield method.upper(), path, methods[method]


def row(document: dict[str, Any], method: str, path: str, call: dict[str, Any]) -> str:
    takes = [named(one["name"], one.get("required")) for one in call.get("parameters", ()) if one["in"] == "query"]
    bodies = call.get("requestBody", {}).get("content", {})
    takes += fields(document, bodies.get("application/json", {}).get("schema", {}))
    who = [WHO[name] for one in call["security"] for name in one] or ["anyone"]
    if {} in call["security"] and who != ["anyone"]:
        who.insert(0, "anyone")
    return f"| `{method} {path.removeprefix('/api/v1')}` | {call['summary']} | {', '.join(takes)} | {', '.join(who)} |"


def fields(document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Names of a body's fields; of several forms of it, those of each, required if every form requires them."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "properties" not in schema and (forms := schema.get("oneOf")):
        lists = [fields(document, form) for form in forms]
        names = dict.fromkeys(name.replace("?", "") for names in lists for name in names)
        return [name if all(name in names for names in lists) else named(name.strip("`"), False) for name in names]
    return [named(name, name in schema.get("required", ())) for name in schema.get("properties", {})]


def named(name: str, required: object) -> str:
    return f"`{name}`" if required else f"`{name}?`"


def problems(document: dict[str, Any], calls: list[tuple[str, str, dict[str, Any]]]) -> list[str]:
    shared = document["components"]["responses"]
    found = {("405", "method-not-allowed"), ("500", "internal-error")}
    titles = dict(KIND.findall(document["info"]["description"]))
    for _, _, call in calls:
        for status, answer in call["responses"].items():
            if described := shared.get(answer.get("$ref", "").rpartition("/")[2]):
                kinds = dict(KIND.findall(described["description"]))
                titles |= kinds
                found |= {(status, kind) for kind in kinds}
    return [f"| {status} | `{kind}` | {titles[kind].strip()} |" for status, kind in sorted(found)]


if __name__ == "__main__":
    main()
