"""Awards: a site says that its player has done it; once for each of its ids, inside what the catalogue allows."""

import json
import uuid
from typing import Any

import pytest

from accounts import api_keys, players
from accounts.models import ApiKey, User
from actions.models import ActionType, Award
from leaderboard import ranking
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory, UserScore
from tests.support.agreement import assert_agreement
from tests.support.client import Api, assert_problem, assert_refused
from tests.support.people import bearer, player, site_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits", "quiet_log")]

AWARDS, BATCH = "/api/v1/awards", "/api/v1/awards/batch"
NDJSON = "application/x-ndjson"


@pytest.fixture
def key(db: None) -> dict[str, str]:
    return site_key()


def deed(**changes: Any) -> dict[str, Any]:
    body = {"id": "order-981", "player": "42", "action_type": "COMPLETE_TASK", **changes}
    return {name: value for name, value in body.items() if value is not ...}


def award(api: Api, key: dict[str, str], **changes: Any) -> Any:
    return api.post(AWARDS, deed(**changes), headers=key)


def totals() -> dict[str | None, int]:
    return dict(User.objects.filter(score__total__gt=0).values_list("external_id", "score__total"))


@pytest.mark.django_db(transaction=True)
def test_one_call_makes_the_player_and_pays(api: Api, key: dict[str, str], board: Board) -> None:
    answer = award(api, key, name="  Alex\u200b  Smith ", avatar="https://x.example/a.png", attributes={"region": "eu"})
    user = User.objects.get(provider="site", external_id="42")
    assert (answer.status_code, answer.json()["data"]) == (
        201,
        {
            "id": "order-981",
            "player": "42",
            "user_id": str(user.pk),
            "score_delta": 10,
            "value": None,
            "new_score": 10,
            "rank": 1,
            "replayed": False,
        },
    )
    assert (user.display_name, user.avatar_url, user.region, user.email) == (
        "Alex Smith",
        "https://x.example/a.png",
        "eu",
        "",
    )
    assert not user.has_usable_password()
    [row] = ranking.top(board, 10).rows
    assert (row.username, row.avatar) == ("Alex Smith", "https://x.example/a.png")
    assert_agreement(board)
    award(api, key, id="2", player="43")
    other = User.objects.get(external_id="43")
    assert {row.username for row in ranking.top(board, 10).rows} == {"Alex Smith", f"Player {str(other.pk)[-4:]}"}


def test_the_same_call_again_gets_the_first_outcome_and_other_content_is_refused(api: Api, key: dict[str, str]) -> None:
    first = award(api, key).json()["data"]
    award(api, key, id="another")
    again = award(api, key, name="New")
    assert (again.status_code, again.json()["data"] | {"rank": None}) == (200, first | {"replayed": True, "rank": None})
    assert User.objects.get(external_id="42").display_name == "", "a repeat changes nothing"
    ActionType.objects.filter(slug="COMPLETE_TASK").update(min_points=1, max_points=20)
    for other in ({"player": "43"}, {"action_type": "WIN_MATCH"}, {"points": 11}):
        document = assert_problem(award(api, key, **other), "id-reused")
        assert (document["original"]["user_id"], document["original"]["score_delta"]) == (first["user_id"], 10)
    assert totals() == {"42": 20}
    assert not User.objects.filter(external_id="43").exists()


def test_an_id_is_good_once_for_all_keys_of_a_provider_and_means_nothing_to_another(
    api: Api, key: dict[str, str]
) -> None:
    assert award(api, key).status_code == 201
    _, successor = api_keys.rotate(ApiKey.objects.get())
    assert award(api, {"X-API-Key": successor}).status_code == 200
    elsewhere = award(api, site_key(provider="shop"))
    assert elsewhere.status_code == 201
    assert User.objects.filter(external_id="42").count() == 2
    by_reference = award(api, key, id="2", player=..., user_id="ext:shop:42")
    assert by_reference.json()["data"]["user_id"] == elsewhere.json()["data"]["user_id"]


def test_what_an_award_may_grant(api: Api, key: dict[str, str], alice: User) -> None:
    ActionType.objects.create(slug="SIGNED", title="x", points=5, granted_by="signer")
    ActionType.objects.filter(slug="DAILY_LOGIN").update(enabled=False)
    ActionType.objects.filter(slug="WIN_MATCH").update(min_points=20, max_points=80)
    staff, disabled = player(role="moderator"), player(is_active=False)
    for changes, kind in (
        ({"action_type": "SIGNED"}, "not-yours-to-grant"),
        ({"action_type": "NO_SUCH"}, "not-found"),
        ({"action_type": "DAILY_LOGIN"}, "not-found"),
        ({"points": 11}, "invalid-request"),
        ({"action_type": "WIN_MATCH", "points": 81}, "invalid-request"),
        ({"player": ..., "user_id": str(uuid.uuid4())}, "not-found"),
        ({"player": ..., "user_id": "ext:nobody"}, "not-found"),
        ({"player": ..., "user_id": str(staff.pk)}, "forbidden"),
        ({"player": ..., "user_id": str(disabled.pk)}, "player-disabled"),
    ):
        assert_problem(award(api, key, **changes), kind)
    assert (totals(), Award.objects.count()) == ({}, 0)
    assert not User.objects.exclude(provider="local").exists(), "a refusal makes no player"
    types = site_key("award", types=["WIN_MATCH"])
    assert_problem(award(api, types), "forbidden")
    assert award(api, types, action_type="WIN_MATCH", points=80).status_code == 201, "the id was not used up"
    mine = {"player": ..., "user_id": str(alice.pk)}
    assert [award(api, key, id=str(n), **mine).status_code for n in range(3)] == [201] * 3, (
        "no minimum time, no cooldown"
    )
    assert assert_problem(award(api, key, id="x", name="Not hers", **mine), "invalid-request")["errors"].keys() == {
        "name"
    }


def test_when_it_was_done_is_shown_and_decides_nothing(api: Api, key: dict[str, str], alice: User) -> None:
    mine = {"player": ..., "user_id": str(alice.pk)}
    award(api, key, occurred_at="2020-02-29T23:59:59+01:00", **mine)
    [entry] = api.get(f"/api/v1/score/{alice.pk}/history", alice).json()["data"]
    assert (entry["source"], entry["action_type"], entry["occurred_at"]) == (
        "award",
        "COMPLETE_TASK",
        "2020-02-29T22:59:59Z",
    )
    assert entry["created_at"] > "2026"


def test_an_award_is_reversed_once_whoever_asks_how_often(api: Api, key: dict[str, str]) -> None:
    user_id = award(api, key, id="batch").json()["data"]["user_id"]
    award(api, key, id="kept")
    answers = [api.send("DELETE", f"{AWARDS}/batch", b"", headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    data = answers[0].json()["data"]
    assert (data["player"], data["user_id"], data["score_delta"], data["new_score"]) == ("42", user_id, -10, 10)
    assert award(api, key, id="batch").status_code == 200, "the id stays used"
    assert list(ScoreHistory.objects.order_by("id").values_list("source", "delta")) == [
        ("award", 10),
        ("award", 10),
        ("correction", -10),
    ]
    assert_problem(api.send("DELETE", f"{AWARDS}/never", b"", headers=key), "not-found")
    assert_problem(api.send("DELETE", f"{AWARDS}/batch", b"", headers=site_key(provider="shop")), "not-found")
    assert totals() == {"42": 10}


WRONG: dict[str, dict[str, Any]] = {
    "no id": {"id": ...},
    "id null": {"id": None},
    "id empty": {"id": ""},
    "id a number": {"id": 5},
    "id too long": {"id": "x" * 256},
    "id dots": {"id": ".."},
    "id with a control character": {"id": "a\nb"},
    "id NUL": {"id": "a\0b"},
    "id a surrogate": {"id": "\ud800"},
    "nobody": {"player": ...},
    "player and user": {"user_id": str(uuid.uuid4())},
    "player null": {"player": None},
    "player empty": {"player": ""},
    "player too long": {"player": "x" * 256},
    "player a number": {"player": 42},
    "player as elsewhere": {"player": "ext:42"},
    "user of another form": {"player": ..., "user_id": "42"},
    "user of no provider": {"player": ..., "user_id": "ext:Lo cal:42"},
    "no type": {"action_type": ...},
    "type null": {"action_type": None},
    "type too long": {"action_type": "X" * 256},
    "points null": {"points": None},
    "points text": {"points": "10"},
    "points huge": {"points": 2**70},
    "points zero": {"points": 0},
    "name null": {"name": None},
    "name invisible": {"name": "\u200b \u2060"},
    "name too long": {"name": "x" * 256},
    "avatar no address": {"avatar": "javascript:alert(1)"},
    "attribute undeclared": {"attributes": {"vip": True}},
    "attribute ill-typed": {"attributes": {"region": 5}},
    "attributes a list": {"attributes": []},
    "time naive": {"occurred_at": "2026-11-26T12:00:00"},
    "time beyond": {"occurred_at": "0001-01-01T00:00:00+14:00"},
    "unknown field": {"score": 5},
}


def test_bad_input_is_refused_alone_and_the_others_are_paid(api: Api, key: dict[str, str]) -> None:
    for name, changes in WRONG.items():
        assert (name, assert_refused(award(api, key, **changes))["status"]) == (name, 400)
    wrong: list[Any] = [deed(**changes) for changes in WRONG.values()] + [None, 5, [], "x"]
    body = {"awards": [deed(id="first"), *wrong, deed(id="last")]}
    results = api.post(BATCH, body, headers=key).json()["data"]["results"]
    assert [one["status"] for one in results] == [201, *[400] * len(wrong), 201]
    assert all(one["errors"] for one in results[1:-1])
    assert totals() == {"42": 20}


def test_lines_are_judged_and_answered_one_by_one(api: Api, key: dict[str, str]) -> None:
    lines = [
        json.dumps(deed(id="1")),
        '{"id": "2", "player": ',
        "",
        json.dumps(deed(id="3")),
        "\xff",
        json.dumps(deed(id="1")),
    ]
    raw = "\n".join(lines).encode("latin-1")
    answer = api.send("POST", BATCH, raw, content_type=NDJSON, headers=key)
    assert (answer.status_code, answer["Content-Type"]) == (200, NDJSON)
    results = [json.loads(line) for line in answer.content.splitlines()]
    assert [(one["id"], one["status"]) for one in results] == [
        ("1", 201),
        (None, 400),
        ("3", 201),
        (None, 400),
        ("1", 200),
    ]
    assert totals() == {"42": 20}


def test_a_batch_of_one_player_a_thousand_times(api: Api, key: dict[str, str]) -> None:
    entries = [deed(id=str(n), name=f"Name {n}", attributes={"region": "eu"}) for n in range(1000)]
    results = api.post(BATCH, {"awards": entries}, headers=key).json()["data"]["results"]
    assert {one["status"] for one in results} == {201}
    assert [one["new_score"] for one in results] == list(range(10, 10_001, 10))
    user = User.objects.get(external_id="42")
    assert (user.display_name, UserScore.objects.get(pk=user.pk).total) == ("Name 999", 10_000)
    again = api.post(BATCH, {"awards": entries}, headers=key).json()["data"]["results"]
    assert {(one["status"], one["replayed"]) for one in again} == {(200, True)}
    bodies: list[Any] = [
        {"awards": [*entries, deed()]},
        {"awards": []},
        {"awards": {}},
        {"awards": entries, "x": 1},
        [],
    ]
    for body in bodies:
        assert_problem(api.post(BATCH, body, headers=key), "invalid-request")
    assert totals() == {"42": 10_000}


def test_within_a_batch_the_first_that_counts_has_the_id(api: Api, key: dict[str, str]) -> None:
    entries = [deed(action_type="NO_SUCH"), deed(), deed(player="43"), deed()]
    results = api.post(BATCH, {"awards": entries}, headers=key).json()["data"]["results"]
    assert [one["status"] for one in results] == [404, 201, 409, 200]
    assert totals() == {"42": 10}


def test_who_may_call(api: Api, alice: User) -> None:
    awarding = site_key("award")
    calls = (("POST", AWARDS), ("POST", BATCH), ("DELETE", f"{AWARDS}/1"), ("GET", "/api/v1/players"))
    for method, path in calls:
        raw = json.dumps(deed() if path == AWARDS else {"awards": [deed()]}).encode()
        assert_problem(api.send(method, path, raw), "not-authenticated")
        assert_problem(api.send(method, path, raw, headers=bearer(alice)), "not-authenticated")
        assert_problem(api.send(method, path, raw, headers=site_key("mint")), "forbidden")
    assert_problem(api.get("/api/v1/players", headers=awarding), "forbidden")
    revoked, text = api_keys.issue("gone", ["award"])
    api_keys.revoke(revoked)
    assert_problem(award(api, {"X-API-Key": text}), "forbidden")
    assert totals() == {}


def test_an_award_is_charged_to_its_key_and_a_batch_as_its_entries(api: Api, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "ip": "1/hour", "user": "1/hour"}
    key = site_key(limit="10/hour")
    assert award(api, key).status_code == 201
    batch = {"awards": [deed(id=str(n)) for n in range(9)]}
    assert api.post(BATCH, batch, headers=key).status_code == 200
    refused = award(api, key, id="eleventh")
    assert_problem(refused, "rate-limited")
    assert int(refused["Retry-After"]) > 0
    small = site_key(limit="5/hour")
    assert_problem(api.post(BATCH, batch, headers=small), "invalid-request")
    assert_problem(api.post(BATCH, {"awards": [deed(id="y")] * 5}, headers=small), "rate-limited")
    assert totals() == {"42": 100}


def test_a_name_is_cleaned_and_need_not_be_unique(api: Api, key: dict[str, str], alice: User) -> None:
    for number, (said, shown) in enumerate({"alice": "alice", "a\u202eb": "ab", "x" * 99: "x" * 50}.items()):
        assert award(api, key, id=f"{number}", player=f"p{number}", name=said).status_code == 201
        assert User.objects.get(external_id=f"p{number}").shown_name == shown
    assert players.get("site", "p0").username != alice.username
