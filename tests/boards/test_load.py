"""Boards that are edited, paused, deleted and made again while players score leave no ghost, and fail no player."""

import random
import threading
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from api import redis_client
from leaderboard import boards, ranking, reconcile, tasks, tidy
from leaderboard.boards import Board
from scoreboard import periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, BoardStanding, ScoreHistory
from tests.boards.every_rule import in_redis
from tests.support.boards import award, in_sql, make, now, recounted
from tests.support.client import Api
from tests.support.people import players, site_key
from tests.support.races import at_once, none_failed

SCORERS = 3
EDITS = 20


def periods_in_redis(settings: Any) -> set[int]:
    prefix = f"{settings.REDIS_KEY_PREFIX}lb:".encode()
    keys = redis_client.connection().scan_iter(count=1000)
    return {int(match[1]) for key in keys if key.startswith(prefix) and (match := tidy.PERIOD.search(key.decode()))}


def assert_no_ghost_and_all_agree(settings: Any) -> None:
    periods.keep()
    periods.purge_stray()
    boards.forget()
    tasks.sweep()
    tasks.tidy_boards()
    still_open = set(BoardPeriod.objects.filter(closed_at=None).values_list("pk", flat=True))
    assert set(BoardStanding.objects.values_list("period_id", flat=True)) <= still_open
    assert periods_in_redis(settings) <= still_open
    begun = BoardPeriod.objects.exclude(starts_at__gt=now()).filter(closed_at=None, board__paused=False)
    for period in begun.select_related("board"):
        board = boards.listing().boards[period.pk]
        assert in_sql(board) == recounted(period), (period.board.slug, period.part)
        assert ranking.epoch(board)
        assert in_redis(board) == recounted(period), (period.board.slug, period.part)
        assert reconcile.reconcile(board, check=True).drift == 0


def an_edit(chance: random.Random) -> None:
    """What an organiser does to one of the boards."""
    slug = chance.choice(["weekly", "regions", "laps"])
    rule = Rule.objects.filter(slug=slug).first()
    if rule is None:
        each = {"attribute": "region", "attribute_value": "*"} if slug == "regions" else {}
        Rule.objects.create(slug=slug, title=slug, window="weekly", **each)
    elif chance.random() < 0.25:
        rule.delete()
    elif chance.random() < 0.4:
        rule.paused = not rule.paused
        rule.save()
    else:
        rule.window = chance.choice(["all", "weekly", "daily"])
        rule.value = chance.choice(["sum", "best", "days", "latest"])
        rule.zone = chance.choice(["UTC", "Pacific/Auckland"])
        rule.save()


def test_edits_under_load_leave_no_ghost_and_trouble_no_player(
    board: Board, unlimited: None, quiet_log: None, settings: Settings
) -> None:
    """Awards by the real path, some with a region that opens a part; players who move; an organiser; beat; a sweep."""
    api, headers, crowd = Api(), site_key("award", "players"), players(3)
    for slug in ("weekly", "laps"):
        make(slug, window="weekly")
    make("regions", window="weekly", attribute="region", attribute_value="*")
    ended = threading.Event()

    def score(number: int) -> int:
        chance, told = random.Random(number), 0
        while not ended.is_set() or told < 20:
            told += 1
            names = chance.sample(range(6), 2)
            deeds = [
                {
                    "id": f"{number}-{told}-{name}",
                    "player": f"{name}",
                    "action_type": "COMPLETE_TASK",
                    "attributes": {"region": chance.choice(["eu", "us", f"new-{number}-{told}"])},
                }
                for name in names
            ]
            answer = api.post("/api/v1/awards/batch", {"awards": deeds}, headers=headers)
            assert answer.status_code == 200, answer.content
            assert answer.content.count(b'"new_score"') == 2, answer.content
            award(chance.choice(crowd), chance.randint(1, 9))
        return told

    def organise(seed: int) -> int:
        chance = random.Random(seed)
        try:
            for _ in range(EDITS):
                an_edit(chance)
        finally:
            ended.set()
        return EDITS

    def keep(number: int) -> int:
        visits = 0
        while not ended.is_set():
            periods.keep()
            periods.purge_stray()
            tasks.sweep()
            tasks.tidy_boards()
            visits += 1
        return visits

    def move(number: int) -> int:
        chance, moved = random.Random(number), 0
        while not ended.is_set():
            User.objects.filter(pk=chance.choice(crowd).pk).update(region=chance.choice(["eu", "us", "", f"m-{moved}"]))
            moved += 1
        return moved

    works = [*[score] * SCORERS, organise, keep, move]
    done = none_failed(at_once(len(works), lambda number: works[number](number)))
    assert min(done) > 0
    assert ScoreHistory.objects.count() >= SCORERS * 3 * 20
    Rule.objects.filter(paused=True).update(paused=False)
    for rule in Rule.objects.all():
        rule.save()
    assert_no_ghost_and_all_agree(settings)


def test_keys_of_periods_that_are_gone_are_removed_and_no_others(board: Board, settings: Settings) -> None:
    [user] = players(1)
    settings.REDIS_KEY_PREFIX = f"{settings.REDIS_KEY_PREFIX}[odd]*:"
    rule, kept = make("edited", window="weekly"), make("kept", window="weekly")
    for one in boards.everyone():
        reconcile.reconcile(one)
    award(user, 3)
    before, other = boards.get("edited"), boards.get("kept")
    rule.window = "daily"
    rule.save()
    periods.keep()
    boards.forget()
    after = boards.get("edited")
    reconcile.reconcile(after)
    assert periods_in_redis(settings) == {before.id, after.id, other.id}
    redis_client.connection().set(f"{settings.REDIS_KEY_PREFIX}lb:{{period-x}}:rank", 1)
    assert tidy.tidy() >= 4
    assert ranking.epoch(before) is None
    assert redis_client.connection().exists(*boards.keys(before).all()) == 0
    for one in (after, other, boards.GLOBAL):
        assert ranking.epoch(one)
        assert len(in_redis(one)) == 1
    assert tidy.tidy() == 0
    kept.delete()
    assert tidy.tidy() >= 4


def test_the_nightly_task_says_so_while_redis_is_away(
    board: Board, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*arguments: Any, **options: Any) -> None:
        raise ranking.Unavailable("away")

    monkeypatch.setattr(ranking, "command", away)
    tasks.tidy_boards()
    assert "boards_not_tidied" in caplog.text
