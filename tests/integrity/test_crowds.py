"""What is found across players: gains far from everybody's, accounts that look like one person's."""

import uuid
from dataclasses import replace
from math import log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import usual_gains
from integrity import crowds
from integrity.findings import Account, Severity
from tests.integrity.past import THRESHOLDS


def ordinary(players: int, seed: int = 1) -> dict[int, int]:
    random = Random(seed)
    return {number: round(random.lognormvariate(log(200), 0.9)) for number in range(players)}


def test_who_gains_far_more_than_everybody_else_is_an_outlier_and_nobody_else_is() -> None:
    gains = {**ordinary(500), -1: 500_000}
    assert usual_gains.outliers(gains, usual_gains.population(gains.values()), THRESHOLDS) == [-1]


def test_the_outliers_themselves_do_not_move_what_is_usual() -> None:
    """The mean and the standard deviation of the same gains would excuse every one of them."""
    gains = {**ordinary(100), **{-number: 5_000_000 for number in range(1, 21)}}
    assert len(usual_gains.outliers(gains, usual_gains.population(gains.values()), THRESHOLDS)) == 20
    mean = sum(gains.values()) / len(gains)
    deviation = (sum((gain - mean) ** 2 for gain in gains.values()) / len(gains)) ** 0.5
    assert (5_000_000 - mean) / deviation < THRESHOLDS.outlier_z


def test_a_few_players_are_no_population() -> None:
    gains = {**ordinary(28), -1: 5_000_000}
    assert usual_gains.outliers(gains, usual_gains.population(gains.values()), THRESHOLDS) == []
    assert usual_gains.outliers({}, usual_gains.population([]), THRESHOLDS) == []


def test_a_crowd_in_step_does_not_make_an_outlier_of_who_does_a_little_more() -> None:
    gains = {**dict.fromkeys(range(100), 100), -1: 200}
    assert usual_gains.outliers(gains, usual_gains.population(gains.values()), THRESHOLDS) == []


def test_off_is_off() -> None:
    gains = {**ordinary(100), -1: 5_000_000}
    assert usual_gains.outliers(gains, usual_gains.population(gains.values()), replace(THRESHOLDS, outlier_z=0)) == []


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=50), st.floats(1, 10))
def test_the_least_outlier_is_where_z_reaches_its_threshold(gains: list[int], z: float) -> None:
    population = usual_gains.population(gains)
    least = usual_gains.least_outlier(population, z)
    if least < 2**50:
        assert population.z(int(least) + 1) > z - 1e-9
        assert population.z(int(least)) <= z + 1e-9


# --- One address ------------------------------------------------------------------------------------


def accounts(totals: list[int]) -> list[Account]:
    return [Account(uuid.uuid4(), total) for total in totals]


def test_a_few_accounts_with_alike_totals_are_found_and_whoever_differs_is_left_alone() -> None:
    group = accounts([500, 510, 520, 530, 540, 9000])
    found = crowds.crowded(group, THRESHOLDS, 0, 1)
    assert {name for name, _ in found} == {str(account.user_id) for account in group[:5]}
    for _, finding in found:
        assert finding.severity == Severity.HIGH
        assert finding.accounts == tuple(sorted(str(account.user_id) for account in group))
        assert finding.numbers == {"accounts": 6, "alike": 5, "days": 7}


@pytest.mark.parametrize(
    "totals",
    [[500] * 4, [50, 300, 900, 2000, 4000, 9000], [500] * 5 + [10, 30, 80, 200, 1000, 3000], []],
    ids=["family", "different people", "an office where few are alike", "nobody"],
)
def test_people_who_share_an_address_are_not(totals: list[int]) -> None:
    assert crowds.crowded(accounts(totals), THRESHOLDS, 0, 1) == []


def crowd(size: int) -> list[Account]:
    random = Random(4)
    return accounts([round(random.lognormvariate(5, 2)) + 1 for _ in range(size)])


def test_a_crowd_is_worth_one_look_at_who_has_most_however_different_they_are() -> None:
    group = crowd(30)
    [(name, finding)] = crowds.crowded(group, THRESHOLDS, 0, 1)
    assert name == str(max(group, key=lambda account: account.total).user_id)
    assert finding.severity == Severity.LOW
    assert len(finding.accounts) == 30
    assert crowds.crowded(group[1:], THRESHOLDS, 0, 1) == []
    assert crowds.crowded(group, replace(THRESHOLDS, address_crowd=0), 0, 1) == []


def test_a_crowd_that_is_flagged_already_is_not_flagged_again_when_another_leads() -> None:
    group = crowd(30)
    group[7] = replace(group[7], flagged=True)
    assert [name for name, _ in crowds.crowded(group, THRESHOLDS, 0, 1)] == [str(group[7].user_id)]


def test_accounts_without_points_are_not_alike() -> None:
    assert crowds.crowded(accounts([0] * 10), THRESHOLDS, 0, 1) == []


def test_the_detector_can_be_turned_off() -> None:
    assert crowds.crowded(accounts([500] * 40), replace(THRESHOLDS, address_accounts=0), 0, 1) == []
