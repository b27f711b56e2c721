"""Who gains far more than everybody else, in Python: what `integrity.gather.GAINS` says of tables, of drawn gains."""

import math
from collections.abc import Iterable, Mapping
from statistics import median
from typing import TypeVar

from integrity.crowds import Population
from integrity.findings import Thresholds

Player = TypeVar("Player")


def population(gains: Iterable[int]) -> Population:
    logs = [math.log1p(gain) for gain in gains]
    if not logs:
        return Population(0, 0.0, 0.0)
    middle = median(logs)
    return Population(len(logs), middle, median(abs(value - middle) for value in logs))


def least_outlier(usual: Population, z: float) -> float:
    """The gain from which on a player is further out than `z`."""
    return math.expm1(usual.median + z * usual.sigma)


def outliers(gains: Mapping[Player, int], usual: Population, thresholds: Thresholds) -> list[Player]:
    """Players who gained far more than all others; none while too few play to say what is usual."""
    if not thresholds.outlier_z or usual.players < thresholds.outlier_players:
        return []
    least = least_outlier(usual, thresholds.outlier_z)
    return [player for player, gain in gains.items() if gain > least]
