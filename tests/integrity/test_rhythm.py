"""Which intervals are a timer's and which a person's."""

from random import Random

import pytest

from tests.integrity.past import events, found, human, ticking


@pytest.mark.parametrize("jitter", [0, 0.05, 0.15])
@pytest.mark.parametrize("seconds", [3, 40, 900])
def test_a_timer_is_found_also_with_some_jitter(seconds: float, jitter: float) -> None:
    finding = found(events(ticking(60, seconds, jitter)))["regular"]
    assert len(finding.history_ids) >= 31


@pytest.mark.parametrize("spread", [0.3, 0.45, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_person_is_not(spread: float, seed: int) -> None:
    assert "regular" not in found(events(human(300, spread=spread, seed=seed)))


def test_a_bot_with_more_jitter_is_found_by_a_longer_run() -> None:
    assert "regular" not in found(events(ticking(140, jitter=0.3)))
    finding = found(events(ticking(160, jitter=0.3)))["regular"]
    assert len(finding.history_ids) >= 151
    assert "regular" not in found(events(ticking(160, jitter=0.3)), regular_long_run=0)


def test_thirty_intervals_are_a_run_and_fewer_are_none() -> None:
    assert "regular" in found(events(ticking(31)))
    assert "regular" not in found(events(ticking(30)))


def test_a_timer_that_starts_in_the_middle_of_human_play_is_found_alone() -> None:
    before = human(50)
    timer = [before[-1] + 25 + moment for moment in ticking(40)]
    finding = found(events([*before, *timer]))["regular"]
    assert set(range(51, 91)) <= set(finding.history_ids)
    assert min(finding.history_ids) > 45


def test_a_pause_ends_a_run() -> None:
    two_runs = [*ticking(20), *(10_000 + moment for moment in ticking(20))]
    assert "regular" not in found(events(two_runs))


def test_a_client_that_flushes_on_a_timer_is_not_a_bot_while_its_tokens_are_human() -> None:
    flushes = ticking(100, 30)
    starts = [moment - Random(n).uniform(1, 29) for n, moment in enumerate(flushes)]
    assert "regular" not in found(events(flushes, issued=starts))


def test_a_batch_is_one_moment() -> None:
    batches = [moment for moment in human(20) for _ in range(5)]
    assert "regular" not in found(events(batches, issued=human(100)))


def test_who_waits_for_a_cooldown_is_judged_by_what_comes_on_top_of_it() -> None:
    random, now, eager, bot = Random(5), 0.0, list[float](), list[float]()
    for number in range(60):
        eager.append(now)
        bot.append(number * 45.5)
        now += 45 + 0.8 * random.lognormvariate(0, 0.6)
    assert "regular" not in found(events(eager, "QUIZ"))
    assert "regular" in found(events(bot, "QUIZ"))
    # Without the catalogue's word both would look alike.
    assert "regular" in found(events(eager, "TASK"))
