"""What a site says of a deed beside its points: kept in the history, shown with a best or latest entry, and bounded."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import privacy
from accounts.models import User
from actions.metadata import MAX_BYTES
from actions.models import ActionType
from leaderboard import boards, ranking, reconcile, snapshots, truth
from leaderboard.boards import Board
from leaderboard.live import messages
from leaderboard.ranking import Page, Row
from scoreboard import periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, BoardStanding, FinalStanding, ScoreHistory
from tests.support.boards import end_period, in_finals, in_sql, keep, lines_of, make, now, recounted
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import site_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]

AWARDS = "/api/v1/awards"
CAR = {"car": "Größe 7", "laps": [1, 2.5, None, True, {"": "\U0001f3c1"}], "big": 2**60, "none": {}}


@pytest.fixture
def laps(board: Board) -> None:
    ActionType.objects.create(slug="LAP_TIME", title="A lap", points=0, measure=True)
    rules: dict[str, dict[str, Any]] = {
        "best": {"value": "best", "order": "low", "window": "weekly", "action_types": ["LAP_TIME"]},
        "latest": {"value": "latest", "action_types": ["LAP_TIME"]},
        "days": {"value": "days", "action_types": ["LAP_TIME"]},
        "sum": {},
    }
    for slug, rule in rules.items():
        make(slug, **rule)
    for slug in boards.slugs():
        reconcile.reconcile(boards.get(slug))


def award(deed: str, value: int, metadata: Any = ..., player: str = "42", key: Any = None) -> Any:
    body = {"id": deed, "player": player, "action_type": "LAP_TIME", "value": value}
    body |= {} if metadata is ... else {"metadata": metadata}
    return Api().post(AWARDS, body, headers=key or site_key())


def shown(slug: str) -> list[Any]:
    """The metadata of the rows in order, None where there is none; in SQL, in Redis, over REST and recounted."""
    boards.forget()
    snapshots._snapshots.clear()
    board = boards.get(slug)
    lines = in_sql(board)
    if board.id:
        assert lines == recounted(BoardPeriod.objects.select_related("board").get(pk=board.id))
    assert reconcile.reconcile(board, check=True).drift == 0
    assert lines_of(ranking.top(board, 10)) == lines
    rows = Api().get(f"{TOP}?board={slug}").json()["data"]
    assert [row.get("metadata") for row in rows] == [line.metadata for line in lines]
    assert all(row.get("metadata", "") is not None for row in rows), "absent where there is none"
    return [line.metadata for line in lines]


@pytest.mark.usefixtures("laps")
def test_it_is_shown_with_the_best_and_the_latest_entry_alone(api: Api) -> None:
    for deed, value, metadata in (("a", 60, CAR), ("b", 62, {"car": 2}), ("c", 61, ...)):
        assert award(deed, value, metadata).status_code == 201
    assert award("d", 70, {"car": 4}, "43").status_code == 201
    assert (shown("best"), shown("latest"), shown("days")) == ([CAR, {"car": 4}], [{"car": 4}, None], [None, None])
    award("e", 1, player="44")
    api.post(AWARDS, {"id": "f", "player": "44", "action_type": "COMPLETE_TASK", "metadata": CAR}, headers=site_key())
    assert (shown("sum"), shown("global")) == ([None], [None])
    user = User.objects.get(external_id="42")
    history = api.get(f"/api/v1/score/{user.pk}/history", headers=site_key("read")).json()["data"]
    assert [entry["metadata"] for entry in history] == [None, {"car": 2}, CAR]
    assert api.get(f"/api/v1/score/{user.pk}?board=best").json()["data"]["metadata"] == CAR
    assert "metadata" not in api.get(f"/api/v1/score/{user.pk}?board=days").json()["data"]
    around = api.get(f"/api/v1/score/{user.pk}/around?board=best").json()["data"]
    assert [row.get("metadata") for row in around] == [None, CAR, {"car": 4}]
    api.send("DELETE", f"{AWARDS}/a", b"", headers=site_key())
    assert shown("best") == [None, None, {"car": 4}]


@pytest.mark.usefixtures("laps")
def test_a_later_board_a_closed_one_and_a_past_moment_have_it(api: Api) -> None:
    award("a", 60, CAR)
    at = now()
    award("b", 59, {"car": 2})
    make("later", value="best", order="low", action_types=["LAP_TIME"])
    reconcile.reconcile(boards.get("later"))
    assert shown("later") == [{"car": 2}]
    asked = at.isoformat().replace("+00:00", "Z")
    for slug in ("later", "latest"):
        assert [row["metadata"] for row in api.get(f"{TOP}?board={slug}&at={asked}").json()["data"]] == [CAR]
    period = (
        BoardPeriod.objects.select_related("board").filter(board__slug="best", closed_at=None).order_by("starts_at")[0]
    )
    key, _ = end_period("best")
    assert [line.metadata for line in in_finals(period)] == [{"car": 2}]
    closed = api.get(f"{TOP}?board=best&period={key}").json()
    assert [row["metadata"] for row in closed["data"]] == [{"car": 2}]


@pytest.mark.usefixtures("laps")
def test_a_frozen_board_tells_none_of_what_came_later(api: Api) -> None:
    award("a", 60, CAR)
    Rule.objects.filter(slug="latest").update(freeze_at=timezone.now() + timedelta(milliseconds=1))
    while now() < Rule.objects.get(slug="latest").freeze_at:  # type: ignore[operator]
        pass
    keep()
    reconcile.reconcile(boards.get("latest"))
    award("b", 59, {"secret": 1})
    board = boards.get("latest")
    assert board.frozen_at
    snapshots._snapshots.clear()
    assert [row["metadata"] for row in api.get(f"{TOP}?board=latest").json()["data"]] == [CAR]
    assert [row.metadata for row in ranking.top(board, 10).rows] == [CAR]
    assert [row.metadata for row in truth.top(boards.truth("latest"), 10).rows] == [{"secret": 1}]


@pytest.mark.usefixtures("laps")
def test_a_repeat_with_another_is_the_same_award_and_changes_nothing() -> None:
    first = award("a", 60, CAR).json()["data"]
    repeat = award("a", 60, {"car": 2})
    assert (repeat.status_code, repeat.json()["data"]) == (200, {**first, "replayed": True})
    assert (shown("best"), ScoreHistory.objects.get().metadata) == ([CAR], CAR)


@pytest.mark.usefixtures("laps")
@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "text",
        7,
        True,
        {"a": "x" * MAX_BYTES},
        {"a": "é" * (MAX_BYTES // 2)},
        {"a": {"b": {"c": {"d": {"e": {}}}}}},
        {"a": [[[[[]]]]]},
        {str(number): 0 for number in range(200)},
        {str(number): 1e300 for number in range(5)},
        {str(number): 1e-300 for number in range(5)},
    ],
)
def test_what_cannot_be_is_a_400_that_names_it(wrong: Any) -> None:
    assert list(assert_problem(award("a", 60, wrong), "invalid-request")["errors"]) == ["metadata"]
    assert not ScoreHistory.objects.exists()


@pytest.mark.usefixtures("laps")
@pytest.mark.parametrize(
    "text",
    ['{"a": NaN}', '{"a": 1e400}', '{"a": "\\u0000"}', '{"\\ud800": 1}', '{"a": ' + "[" * 5000 + "]" * 5000 + "}"],
)
def test_what_no_json_can_be_is_no_500(api: Api, text: str) -> None:
    raw = f'{{"id": "a", "player": "42", "action_type": "LAP_TIME", "value": 1, "metadata": {text}}}'.encode()
    answer = api.send("POST", AWARDS, raw, headers=site_key())
    assert answer.status_code == 400, answer.content
    batch = api.send("POST", f"{AWARDS}/batch", b'{"awards": [%b]}' % raw, headers=site_key())
    assert batch.status_code in (200, 400)
    assert not ScoreHistory.objects.exists()


@pytest.mark.usefixtures("laps")
@pytest.mark.parametrize(
    "good", [{}, {"a": "x" * (MAX_BYTES - 8)}, {"a": {"b": {"c": {"d": {}}}}}, {"n": -0.0, "m": 1e15}]
)
def test_what_is_just_within_is_kept(good: dict[str, Any]) -> None:
    assert award("a", 60, good).status_code == 201
    assert shown("best") == [good]
    assert len(json.dumps(shown("best")[0], ensure_ascii=False, separators=(",", ":")).encode()) <= MAX_BYTES


@pytest.mark.usefixtures("laps")
def test_who_is_exported_has_it_and_who_is_erased_has_none_anywhere(api: Api) -> None:
    award("a", 60, CAR)
    award("b", 61, {"car": 2})
    end_period("best")
    user = User.objects.get(external_id="42")
    assert [entry["metadata"] for entry in privacy.export(user)["history"]] == [CAR, {"car": 2}]
    assert FinalStanding.objects.exclude(metadata=None).exists()
    assert api.send("DELETE", "/api/v1/players/42", b"", headers=site_key("award", "players")).status_code < 300
    tables: list[Any] = [ScoreHistory, BoardStanding, FinalStanding]
    for table in tables:
        rows = list(table.objects.filter(user_id=user.pk))
        assert rows, table
        assert all(row.metadata is None for row in rows), table
    periods.keep()
    assert reconcile.reconcile(boards.get("latest"), check=True).drift == 0


def test_a_push_leaves_it_out_where_it_would_be_most_of_it() -> None:
    board = Board("best", "Best", 5)

    def push(rows: int, size: int) -> dict[str, Any]:
        found = [
            Row(rank, str(rank), "name", 10, None, timezone.now(), {"a": "x" * size} if size else None)
            for rank in range(1, rows + 1)
        ]
        packet = messages.update(board, Page("e", 1, 0.0, rows, found), 100)
        assert len(packet.payload) < 20_000
        said: dict[str, Any] = json.loads(packet.payload)
        return said

    few = push(7, 1000)
    assert [row["metadata"]["a"] for row in few["top"]] == ["x" * 1000] * 7
    assert "without_metadata" not in few
    many = push(100, 1000)
    assert many["without_metadata"] is True
    assert not any("metadata" in row for row in many["top"])
    assert "without_metadata" not in push(100, 0)
