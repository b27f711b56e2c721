"""What is looked for across players. Pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from integrity.findings import Account, Detector, Finding, Severity, Thresholds

MAD_TO_SIGMA = 1.4826  # the median absolute deviation of a normal distribution is its sigma over this
# A crowd that plays in step, or the few stragglers of a late hour, must not make everyone else an outlier.
LEAST_SIGMA = 1.0
ALIKE = 1.4  # totals of one group of alike accounts differ by at most this factor
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody's gains of one hour, as ln(1 + points): their median, and their median absolute deviation from it."""

    players: int
    median: float
    mad: float

    def z(self, gain: int) -> float:
        """How many robust standard deviations a gain lies above the median."""
        return (math.log1p(gain) - self.median) / self.sigma

    @property
    def sigma(self) -> float:
        return max(MAD_TO_SIGMA * self.mad, LEAST_SIGMA)


def outlier(
    gain: int, population: Population, thresholds: Thresholds, hour: float, history_ids: Sequence[int]
) -> Finding:
    """The finding for one of them. `hour`: when it began, Unix seconds."""
    z = population.z(gain)
    numbers = {
        "gain": gain,
        "players": population.players,
        "median_gain": round(math.expm1(population.median)),
        "z": round(z, 1),
    }
    severity = Severity.HIGH if z >= 1.5 * thresholds.outlier_z else Severity.MEDIUM
    return Finding(Detector.OUTLIER, severity, numbers, hour, hour + HOUR, tuple(history_ids))


def crowded(group: Sequence[Account], thresholds: Thresholds, began: float, ended: float) -> list[tuple[str, Finding]]:
    """(account, finding) for those of one address's accounts that look like one person's.

    Alike totals speak for one script behind them, so a few are enough, and all of them are meant. The different totals
    of a family, an office or a school class do not; a crowd of them is worth one look, at who has most.
    """
    if not thresholds.address_accounts:
        return []
    alike = alikes(group)
    copies = len(alike) >= thresholds.address_accounts and 2 * len(alike) >= len(group)
    if copies:
        suspects, severity = alike, Severity.HIGH
    elif thresholds.address_crowd and len(group) >= thresholds.address_crowd:
        flagged = [account for account in group if account.flagged]
        suspects = flagged or [max(group, key=lambda account: account.total)]
        severity = Severity.LOW
    else:
        return []
    numbers = {"accounts": len(group), "alike": len(alike), "days": thresholds.address_days}
    names = tuple(sorted(str(account.user_id) for account in group))
    return [
        (str(account.user_id), Finding(Detector.ADDRESS, severity, numbers, began, ended, accounts=names))
        for account in suspects
    ]


def alikes(group: Sequence[Account]) -> list[Account]:
    """The largest set of accounts whose totals lie within a factor of ALIKE."""
    ranked = sorted((account for account in group if account.total > 0), key=lambda account: account.total)
    first, best = 0, list[Account]()
    for last, account in enumerate(ranked):
        while account.total > ALIKE * ranked[first].total:
            first += 1
        if last - first + 1 > len(best):
            best = ranked[first : last + 1]
    return best
