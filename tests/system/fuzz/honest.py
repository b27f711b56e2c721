"""Schemathesis hooks: what the schema cannot say is made good in the cases that are meant to succeed.

No fuzzer guesses a signed token, so the paths behind one would never be reached: positive cases get real ones.
Cases meant to fail are sent as they were made. Loaded by tests/system/fuzz/schemathesis.toml; the site to play on is
described in FUZZ_SITE (tests/system/fuzz/callers.py).
"""

import base64
import json
import os
import random
import time
import urllib.request
import uuid
from typing import Any
from urllib.error import HTTPError

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, HookContext, Response

from accounts.names import MAX_LENGTH
from tests.support.processes import PATIENCE
from tests.system.fuzz.leaks import leaks

SITE: dict[str, Any] = json.loads(os.environ["FUZZ_SITE"])
chance = random.Random(0)
UNLIKE_HEX = str.maketrans("0123456789abcdef", "ghijkmnpqsturvwz")  # else it may be found like the e-mail address
spent: list[dict[str, Any]] = []  # submissions that were sent before: a repeat is a path of its own

schemathesis.openapi.format("username", st.text("abcdefgäß文😀", min_size=1, max_size=MAX_LENGTH))
schemathesis.openapi.format("password", st.text("abcdefgäß文😀", min_size=12, max_size=40))
OPAQUE = st.text("abcXYZ019 :|@ä文😀", min_size=1, max_size=40)
schemathesis.openapi.format("opaque-id", OPAQUE)
schemathesis.openapi.format("picture-address", st.text("abc019", min_size=1).map("https://example.org/{}.png".format))
schemathesis.openapi.format("visible-text", st.text("abcdefgäß文😀", min_size=1, max_size=30))
schemathesis.openapi.format("player-reference", st.text("abc019", min_size=1, max_size=40).map("ext:{}".format))
schemathesis.openapi.format("user-id", st.uuids().map(str) | st.text("abc019", min_size=1).map("ext:{}".format))
schemathesis.openapi.format(
    "cursor", st.integers(0, 2**63 - 1).map(lambda position: base64.b64encode(f"p={position}".encode()).decode())
)


def ask(path: str, body: dict[str, Any], credentials: dict[str, str] | None = None) -> dict[str, Any] | None:
    """`data` of a call by the present caller; None when it is refused, by a limit or for want of an account."""
    headers = {**(credentials or SITE["headers"]), "Content-Type": "application/json"}
    request = urllib.request.Request(SITE["url"] + path, json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            data: dict[str, Any] = json.load(answer)["data"]
            return data
    except HTTPError:
        return None


def submission() -> dict[str, Any]:
    """One that scores; now and then one that has scored already. Callers who cannot mint hand in nonsense."""
    if spent and chance.random() < 0.3:
        return {**chance.choice(spent), "timestamp": time.time()}
    asked = {"action_type": "WIN_MATCH", "user_id": SITE["plays"]}
    minted = ask("/api/v1/action/token", asked, SITE["key"]) if SITE["plays"] else None
    if minted is None:
        return {"action_id": str(uuid.uuid4()), "action_type": "X", "action_token": "x.y.z", "timestamp": time.time()}
    made = {name: minted[name] for name in ("action_id", "action_type", "action_token")}
    spent.append(made)
    return {**made, "timestamp": time.time() + chance.uniform(-250, 250)}


def some_user() -> str:
    return str(chance.choice(SITE["user_ids"]))


def minting(body: dict[str, Any]) -> dict[str, Any]:
    """Players send one field, back ends three: which of the two the schema allows depends on who calls."""
    if not SITE["back_end"]:
        return {"action_type": chance.choice(["DAILY_LOGIN", "COMPLETE_TASK", body["action_type"]])}
    kind = chance.choice(["WIN_MATCH", "COMPLETE_TASK", body["action_type"]])
    points = whole(body) if "points" in body else {}
    return {"action_type": "ANY_POINTS" if points else kind, "user_id": some_user(), **points}


def whole(body: dict[str, Any]) -> dict[str, int]:
    """To JSON Schema 5.0 is an integer, to the site it is none: two parsers may read it differently."""
    return {"points": int(body["points"])}


def awarding(body: dict[str, Any]) -> dict[str, Any]:
    """Of one player, which the schema cannot say."""
    points = whole(body) if "points" in body else {}
    kind = "ANY_POINTS" if points else chance.choice(["WIN_MATCH", "COMPLETE_TASK", body["action_type"]])
    player = {"player": body.get("player", "42")} if chance.random() < 0.7 else {"user_id": some_user()}
    described: dict[str, Any] = {name: body[name] for name in ("id", "occurred_at") if name in body}
    return {**described, "action_type": kind, **player, **points}


def registering(body: dict[str, Any]) -> dict[str, Any]:
    """A name and an address that no user has, and no password of the kind that people guess."""
    name = (body["username"] + uuid.uuid4().hex[:8])[-MAX_LENGTH:]
    return {
        "username": name,
        "email": f"{uuid.uuid4().hex}@example.org",
        "password": body["password"][:90] + uuid.uuid4().hex.translate(UNLIKE_HEX),
    }


def signing_in(body: dict[str, Any]) -> dict[str, Any]:
    return chance.choice([body, {"username": SITE["username"], "password": SITE["password"]}])


def ruling(body: dict[str, Any]) -> dict[str, Any]:
    """Mostly without what depends on the site and the day: then a board is made or changed."""
    if chance.random() < 0.3:
        return body
    named = ("slug", "title", "description", "visibility", "paused", "value", "order", "ties")
    return {name: body[name] for name in named if name in body}


def with_pair(name: str) -> Any:
    def made(body: dict[str, Any]) -> dict[str, Any]:
        if chance.random() < 0.5:
            return body
        pair = ask("/api/v1/auth/token", {"username": SITE["username"], "password": SITE["password"]})
        return {name: pair["refresh"]} if pair else body

    return made


GOOD = {
    "mint_action_token": minting,
    "award": awarding,
    "award_batch": lambda body: {"awards": body["awards"][:20]} if isinstance(body, dict) else body,
    "register": registering,
    "make_board": ruling,
    "change_board": ruling,
    "sign_in": signing_in,
    "refresh": with_pair("refresh"),
    "sign_out": with_pair("refresh"),
    "verify": with_pair("token"),
    "redeem_action_token": lambda body: submission(),
    "redeem_batch": lambda body: {"actions": [*body["actions"][:20], submission(), submission()]},
    "give_bonus": lambda body: {**body, **whole(body), "user_id": some_user()},
}


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if "user_id" in case.path_parameters and chance.random() < 0.7:
        case.path_parameters["user_id"] = some_user()
    good = GOOD.get(case.operation.definition.raw["operationId"])
    if good is not None and isinstance(case.body, dict):
        case.body = good(case.body)


@schemathesis.check
def nothing_leaks(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """No answer says how the site is built."""
    sent = response.request
    echoed = "\n".join([str(sent.url), str(sent.headers), str(case.body), str(case.query), str(case.path_parameters)])
    headers = [(name, value) for name, values in response.headers.items() for value in values]
    found = leaks(response.content.decode(errors="replace"), headers, secrets=SITE["secrets"], echoed=echoed)
    assert not found, found
