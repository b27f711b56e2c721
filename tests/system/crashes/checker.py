"""The judge: from what clients were told and what PostgreSQL holds, every promise that was broken, in words.

A player's score is a register that only grows. The ledger's order is the one order in which its changes took effect;
what clients saw has to fit into it and into real time.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.system.crashes.history import AGAIN, FIRST, History, Minted, Seen, Told


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of score_history. `player` and `action` are a site's own ids where it gave some."""

    id: int
    player: str
    action: str
    delta: int
    old_total: int
    new_total: int
    created_at: datetime


def violations(history: History, ledger: Sequence[Entry], totals: dict[str, int]) -> list[str]:
    """Every broken promise; none, if the site kept them all. `ledger` in the order of its ids."""
    rows: dict[str, Entry] = {}
    for entry in ledger:
        rows.setdefault(entry.action, entry)
    told: dict[str, list[Told]] = defaultdict(list)
    for one in history.told:
        told[one.action].append(one)
    return [
        *history.unexpected,
        *once(ledger),
        *sums(ledger, totals),
        *earned(history.minted, rows),
        *kept(history.told, rows),
        *justified(told),
        *refused(told, rows),
        *in_order(told, rows),
        *read(history, ledger, told),
    ]


def once(ledger: Iterable[Entry]) -> Iterator[str]:
    for action, times in Counter(entry.action for entry in ledger).items():
        if times > 1:
            yield f"action {action} is in the ledger {times} times"


def sums(ledger: Sequence[Entry], totals: dict[str, int]) -> Iterator[str]:
    """Each row starts where the player's last one ended, and the total is where the last one ends."""
    reached: dict[str, int] = defaultdict(int)
    for entry in ledger:
        if (entry.old_total, entry.new_total) != (reached[entry.player], reached[entry.player] + entry.delta):
            yield (
                f"row {entry.id} takes {entry.player} from {entry.old_total} to {entry.new_total} by {entry.delta}, "
                f"after {reached[entry.player]}"
            )
        reached[entry.player] = entry.new_total
    for player in sorted({*reached, *totals}):
        if totals.get(player, 0) != reached[player]:
            yield f"{player} has {totals.get(player, 0)} points and a history of {reached[player]}"


def earned(minted: Iterable[Minted], rows: dict[str, Entry]) -> Iterator[str]:
    """No row without a token, none for another player or for another number of points."""
    tokens = {token.action: token for token in minted}
    for action, row in rows.items():
        token = tokens.get(action)
        if token is None:
            yield f"action {action} is in the ledger and no client was given its token"
        elif (token.player, token.points) != (row.player, row.delta):
            yield (
                f"action {action} was {token.points} points for {token.player}; "
                f"the ledger gave {row.delta} to {row.player}"
            )


def kept(told: Iterable[Told], rows: dict[str, Entry]) -> Iterator[str]:
    """What was acknowledged or promised is in the ledger, as it was told."""
    promised, judged = set(), set()
    for one in told:
        row = rows.get(one.action)
        if one.status == 202:
            promised.add(one.action)
        elif not one.undecided:
            judged.add(one.action)
        if not one.acknowledged:
            continue
        if row is None:
            yield f"action {one.action} was answered {one.status} and is not in the ledger"
        elif (one.new_score, one.delta) != (row.new_total, row.delta):
            yield (
                f"action {one.action} was answered {one.status} with {one.delta} points to {one.new_score}; "
                f"the ledger says {row.delta} to {row.new_total}"
            )
        elif one.redeemed_at is not None and datetime.fromisoformat(one.redeemed_at) != row.created_at:
            yield f"action {one.action} was redeemed at {row.created_at}, not at {one.redeemed_at} as the 409 said"
    for action in sorted(promised - judged):
        if action not in rows:
            yield f"action {action} was promised by a 202 and is not in the ledger"


def justified(told: dict[str, list[Told]]) -> Iterator[str]:
    """One 200 at most; a 409 only if the action was also handed in by another request, in time."""
    for action, answers in told.items():
        if sum(one.status == FIRST for one in answers) > 1:
            yield f"action {action} was answered 200 more than once"
        handings = [one for one in answers if one.handed_in]
        for refusal in answers:
            if refusal.status == AGAIN:
                others = [one for one in handings if one.invoked < refusal.returned]
                if len(others) < 2:
                    yield f"action {action} was answered 409 and had not been handed in before"


def refused(told: dict[str, list[Told]], rows: dict[str, Entry]) -> Iterator[str]:
    """What was refused every time it was handed in has not scored."""
    for action, answers in told.items():
        if action in rows and not any(one.acknowledged or one.undecided for one in answers):
            statuses = sorted({one.status for one in answers})
            yield f"action {action} was refused with {statuses} and is in the ledger"


def in_order(told: dict[str, list[Told]], rows: dict[str, Entry]) -> Iterator[str]:
    """What was acknowledged before something else was begun stands before it in the ledger."""
    begun: dict[str, list[tuple[float, Entry]]] = defaultdict(list)
    ended: dict[str, list[tuple[float, Entry]]] = defaultdict(list)
    for action, answers in told.items():
        if (row := rows.get(action)) is None:
            continue
        begun[row.player].append((min(one.invoked for one in answers), row))
        if acknowledgements := [one.returned for one in answers if one.acknowledged]:
            ended[row.player].append((min(acknowledgements), row))
    for player, starts in begun.items():
        ends = sorted(ended[player], key=lambda pair: pair[0])
        position, last = 0, None
        for invoked, row in sorted(starts, key=lambda pair: pair[0]):
            while position < len(ends) and ends[position][0] < invoked:
                last = max(last or ends[position][1], ends[position][1], key=lambda entry: entry.id)
                position += 1
            if last is not None and last.id > row.id:
                yield f"action {row.action} began after {last.action} was acknowledged and stands before it"


def read(history: History, ledger: Sequence[Entry], told: dict[str, list[Told]]) -> Iterator[str]:
    """A read shows a total there was; no less than acknowledged or read before it began, nothing not yet begun."""
    begun = {action: min(one.invoked for one in answers) for action, answers in told.items()}
    possible = {(entry.player, entry.new_total): entry for entry in ledger}
    floors: dict[str, list[tuple[float, int, str]]] = defaultdict(list)
    for answer in history.told:
        if answer.acknowledged and answer.new_score is not None:
            floors[answer.player].append((answer.returned, answer.new_score, f"{answer.status} said"))
    reads: dict[str, list[Seen]] = defaultdict(list)
    for seen in history.seen:
        reads[seen.player].append(seen)
        floors[seen.player].append((seen.returned, seen.score, "a read showed"))
        row = possible.get((seen.player, seen.score))
        if row is None and seen.score != 0:
            yield f"{seen.player} was shown {seen.score}, which is no total of the history"
        elif row is not None and begun.get(row.action, seen.invoked) > seen.returned:
            yield f"{seen.player} was shown {seen.score} before action {row.action} was handed in"
    for player, shown in reads.items():
        yield from never_back(player, shown, floors[player])


def never_back(player: str, shown: list[Seen], floors: list[tuple[float, int, str]]) -> Iterator[str]:
    """`floors`: (from when, a score that was reached by then, who said so)."""
    known = sorted(floors)
    position, least, who = 0, 0, ""
    for seen in sorted(shown, key=lambda one: one.invoked):
        while position < len(known) and known[position][0] < seen.invoked:
            if known[position][1] > least:
                _, least, who = known[position]
            position += 1
        if seen.score < least:
            yield f"{player} was shown {seen.score} after {who} {least}"
