"""What all players of a run saw, counted so that an endless run takes no more memory than a short one."""

from collections import Counter
from threading import Lock

from devsite.players.client import Answer


class Tally:
    """`counts` has players signed_in, actions accepted and their points, and network_errors.

    `settled`: accepted although the answer was lost, as the 409 of a repeat told. Of the deliberate repeats,
    `repeats_kept` got the 409 with the first outcome that they must get, `repeats_broken` any other decision.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.server_errors: Counter[str] = Counter()
        self.seconds = 0.0
        self.lock = Lock()

    def add(self, **counts: int) -> None:
        with self.lock:
            self.counts.update(counts)

    def failed(self, step: str, answer: Answer) -> None:
        """Counts an answer that was not what was asked for: 4xx is a refusal, 5xx the server's failure."""
        with self.lock:
            (self.server_errors if answer.status >= 500 else self.refused)[f"{step} {answer.reason}"] += 1

    @property
    def clean(self) -> bool:
        """Whether the run went well: something counted, nothing broke, nothing paid twice."""
        return bool(self.counts["accepted"]) and not self.server_errors and not self.counts["repeats_broken"]

    def report(self, asked_rate: float) -> str:
        """For a person."""
        count = self.counts
        rate = count["accepted"] / self.seconds if self.seconds else 0.0
        return "\n".join(
            [
                f"signed in {count['signed_in']} players, who played {self.seconds:.1f} s",
                f"accepted  {count['accepted']} actions ({rate:.1f}/s, asked for {asked_rate:g}/s), "
                f"{count['points']} points",
                f"settled   {count['settled']} accepted actions whose first answer was lost",
                f"repeats   {count['repeats_kept']} tokens handed in twice on purpose got 409 and the first outcome, "
                f"{count['repeats_broken']} got anything else",
                f"refused   {listed(self.refused)}",
                f"failed    network errors {count['network_errors']}, 5xx {listed(self.server_errors)}",
            ]
        )


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in counts.most_common()) or "0"
