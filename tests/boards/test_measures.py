"""Measures: a lap time or a weight counts where its type is named, by the best, the latest or days. It is no points."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from actions.models import ActionType
from events import envelope
from leaderboard import boards, ranking, reconcile
from leaderboard.boards import GLOBAL, Board
from scoreboard import changes, ledger
from scoreboard.ledger import Entry
from scoreboard.models import BoardPeriod, ScoreHistory, UserScore
from tests.support.admin_site import admin, signed_in
from tests.support.boards import in_sql, make, now, of_all_totals, recounted
from tests.support.client import MINT, TOP, Api, assert_problem
from tests.support.people import give, player, site_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]

AWARDS = "/api/v1/awards"
MOST = 2**53 - 1
TYPE = {
    "slug": "WEIGHT",
    "title": "Weight",
    "points": "0",
    "measure": "on",
    "enabled": "on",
    "granted_by": "back_end",
    "token_lifetime": "60",
    "min_seconds": "0",
    "cooldown": "0",
    "max_per_hour": "",
    "min_points": "-10",
    "max_points": "500",
}


@pytest.fixture
def lap(board: Board) -> ActionType:
    return ActionType.objects.create(slug="LAP_TIME", title="A lap", points=0, measure=True)


@pytest.fixture
def laps(lap: ActionType) -> None:
    """Boards that name it, and boards on which it must not be."""
    rules: dict[str, dict[str, Any]] = {
        "fastest": {"value": "best", "order": "low", "action_types": ["LAP_TIME"]},
        "latest": {"value": "latest", "window": "weekly", "action_types": ["LAP_TIME", "COMPLETE_TASK"]},
        "days": {"value": "days", "action_types": ["LAP_TIME"]},
        "sum": {"action_types": ["LAP_TIME"]},
        "best-of-all": {"value": "best"},
        "days-of-all": {"value": "days"},
        "ever": {},
    }
    for slug, rule in rules.items():
        make(slug, **rule)
    for slug in boards.slugs():
        reconcile.reconcile(boards.get(slug))


def award(key: dict[str, str], deed: str, player: str = "42", **body: Any) -> Any:
    return Api().post(AWARDS, {"id": deed, "player": player, "action_type": "LAP_TIME", **body}, headers=key)


def scores(slug: str) -> list[int]:
    """As they are ranked; in SQL, in Redis and recounted, which agree."""
    boards.forget()
    board = boards.get(slug)
    lines = in_sql(board)
    if board is not GLOBAL:
        assert lines == recounted(BoardPeriod.objects.select_related("board").get(pk=board.id))
    assert reconcile.reconcile(board, check=True).drift == 0
    assert [row.score for row in ranking.top(board, 10).rows] == [line.score for line in lines]
    return [line.score for line in lines]


@pytest.mark.usefixtures("laps")
def test_it_counts_where_its_type_is_named_and_inflates_no_total() -> None:
    key = site_key()
    first = award(key, "a", value=61_500)
    assert first.status_code == 201, first.content
    data = first.json()["data"]
    assert (data["score_delta"], data["value"], data["new_score"], data["rank"]) == (0, 61_500, 0, None)
    award(key, "b", value=60_250)
    award(key, "c", value=63_000)
    award(key, "d", "43", value=62_000)
    assert (scores("fastest"), scores("latest"), scores("days")) == ([60_250, 62_000], [63_000, 62_000], [1, 1])
    assert all(scores(slug) == [] for slug in ("sum", "best-of-all", "days-of-all", "ever", "global"))
    award(key, "e", action_type="COMPLETE_TASK")
    assert (scores("latest"), scores("best-of-all"), scores("global")) == ([62_000, 10], [10], [10])
    assert UserScore.objects.get(user__external_id="42").version == 4, "every entry raises it"


@pytest.mark.usefixtures("lap")
def test_who_reached_the_total_first_stays_first(api: Api, alice: User, bob: User) -> None:
    give(alice, 10)
    give(bob, 10)
    reached = UserScore.objects.get(user=alice).reached_at
    [outcome] = ledger.record([Entry(alice.pk, alice.pk, ScoreHistory.Source.AWARD, action_type="LAP_TIME", value=5)])
    ledger.announce([outcome.standing])
    assert outcome.standing is not None
    assert (outcome.standing.reached_at, outcome.standing.total) == (reached, 10)
    assert UserScore.objects.get(user=alice).reached_at == reached
    assert [row.username for row in ranking.top(GLOBAL, 10).rows] == ["alice", "bob"]
    at = now()
    answer = api.get(f"{TOP}?at={at.isoformat().replace('+00:00', 'Z')}").json()["data"]
    assert [row["username"] for row in answer] == ["alice", "bob"]
    assert [line.user_id for line in of_all_totals(at)] == [alice.pk, bob.pk]


@pytest.mark.usefixtures("laps")
def test_a_repeat_is_the_same_only_with_the_same_value() -> None:
    key = site_key()
    award(key, "a", value=60)
    repeat = award(key, "a", value=60)
    assert (repeat.status_code, repeat.json()["data"]["value"], repeat.json()["data"]["replayed"]) == (200, 60, True)
    original = assert_problem(award(key, "a", value=59), "id-reused")["original"]
    assert (original["value"], original["score_delta"]) == (60, 0)
    assert scores("fastest") == [60]


@pytest.mark.usefixtures("laps")
def test_taken_back_the_next_best_is_shown(api: Api) -> None:
    key = site_key()
    for deed, value in (("a", 60), ("b", 58), ("c", 59)):
        award(key, deed, value=value)
    back = api.send("DELETE", f"{AWARDS}/b", b"", headers=key)
    assert (back.status_code, back.json()["data"]["score_delta"]) == (200, 0)
    assert api.send("DELETE", f"{AWARDS}/b", b"", headers=key).json()["data"] == back.json()["data"]
    assert (scores("fastest"), scores("latest")) == ([59], [59])
    row = ScoreHistory.objects.order_by("-pk")[0]
    assert (row.source, row.delta, row.value) == ("correction", 0, 58)
    assert row.reverses == ScoreHistory.objects.get(value=58, reverses=None).pk
    api.send("DELETE", f"{AWARDS}/c", b"", headers=key)
    api.send("DELETE", f"{AWARDS}/a", b"", headers=key)
    assert (scores("fastest"), scores("latest"), scores("days")) == ([], [], [])


@pytest.mark.parametrize("value", [0, -1, 1, MOST, -MOST])
@pytest.mark.parametrize("order", ["high", "low"])
def test_every_value_is_shown_as_it_is(lap: ActionType, value: int, order: str) -> None:
    make("best", value="best", order=order, action_types=["LAP_TIME"])
    reconcile.reconcile(boards.get("best"))
    assert award(site_key(), "a", value=value).status_code == 201
    assert scores("best") == [value]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "value"),
        ({"points": 5}, "points"),
        ({"points": 5, "value": 5}, "value"),
        ({"value": MOST + 1}, "value"),
        ({"value": 1.5}, "value"),
        ({"value": "60"}, "value"),
        ({"value": True}, "value"),
        ({"value": None}, "value"),
        ({"value": 99}, "value"),
        ({"value": 201}, "value"),
        ({"action_type": "COMPLETE_TASK", "value": 5}, "value"),
    ],
)
def test_what_cannot_be_is_a_400_that_names_the_field(lap: ActionType, body: dict[str, Any], field: str) -> None:
    ActionType.objects.filter(pk="LAP_TIME").update(min_points=100, max_points=200)
    key = site_key()
    assert list(assert_problem(award(key, "a", **body), "invalid-request")["errors"]) == [field]
    both = [{"id": "a", "player": "42", "action_type": "LAP_TIME", **body}]
    both.append({"id": "b", "player": "42", "action_type": "LAP_TIME", "value": 150})
    results = Api().post(f"{AWARDS}/batch", {"awards": both}, headers=key).json()["data"]["results"]
    assert [one["status"] for one in results] == [400, 201]
    assert list(results[0]["errors"]) == [field]
    assert ScoreHistory.objects.count() == 1


def test_no_token_grants_it(api: Api, lap: ActionType, alice: User) -> None:
    key = site_key("mint")
    problem = assert_problem(
        api.post(MINT, {"user_id": str(alice.pk), "action_type": "LAP_TIME"}, headers=key), "invalid-request"
    )
    assert list(problem["errors"]) == ["action_type"]
    assert_problem(api.post(MINT, {"action_type": "LAP_TIME"}, alice), "not-yours-to-grant")
    [listed] = [kind for kind in api.get("/api/v1/action/types").json()["data"] if kind["action_type"] == "LAP_TIME"]
    assert (listed["measure"], listed["points"], listed["granted_by"]) == (True, 0, "back_end")


def test_staff_are_measured_as_little_as_they_score(lap: ActionType) -> None:
    mod = player("mod", role=User.Role.MODERATOR)
    entry = Entry(mod.pk, mod.pk, ScoreHistory.Source.AWARD, action_type="LAP_TIME", value=60)
    assert [outcome.outcome for outcome in ledger.record([entry])] == ["staff"]
    answer = Api().post(
        AWARDS, {"id": "a", "user_id": str(mod.pk), "action_type": "LAP_TIME", "value": 5}, headers=site_key()
    )
    assert_problem(answer, "forbidden")
    assert not ScoreHistory.objects.exists()


def test_admin_makes_one_for_good() -> None:
    site, types = signed_in(admin()), "/admin/actions/actiontype/"
    for wrong, field in (
        ({"points": "5"}, "points"),
        ({"granted_by": "player", "cooldown": "5"}, "__all__"),
        ({"granted_by": "signer"}, "__all__"),
        ({"min_points": "501"}, "__all__"),
        ({"max_points": str(MOST + 1)}, "__all__"),
    ):
        page = site.post(f"{types}add/", {**TYPE, **wrong})
        assert field in page.context["adminform"].form.errors, wrong
    assert site.post(f"{types}add/", TYPE).status_code == 302
    assert award(site_key(), "a", action_type="WEIGHT", value=-10).status_code == 201
    values = {name: value for name, value in TYPE.items() if name not in ("slug", "measure")}
    assert site.post(f"{types}WEIGHT/change/", {**values, "max_points": "600"}).status_code == 302
    kind = ActionType.objects.get(pk="WEIGHT")
    assert (kind.measure, kind.max_points) == (True, 600)
    for measure, points in ((False, 5), (True, 0)):
        with pytest.raises(IntegrityError), transaction.atomic():
            ActionType.objects.filter(measure=not measure).update(measure=measure, points=points)
    kind.delete()
    page = site.post(f"{types}add/", {**values, "slug": "WEIGHT", "points": "5", "min_points": "", "max_points": ""})
    assert "measure" in page.context["adminform"].form.errors


@pytest.mark.usefixtures("laps")
def test_history_file_and_events_tell_the_value(api: Api, lap: ActionType) -> None:
    award(site_key(), "a", value=-7)
    user = User.objects.get(external_id="42")
    [entry] = api.get(f"/api/v1/score/{user.pk}/history", headers=site_key("read")).json()["data"]
    assert (entry["delta"], entry["value"], entry["old_total"], entry["new_total"]) == (0, -7, 0, 0)
    lines = b"".join(signed_in(admin()).get("/api/v1/exports/history.json"))
    assert b'"value": -7' in lines or b'"value":-7' in lines
    [told] = envelope.updates(changes.these([entry["id"]]))
    assert (told["data"]["delta"], told["data"]["value"], told["data"]["score"]) == (0, -7, 0)


@pytest.mark.usefixtures("lap")
def test_a_board_made_later_and_any_past_moment_count_it(api: Api) -> None:
    key = site_key()
    award(key, "a", value=60)
    between = now()
    award(key, "b", value=55)
    award(key, "c", action_type="COMPLETE_TASK")
    make("fastest", value="best", order="low", action_types=["LAP_TIME"])
    reconcile.reconcile(boards.get("fastest"))
    assert scores("fastest") == [55]
    at = between.isoformat().replace("+00:00", "Z")
    assert [row["score"] for row in api.get(f"{TOP}?board=fastest&at={at}").json()["data"]] == [60]
    assert api.get(f"{TOP}?at={at}").json()["data"] == []
    early = (between - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert api.get(f"{TOP}?board=fastest&at={early}").json()["data"] == []
