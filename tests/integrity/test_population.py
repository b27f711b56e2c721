"""Everybody's gains of an hour, compared over real tables: once, when the hour is complete."""

import math
from datetime import datetime, timedelta
from random import Random

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from benchmarks import usual_gains
from integrity import gather, scan
from integrity.findings import Detector, Thresholds
from integrity.models import Flag, Watermark
from leaderboard.boards import Board
from tests.integrity.cases import last_hour, rounds
from tests.integrity.past import played
from tests.support.people import give, player, players
from tests.support.races import uncommitted

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hour(watched: Board) -> datetime:
    return last_hour()


def crowd(hour: datetime, count: int = 40) -> list[int]:
    """So many people's gains in that hour, as the tables have them."""
    random = Random(2)
    gains = [random.randint(50, 900) for _ in range(count)]
    for someone, gain in zip(players(count), gains, strict=True):
        played(someone, [hour.timestamp() + random.uniform(1, 3500)], "WIN_MATCH", gain)
    return gains


def suspect(hour: datetime, gain: int = 400_000) -> User:
    cheat = player()
    played(cheat, [hour.timestamp() + 100, hour.timestamp() + 900], "WIN_MATCH", gain // 2)
    return cheat


def outliers() -> list[User]:
    return [flag.user for flag in Flag.objects.filter(detector=Detector.OUTLIER)]


def test_sql_and_python_agree_on_what_is_usual(hour: datetime) -> None:
    gains = crowd(hour)
    population, found = gather.gains(hour, Thresholds.from_settings())
    expected = usual_gains.population(gains)
    assert population.players == expected.players == 40
    assert math.isclose(population.median, expected.median)
    assert math.isclose(population.mad, expected.mad)
    assert found == {}


def test_who_stands_out_is_flagged_with_the_entries_of_that_hour(hour: datetime) -> None:
    crowd(hour)
    cheat = suspect(hour)
    played(cheat, [hour.timestamp() + 3700], "WIN_MATCH", 7)
    rounds(hour)
    assert outliers() == [cheat]
    flag = Flag.objects.get(detector=Detector.OUTLIER)
    assert flag.entries.count() == 2
    assert flag.evidence["strongest"]["numbers"]["gain"] == 400_000
    assert "400000 points in an hour" in flag.sentence


def test_an_hour_is_compared_once(hour: datetime) -> None:
    crowd(hour)
    cheat = suspect(hour)
    rounds(hour)
    before = list(Flag.objects.values())
    Flag.objects.filter(user=cheat).update(state="dismissed", decided_at=timezone.now())
    Watermark.objects.update(hour=hour)
    rounds(hour)
    assert [flag["id"] for flag in Flag.objects.filter(detector="outlier").values()] == [
        flag["id"] for flag in before if flag["detector"] == "outlier"
    ]


def test_hours_missed_by_a_worker_that_was_away_are_caught_up(hour: datetime, settings: Settings) -> None:
    settings.WATCH = {**settings.WATCH, "hours": 7}  # as far back as it looks: each waits for its fence
    missed = hour - timedelta(hours=5)
    crowd(missed)
    cheat = suspect(missed)
    Watermark.objects.update(hour=hour - timedelta(days=30), hour_fence=hour.timestamp())
    rounds(hour)
    assert outliers() == [cheat]


def test_a_few_players_are_not_compared(hour: datetime) -> None:
    crowd(hour, 20)
    suspect(hour)
    rounds(hour)
    assert outliers() == []


def test_the_hidden_and_what_admins_gave_are_left_out(hour: datetime) -> None:
    crowd(hour)
    hidden = suspect(hour)
    User.objects.filter(pk=hidden.pk).update(is_hidden=True)
    give(player(), 1_000_000)
    population, found = gather.gains(hour, Thresholds.from_settings())
    assert (population.players, found) == (40, {})


def test_an_hour_waits_for_a_transaction_that_may_still_commit_into_it(hour: datetime) -> None:
    crowd(hour)
    cheat = player()
    with uncommitted(lambda: played(cheat, [hour.timestamp() + 3599], "WIN_MATCH", 400_000)):
        for _ in range(4):
            scan.scan()
        assert Watermark.objects.get().hour == hour
    rounds(hour)
    assert outliers() == [cheat]
