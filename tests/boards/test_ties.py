"""Equals that share a rank: the number is the same wherever it is told, and their order stays who was there first."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client, RequestFactory

from accounts.models import User
from api import redis_client
from leaderboard import boards, finals, ranking, reads, rebuild, reconcile, truth
from leaderboard.boards import Board
from scoreboard import board_preview, ledger, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod
from tests.boards.definitions import iso
from tests.boards.drawn import rebuilt
from tests.support.boards import award, current, end_period, in_finals, in_sql, lines_of, make, recounted
from tests.support.client import TOP, Api
from tests.support.people import players, site_key
from tests.support.spoiling import HARMS

pytestmark = pytest.mark.usefixtures("board", "unlimited")

POINTS = [9, 7, 7, 5, 5, 5, 4]
RANKS = {
    "earliest": [1, 2, 3, 4, 5, 6, 7],
    "latest": [1, 2, 3, 4, 5, 6, 7],
    "shared": [1, 2, 2, 4, 4, 4, 7],
    "dense": [1, 2, 2, 3, 3, 3, 4],
}
BETTER = {"shared": [0, 1, 1, 3, 3, 3, 6], "dense": [0, 1, 1, 3, 3, 3, 6]}
SHARING = pytest.mark.parametrize("ties", ["shared", "dense"])


def crowd_on(**rule: Any) -> list[User]:
    """Seven players with POINTS, in the order of the board "cup", and one between them who is hidden."""
    make("cup", window="yearly", value="best", **rule)
    crowd = players(len(POINTS) + 1)
    hidden = crowd.pop()
    award(hidden, 8)
    User.objects.filter(pk=hidden.pk).update(is_hidden=True)
    ledger.announce_players([hidden.pk])
    pairs = list(zip(crowd, POINTS, strict=True))
    for user, points in reversed(pairs) if rule["ties"] == "latest" else pairs:
        award(user, points)
    rebuilt(current("cup"))
    return crowd


def told(answer: Any) -> list[tuple[str, int]]:
    assert answer.status_code == 200, answer.content
    return [(row["user_id"], row["rank"]) for row in answer.json()["data"]]


@pytest.mark.parametrize("ties", RANKS)
def test_every_read_tells_the_same_ranks(api: Api, client: Client, rf: RequestFactory, ties: str) -> None:
    crowd, ranks = crowd_on(ties=ties), RANKS[ties]
    expected = [(str(user.pk), rank) for user, rank in zip(crowd, ranks, strict=True)]
    for offset in range(len(crowd) + 1):
        assert told(api.get(f"{TOP}?board=cup&limit=2&offset={offset}")) == expected[offset : offset + 2]
        assert told(api.get(f"{TOP}?board=cup&limit=100&offset={offset}")) == expected[offset:]  # below the snapshot
    now = iso(periods.clock())
    assert told(api.get(f"{TOP}?board=cup&at={now}&limit=3&offset=2")) == expected[2:5]
    for place, user in enumerate(crowd):
        around = told(api.get(f"/api/v1/score/{user.pk}/around?board=cup&radius=1"))
        assert around == expected[max(0, place - 1) : place + 2]
        for answer in (api.get(f"/api/v1/score/{user.pk}?board=cup"), api.get("/api/v1/score/me?board=cup", user)):
            own = answer.json()["data"]
            percentile = round(100 * (6 - BETTER.get(ties, range(7))[place]) / 6, 2)
            assert (own["rank"], own["percentile"]) == (ranks[place], percentile), place
    assert [place.rank for place in ranking.places(current("cup"), [user.pk for user in crowd])] == ranks
    csv_rows = b"".join(api.get("/api/v1/exports/board.csv?board=cup", headers=site_key("read")))
    assert [(row["user_id"], int(row["rank"])) for row in csv.DictReader(io.StringIO(csv_rows.decode()))] == expected
    context = Context({"request": rf.get("/")})
    tag = Template("{% load live_leaderboard %}{% live_leaderboard board='cup' %}").render(context)
    for page in (tag, client.get("/?board=cup").content.decode(), client.get("/embed/cup").content.decode()):
        assert [int(rank) for rank in re.findall(r"<tr><td>(\d+)</td>", page)] == ranks


@pytest.mark.parametrize("ties", RANKS)
def test_sql_answers_as_redis_does(ties: str) -> None:
    crowd = crowd_on(ties=ties)
    board = current("cup")
    for offset in range(len(crowd)):
        assert truth.top(board, 3, offset).rows == ranking.top(board, 3, offset).rows
    for user in crowd:
        for radius in (0, 2):
            assert truth.around(board, user.pk, radius).rows == ranking.around(board, user.pk, radius).rows


@pytest.mark.parametrize("ties", RANKS)
def test_a_low_score_wins_and_equals_share_all_the_same(ties: str) -> None:
    crowd_on(ties=ties, order="low")
    period = BoardPeriod.objects.filter(board__slug="cup").order_by("starts_at")[0]
    ranks = {"shared": [1, 2, 2, 2, 5, 5, 7], "dense": [1, 2, 2, 2, 3, 3, 4]}.get(ties, RANKS[ties])
    assert [line.rank for line in recounted(period)] == ranks
    assert in_sql(current("cup")) == lines_of(ranking.top(current("cup"), 100)) == recounted(period)


@pytest.mark.parametrize("ties", RANKS)
def test_final_ranks_are_those_that_were_shown(api: Api, ties: str) -> None:
    crowd, ranks = crowd_on(ties=ties), RANKS[ties]
    before = [reads.player(current("cup"), user.pk) for user in crowd]
    key, _ = end_period("cup")
    period = BoardPeriod.objects.get(key=key)
    assert in_finals(period) == recounted(period)
    closed = boards.get("cup", key)
    assert [reads.player(closed, user.pk) for user in crowd] == before
    rows = list(csv.DictReader(io.StringIO(final_file(api, key))))
    assert [int(row["rank"]) for row in rows] == ranks
    periods = api.get("/api/v1/boards/cup/periods").json()["data"]
    assert [one["players"] for one in periods if one["key"] == key] == [len(crowd)]
    # One who is hidden later is left out, and no other moves up.
    User.objects.filter(pk=crowd[1].pk).update(is_hidden=True)
    assert [row.rank for row in finals.top(closed, 3, 0).rows] == [ranks[0], ranks[2], ranks[3]]
    assert [row.rank for row in finals.around(closed, crowd[2].pk, 1).rows] == ranks[2:4]


def final_file(api: Api, key: str) -> str:
    return b"".join(api.get(f"/api/v1/exports/board.csv?board=cup&period={key}", headers=site_key("read"))).decode()


@pytest.mark.parametrize("ties", RANKS)
def test_a_preview_has_the_ranks_that_the_board_will_have(ties: str) -> None:
    crowd_on(ties=ties)
    [preview] = board_preview.of(Rule.objects.get())
    assert [(rank, score) for rank, _, score in preview.lines] == list(zip(RANKS[ties], POINTS, strict=True))


@SHARING
def test_what_is_written_answers_with_the_rank_that_is_shared(ties: str) -> None:
    crowd = crowd_on(ties=ties)
    board = current("cup")
    everyone = truth.some(board, [user.pk for user in crowd])
    by_id = {standing.user_id: standing for standing in everyone}
    assert ranking.write(board, [by_id[user.pk] for user in crowd]).ranks == RANKS[ties]
    assert [ranking.write(board, [by_id[user.pk]]).ranks for user in crowd] == [[rank] for rank in RANKS[ties]]


def test_a_score_that_the_last_player_leaves_counts_for_nobodys_rank() -> None:
    crowd = crowd_on(ties="dense")
    board = current("cup")
    assert scores(board) == {"9", "7", "5", "4"}
    award(crowd[1], 8)  # her best; another still has 7
    assert scores(board) == {"9", "8", "7", "5", "4"}
    award(crowd[2], 9)
    assert scores(board) == {"9", "8", "5", "4"}
    User.objects.filter(pk=crowd[1].pk).update(is_hidden=True)
    ledger.announce_players([crowd[1].pk])
    assert scores(board) == {"9", "5", "4"}
    assert ranking.meta(board, "scores") == ["3"]
    assert [row.rank for row in ranking.top(board, 100).rows] == [1, 1, 2, 2, 2, 3]


def scores(board: Board) -> set[str]:
    key = boards.keys(board).better
    assert key is not None
    return {total.decode() for total in ranking.command("zrange", key, 0, -1)}


def test_a_board_whose_equals_share_no_rank_has_the_keys_it_had() -> None:
    for ties, more in (("earliest", []), ("latest", []), ("shared", ["rank"]), ("dense", ["scores"])):
        keys = boards.keys(Board("cup", "Cup", id=7, ties=ties)).all()
        assert [key.rpartition(":")[2] for key in keys] == ["rank", "player", "profile", "meta", *more]


@pytest.mark.parametrize("harm", HARMS)
def test_a_board_without_its_scores_is_lost_and_made_anew(
    monkeypatch: pytest.MonkeyPatch, harm: Callable[[str], None]
) -> None:
    crowd = crowd_on(ties="dense")
    board = current("cup")
    epoch, key = ranking.epoch(board), boards.keys(board).better
    assert key is not None
    harm(key)
    monkeypatch.setattr(rebuild, "in_background", lambda board: None)
    with pytest.raises(ranking.Lost):
        ranking.top(board, 10)
    assert [row.rank for row in reads.top(board, 10).rows] == RANKS["dense"]
    assert [row.rank for row in reads.around(board, crowd[4].pk, 1).rows] == [3, 3, 3]
    assert rebuild.rebuild(board)
    assert ranking.epoch(board) not in (None, epoch)
    assert [row.rank for row in ranking.top(board, 10).rows] == RANKS["dense"]


def test_reconcile_finds_scores_that_are_nobodys_and_those_that_are_missing() -> None:
    crowd_on(ties="dense")
    board = current("cup")
    redis: Any = redis_client.connection()
    key = boards.keys(board).better
    redis.zrem(key, "7")
    redis.zadd(key, {"10": 10})  # as many as before
    assert [row.rank for row in ranking.top(board, 3).rows] == [2, 3, 3]
    report = reconcile.reconcile(board, check=True)
    assert (report.found["missing"], report.found["extra"], report.players["extra"]) == (2, 1, ["score 10"])
    assert scores(board) == {"10", "9", "5", "4"}
    report = reconcile.reconcile(board)
    assert (report.found["missing"], report.found["extra"], report.repaired, report.lost) == (2, 1, 3, False)
    assert scores(board) == {"9", "7", "5", "4"}
    assert reconcile.reconcile(board, check=True).drift == 0
    assert [row.rank for row in ranking.top(board, 10).rows] == RANKS["dense"]


def test_a_score_put_into_the_ranking_by_hand_leaves_no_trace() -> None:
    crowd = crowd_on(ties="dense")
    board = current("cup")
    redis: Any = redis_client.connection()
    [member] = redis.zrevrange(boards.keys(board).rank, 0, 0)
    assert member.decode().endswith(str(crowd[0].pk))
    redis.zadd(boards.keys(board).rank, {member: 2.5})
    assert reconcile.reconcile(board).drift
    assert reconcile.reconcile(board, check=True).drift == 0
    assert scores(board) == {"9", "7", "5", "4"}


def test_another_kind_of_ties_is_another_rule(api: Api) -> None:
    crowd = crowd_on(ties="dense")
    before = current("cup")
    editor = site_key("boards")
    for ties in ("shared", "latest", "dense"):
        answer = api.send("PUT", "/api/v1/boards/cup", f'{{"ties": "{ties}"}}'.encode(), headers=editor)
        assert (answer.status_code, answer.json()["data"]["ties"]) == (200, ties)
        board = current("cup")
        assert board.id != before.id
        rebuilt(board)
        ranks = [row.rank for row in ranking.top(board, 10).rows]
        assert ranks == RANKS[ties]
    assert api.send("PUT", "/api/v1/boards/cup", b'{"ties": "equal"}', headers=editor).status_code == 400
    assert len(crowd) == len(POINTS)
