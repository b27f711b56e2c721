"""What the players saw, counted so that an endless run takes no more memory than a short one."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

GROWTH = math.log(1.02)  # a latency is kept to 2 %


@dataclass
class Latencies:
    """Milliseconds, in buckets that grow by 2 %."""

    buckets: Counter[int] = field(default_factory=Counter)

    def add(self, milliseconds: float) -> None:
        self.buckets[math.floor(math.log(max(milliseconds, 0.001)) / GROWTH)] += 1

    def percentile(self, percent: float) -> float | None:
        """The value that `percent` of the latencies do not exceed; None without any."""
        wanted = math.ceil(self.buckets.total() * percent / 100)
        for bucket in sorted(self.buckets):
            wanted -= self.buckets[bucket]
            if wanted <= 0:
                return math.exp((bucket + 0.5) * GROWTH)
        return None


@dataclass
class Tally:
    """Counts of one player, of one process, or of all.

    `settled`: accepted although the answer was lost, as the 409 of a repeat told. Of the deliberate repeats,
    `repeats_kept` got the 409 with the first outcome that they must get, `repeats_broken` any other decision.
    """

    signed_in: int = 0
    accepted: int = 0
    points: int = 0
    settled: int = 0
    repeats_kept: int = 0
    repeats_broken: int = 0
    network_errors: int = 0
    seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    server_errors: Counter[str] = field(default_factory=Counter)
    mint: Latencies = field(default_factory=Latencies)
    redeem: Latencies = field(default_factory=Latencies)

    def failed(self, step: str, status: int, reason: str) -> None:
        """Counts an answer that was not what was asked for: 4xx is a refusal, 5xx the server's failure."""
        (self.server_errors if status >= 500 else self.refused)[f"{step} {reason}"] += 1

    @property
    def clean(self) -> bool:
        """Whether a run that saw this went well: something counted, nothing broke, nothing paid twice."""
        return bool(self.accepted) and not self.server_errors.total() and not self.repeats_broken

    def to_json(self) -> str:
        return json.dumps(self, default=vars)

    @classmethod
    def from_json(cls, text: bytes) -> "Tally":
        value = json.loads(text)
        latencies = {
            name: Latencies(Counter({int(bucket): count for bucket, count in value[name]["buckets"].items()}))
            for name in ("mint", "redeem")
        }
        counters = {name: Counter(value[name]) for name in ("refused", "server_errors")}
        return cls(**{**value, **counters, **latencies})


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum; `seconds` is the longest, as the players played side by side."""
    whole = Tally()
    for tally in tallies:
        for name in COUNTS:
            setattr(whole, name, getattr(whole, name) + getattr(tally, name))
        whole.seconds = max(whole.seconds, tally.seconds)
        whole.refused += tally.refused
        whole.server_errors += tally.server_errors
        whole.mint.buckets += tally.mint.buckets
        whole.redeem.buckets += tally.redeem.buckets
    return whole


COUNTS = (
    "signed_in",
    "accepted",
    "points",
    "settled",
    "repeats_kept",
    "repeats_broken",
    "network_errors",
)


def lines(tally: Tally, asked_rate: float) -> list[str]:
    """The report, for a person."""
    rate = tally.accepted / tally.seconds if tally.seconds else 0.0
    report = [
        f"signed in {tally.signed_in} players, played {tally.seconds:.1f} s",
        f"accepted  {tally.accepted} actions ({rate:.1f}/s, asked for {asked_rate:g}/s), {tally.points} points",
        f"repeats   {tally.repeats_kept} tokens handed in twice on purpose got 409 and the first outcome, "
        f"{tally.repeats_broken} got anything else",
        f"refused   {listed(tally.refused)}",
        f"failed    network errors {tally.network_errors}, 5xx {listed(tally.server_errors)}",
    ]
    if tally.settled:
        report.append(f"settled   {tally.settled} accepted actions whose first answer was lost")
    for name, latencies in (("mint", tally.mint), ("redeem", tally.redeem)):
        p50, p99 = latencies.percentile(50), latencies.percentile(99)
        if p50 is not None and p99 is not None:
            report.append(f"{name:<9} p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return report


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in counts.most_common()) or "0"
