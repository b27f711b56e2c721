"""What the detectors find in one player's actions, and what they leave alone."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrity import detectors
from integrity.findings import Detector, Event, Severity
from tests.actions.watch.past import RULES, THRESHOLDS, events, found, human, ticking

HOUR = 3600.0


def burst(count: int, seconds: float, start: float = 0.0) -> list[float]:
    random = Random(count)
    return sorted(start + random.uniform(0, seconds) for _ in range(count))


# --- Velocity ---------------------------------------------------------------------------------------


def test_more_points_in_a_minute_than_the_ceiling_are_found_with_all_entries_of_that_minute() -> None:
    calm, wild = human(20), burst(31, 50, start=5000)
    finding = found(events([*calm, *wild]))["velocity"]
    assert finding.numbers == {"action_type": "TASK", "peak": 310, "ceiling": 300}
    assert finding.history_ids == tuple(range(21, 52))
    assert (finding.began, finding.ended) == (wild[0], wild[-1])


def test_as_many_points_as_the_ceiling_are_not() -> None:
    assert "velocity" not in found(events(burst(30, 50)))


def test_twice_the_ceiling_is_severe() -> None:
    assert found(events(burst(31, 50)))["velocity"].severity == Severity.MEDIUM
    assert found(events(burst(60, 50)))["velocity"].severity == Severity.HIGH


def test_what_was_collected_offline_may_be_handed_in_at_once() -> None:
    assert found(events([4000.0 + n / 1000 for n in range(100)], issued=human(100))) == {}


def test_tokens_may_be_fetched_ahead() -> None:
    assert found(events(human(100), issued=[-10 + n / 100 for n in range(100)])) == {}


def test_each_type_has_its_own_minute() -> None:
    moments = burst(40, 50)
    mixed = [*events(moments[::2]), *events(moments[1::2], "QUIZ", points=20)]
    assert "velocity" not in found(sorted(mixed, key=lambda event: event.redeemed))


def test_a_type_can_have_its_own_ceiling_or_none() -> None:
    actions = events(burst(31, 50))
    assert found(actions, points_per_minute={"TASK": 309})["velocity"].numbers["ceiling"] == 309
    assert "velocity" not in found(actions, points_per_minute={"TASK": 310})
    assert "velocity" not in found(actions, points_per_minute={"TASK": 0})
    assert "velocity" not in found(actions, actions_per_minute=0)


def test_points_awarded_by_a_back_end_count_as_awarded_not_as_listed() -> None:
    assert found(events(human(5), points=1000))["velocity"].numbers["peak"] in (1000, 2000, 3000)


def test_a_type_that_left_the_catalogue_is_judged_by_what_it_paid() -> None:
    assert found(events(burst(31, 50), "GONE"))["velocity"].numbers["ceiling"] == 300


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 30)), max_size=60), st.integers(1, 120))
def test_dense_minutes_are_those_that_counting_every_minute_would_find(
    drawn: list[tuple[int, int]], ceiling: int
) -> None:
    actions = [Event(number, "TASK", points, at, at, at) for number, (at, points) in enumerate(sorted(drawn), start=1)]
    hot, peak = detectors.dense(actions, detectors.REDEEMED, ceiling)
    minutes = [[e for e in actions if last.redeemed - 60 < e.redeemed <= last.redeemed] for last in actions]
    # Events at one moment are told apart by their order: a minute may end at any of them.
    partial = [minute[:end] for minute in minutes for end in range(1, len(minute) + 1)]
    wild = {e.history_id for minute in partial if sum(x.points for x in minute) > ceiling for e in minute}
    assert {e.history_id for e in hot} == wild
    assert peak == max((sum(e.points for e in minute) for minute in minutes), default=0)


# --- The first possible instant ---------------------------------------------------------------------


def matches(margins: Sequence[float]) -> list[Event]:
    """Matches handed in so many seconds after their two minutes."""
    starts = [1000 * n + 7 * moment % 300 for n, moment in enumerate(human(len(margins)))]
    return events(
        [start + 120 + margin for start, margin in zip(starts, margins, strict=True)], "MATCH", issued=starts, floor=120
    )


def test_redeeming_at_the_first_instant_again_and_again_is_found() -> None:
    finding = found(matches([0.1] * 12))["instant"]
    assert finding.numbers == {"action_type": "MATCH", "instant": 12, "redeemed": 12, "margin_seconds": 0.1}
    assert finding.history_ids == tuple(range(1, 13))


def test_one_slow_answer_does_not_hide_it_and_is_not_held_against_the_player() -> None:
    finding = found(matches([0.1] * 6 + [30] + [0.1] * 5))["instant"]
    assert 7 not in finding.history_ids


@pytest.mark.parametrize("margins", [[0.1] * 11, [5.0] * 50, [0.5, 20.0] * 30], ids=["few", "late", "every other"])
def test_playing_is_not(margins: list[float]) -> None:
    assert "instant" not in found(matches(margins))


def test_an_action_without_a_least_time_has_no_first_instant() -> None:
    assert "instant" not in found(events(human(100)))


# --- Rest -------------------------------------------------------------------------------------------


def hourly(hours: Sequence[int]) -> list[Event]:
    return events([HOUR * (1000 + hour) + 60 * (hour % 50) for hour in hours])


def test_activity_in_nearly_every_hour_of_a_day_is_found() -> None:
    finding = found(hourly(range(24)))["tireless"]
    assert (finding.numbers["hours"], finding.severity) == (24, Severity.HIGH)
    assert found(hourly(range(22)))["tireless"].severity == Severity.MEDIUM


def test_a_night_of_some_hours_is_rest() -> None:
    assert "tireless" not in found(hourly(range(21)))
    two_days = [*range(17), *range(24, 41)]
    assert "tireless" not in found(hourly(two_days))


def test_the_day_may_begin_at_any_hour() -> None:
    finding = found(hourly([*range(5), *range(30, 53), *range(80, 85)]))["tireless"]
    assert finding.history_ids == tuple(range(6, 29))


# --- All together -----------------------------------------------------------------------------------

CAUGHT = {
    Detector.VELOCITY: (events(burst(60, 50)), "actions_per_minute"),
    Detector.REGULAR: (events(ticking(60)), "regular_run"),
    Detector.INSTANT: (matches([0.1] * 20), "instant_run"),
    Detector.TIRELESS: (hourly(range(24)), "tireless_hours"),
}


@pytest.mark.parametrize("detector", CAUGHT)
def test_zero_turns_a_detector_off(detector: Detector) -> None:
    actions, setting = CAUGHT[detector]
    assert detector in found(actions)
    assert detector not in found(actions, **{setting: 0})


@pytest.mark.parametrize("detector", CAUGHT)
def test_what_was_judged_is_not_judged_again(detector: Detector) -> None:
    actions, _ = CAUGHT[detector]
    judged: dict[str, datetime] = {detector: datetime.fromtimestamp(actions[-1].redeemed, UTC)}
    assert detector not in {f.detector for f in detectors.find(actions, RULES, THRESHOLDS, judged)}
    judged = {detector: datetime.fromtimestamp(actions[0].redeemed - 1, UTC)}
    assert detector in {f.detector for f in detectors.find(actions, RULES, THRESHOLDS, judged)}


def test_nobody_is_found_in_nothing() -> None:
    assert found([]) == {}
