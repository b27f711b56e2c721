"""Bonuses are watched: rings of givers, favourites, and givers far above the others are flagged for a person."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from integrity import bonuses, decisions
from integrity.bonuses import Gift
from integrity.findings import SENTENCES, Detector, Severity
from integrity.models import Flag
from leaderboard.boards import Board
from scoreboard import bonus
from scoreboard.models import Bonus, UserScore
from tests.integrity.cases import last_hour, rounds
from tests.integrity.past import THRESHOLDS
from tests.support.admin_site import superuser
from tests.support.people import player

A, B, C, D, E = (uuid.UUID(int=number) for number in range(1, 6))


def gifts(*given: tuple[uuid.UUID, uuid.UUID, int], **changes: Any) -> list[Gift]:
    """One a second, from 1."""
    return [Gift(giver, to, points, at, float(at), **changes) for at, (giver, to, points) in enumerate(given, start=1)]


def found(
    given: Sequence[Gift], judged: bonuses.Judged | None = None, **thresholds: Any
) -> list[tuple[str, uuid.UUID]]:
    """(detector, user); every finding can be said in words."""
    all_of_them = bonuses.find(given, replace(THRESHOLDS, **thresholds), judged or {})
    for _, finding in all_of_them:
        assert SENTENCES[finding.detector].format(**finding.numbers)
    return [(finding.detector.value, user) for user, finding in all_of_them]


HONEST = gifts((A, D, 500), (A, E, 700), (B, D, 300), (B, E, 500), (C, D, 900), (C, E, 1000))


def test_many_givers_and_many_receivers_are_left_alone() -> None:
    assert found(HONEST) == []
    assert found([]) == []


@pytest.mark.parametrize(
    ("given", "members"),
    [(gifts((A, B, 10), (B, A, 10)), {A, B}), (gifts((A, B, 1), (B, C, 1), (C, A, 1), (C, D, 1)), {A, B, C})],
    ids=["two", "three"],
)
def test_a_ring_of_givers_is_flagged_however_little_they_give(given: list[Gift], members: set[uuid.UUID]) -> None:
    all_of_them = bonuses.find(given, THRESHOLDS, {})
    assert {user for user, _ in all_of_them} == members
    assert {(finding.detector, finding.severity) for _, finding in all_of_them} == {
        (Detector.BONUS_RING, Severity.HIGH)
    }


def test_a_giver_who_gets_and_a_receiver_who_is_staff_are_worth_a_look() -> None:
    assert found(gifts((A, B, 10), (B, C, 10))) == [("bonus-ring", B)]
    assert found(gifts((A, B, 10), to_staff=True)) == [("bonus-ring", B)]
    [(_, finding)] = bonuses.find(gifts((A, B, 10), to_staff=True), THRESHOLDS, {})
    assert finding.severity == Severity.LOW


def test_who_gets_most_of_what_one_giver_gives_is_flagged_with_these_entries() -> None:
    given = [*HONEST, Gift(A, D, 2500, 101, 101.0), Gift(A, D, 2500, 102, 102.0)]
    [(user, finding)] = bonuses.find(given, THRESHOLDS, {})
    assert (user, finding.detector) == (D, Detector.BONUS_FAVOURITE)
    assert finding.history_ids == (1, 101, 102)
    assert finding.numbers == {"points": 5500, "percent": 89, "days": 30}
    assert found(given, bonus_points=6000) == []
    assert found(given, bonus_share=0.9) == []


def test_a_giver_far_above_the_others_is_flagged_with_the_receivers() -> None:
    given = [*HONEST, Gift(B, D, 10_000, 101, 101.0), Gift(B, E, 9800, 102, 102.0)]
    [(user, finding)] = bonuses.find(given, THRESHOLDS, {})
    assert (user, finding.detector) == (B, Detector.BONUS_GIVER)
    assert finding.accounts == (str(D), str(E))
    assert finding.numbers == {"points": 20_600, "usual": 1550, "days": 30}
    assert found(given, bonus_times=0) == []
    assert found([gift for gift in given if gift.giver != C]) == [], "one other giver is no measure"


def test_what_a_person_has_decided_about_is_not_found_again() -> None:
    given = [*HONEST, Gift(A, D, 6000, 101, 101.0)]
    assert found(given) == [("bonus-favourite", D)]
    judged = {D: {Detector.BONUS_FAVOURITE.value: datetime.fromtimestamp(101, UTC)}}
    assert found([*given, Gift(A, D, 10, 102, 102.0)], judged) == []
    assert found([*given, Gift(A, D, 6000, 102, 102.0)], judged) == [("bonus-favourite", D)]


def test_zero_turns_it_off() -> None:
    assert found(gifts((A, B, 10_000), (B, A, 10_000)), bonus_points=0) == []


# --- Over real tables -------------------------------------------------------------------------------


@pytest.fixture
def gave(watched: Board, alice: User, bob: User, settings: Settings) -> User:
    """A moderator who gave alice most of it; alice is looked at when the next hour is."""
    settings.BONUS_DAILY = 100_000
    mod = player("mod", role=User.Role.MODERATOR)
    for number, (user, points) in enumerate([(alice, 6000), (alice, 1500), (bob, 500)]):
        bonus.give(mod.pk, f"k-{number}", user.pk, points, "won the cup")
    return mod


@pytest.mark.django_db(transaction=True)
def test_a_favourite_is_flagged_once_and_a_person_takes_it_back(gave: User, alice: User, bob: User) -> None:
    rounds(last_hour())
    rounds(last_hour())
    flag = Flag.objects.get()
    assert (flag.user, flag.detector, flag.evidence["times"]) == (alice, "bonus-favourite", 1)
    assert flag.sentence == "7500 points in bonuses: 94 % of what one giver gave within 30 days"
    assert flag.entries.count() == 2
    decisions.decide(flag.pk, "revert", superuser(), "not a cup", shown=7500)
    assert UserScore.objects.get(user=alice).total == 0
    rounds(last_hour())
    assert Flag.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_waits_was_refused_or_is_old_is_not_looked_at(gave: User, alice: User) -> None:
    for changes in ({"state": "waiting"}, {"state": "refused"}, {"created_at": timezone.now() - timedelta(days=31)}):
        Bonus.objects.filter(points=6000).update(**{"state": "paid", **changes})
        rounds(last_hour())
    assert not Flag.objects.exists()
