"""The judge, on histories made up for it: silent about an honest one, and each rule speaks when it is broken."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.system.crashes.checker import Entry, violations
from tests.system.crashes.evidence import Dump, Line, disagreements
from tests.system.crashes.history import LOST, History, Minted, Seen, Told

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(number: int, action: str, delta: int, old: int, player: str = "ann") -> Entry:
    return Entry(number, player, action, delta, old, old + delta, NOON + timedelta(seconds=number))


def told(action: str, invoked: float, status: int, new: int | None = None, delta: int | None = None) -> Told:
    """A request that took a second."""
    at = (NOON + timedelta(seconds=1)).isoformat() if status == 409 else None
    return Told("ann", action, invoked, invoked + 1, status, new, delta, at)


def history(*events: Minted | Told | Seen) -> History:
    """`a`: 10 points, `b`: 50, `c`: 5."""
    written = History()
    written.note(Minted("ann", "a", 10), Minted("ann", "b", 50), Minted("ann", "c", 5), *events)
    return written


LEDGER = [row(1, "a", 10, 0), row(2, "b", 50, 10)]
HONEST = (told("a", 0, 200, 10, 10), told("b", 2, 200, 60, 50), Seen("ann", 4, 5, 60), told("a", 6, 409, 10, 10))

BOTH_LOST = (told("a", 0, LOST), told("b", 2, LOST))


def judged(*events: Minted | Told | Seen, ledger: list[Entry] | None = None, total: int | None = None) -> list[str]:
    rows = LEDGER if ledger is None else ledger
    last = rows[-1].new_total if rows else 0
    return violations(history(*events), rows, {"ann": last if total is None else total})


def test_an_honest_history_is_not_accused() -> None:
    assert judged(*HONEST) == []


@pytest.mark.parametrize("status", [LOST, 500, 503])
def test_what_got_no_decision_may_have_counted_or_not(status: int) -> None:
    lost = (told("a", 0, 200, 10, 10), told("b", 2, status))
    assert judged(*lost) == []
    assert judged(*lost, ledger=LEDGER[:1]) == []


def test_a_lost_answer_justifies_the_409_of_the_retry() -> None:
    assert judged(told("a", 0, LOST), told("a", 2, 409, 10, 10), ledger=LEDGER[:1]) == []


def test_requests_that_overlap_may_take_effect_in_either_order() -> None:
    swapped = [row(1, "b", 50, 0), row(2, "a", 10, 50)]
    assert judged(told("a", 0, 200, 60, 10), told("b", 0.5, 200, 50, 50), ledger=swapped) == []


def test_a_read_beside_a_redemption_may_show_it_or_not() -> None:
    redeemed = told("a", 0, 200, 10, 10)
    for score in (0, 10):
        assert judged(redeemed, Seen("ann", 0.5, 3, score), ledger=LEDGER[:1]) == []


@pytest.mark.parametrize(
    ("ledger", "events", "accusation"),
    [
        (LEDGER[:1], HONEST[:2], "action b was answered 200 and is not in the ledger"),
        ([*LEDGER, row(3, "b", 50, 60)], HONEST, "action b is in the ledger 2 times"),
        ([LEDGER[0], row(2, "b", 50, 0)], HONEST[:1], "row 2 takes ann from 0 to 50 by 50, after 10"),
        ([*LEDGER, row(3, "d", 5, 60)], HONEST, "action d is in the ledger and no client was given its token"),
        ([row(1, "a", 11, 0)], (told("a", 0, LOST),), "action a was 10 points for ann; the ledger gave 11 to ann"),
        ([row(1, "a", 10, 0, "bob")], (), "action a was 10 points for ann; the ledger gave 10 to bob"),
        (LEDGER, (told("a", 0, 200, 15, 10),), "answered 200 with 10 points to 15; the ledger says 10 to 10"),
        (LEDGER, (*HONEST[:2], told("b", 6, 409, 60, 50)), "not at 2026-01-01T12:00:01+00:00 as the 409 said"),
        (LEDGER, (told("a", 0, LOST), told("a", 2, 409, 60, 10)), "answered 409 with 10 points to 60"),
        (LEDGER[:1], (told("a", 0, 409, 10, 10),), "action a was answered 409 and had not been handed in before"),
        (LEDGER[:1], (told("a", 2, 409, 10, 10), told("a", 5, LOST)), "had not been handed in before"),
        (LEDGER, (*HONEST, told("a", 8, 200, 10, 10)), "action a was answered 200 more than once"),
        (LEDGER, (*HONEST[:1], told("b", 2, 410)), "action b was refused with [410] and is in the ledger"),
        (LEDGER, (*HONEST, told("c", 8, 202)), "action c was promised by a 202 and is not in the ledger"),
        (LEDGER, (told("b", 0, 200, 60, 50), told("a", 2, LOST)), "a began after b was acknowledged and stands before"),
        (LEDGER, (*BOTH_LOST, Seen("ann", 4, 5, 60), Seen("ann", 8, 9, 10)), "ann was shown 10 after a read showed 60"),
        (LEDGER, (*HONEST[:2], Seen("ann", 4, 5, 10)), "ann was shown 10 after 200 said 60"),
        (LEDGER, (*HONEST[:1], Seen("ann", 1.5, 1.6, 0)), "ann was shown 0 after 200 said 10"),
        (LEDGER, (*HONEST, Seen("ann", 8, 9, 61)), "ann was shown 61, which is no total of the history"),
        (LEDGER, (*HONEST[:2], Seen("ann", 0.5, 1.5, 60)), "ann was shown 60 before action b was handed in"),
    ],
)
def test_each_broken_promise_is_named(
    ledger: list[Entry], events: tuple[Minted | Told | Seen, ...], accusation: str
) -> None:
    found = judged(*events, ledger=ledger)
    assert any(accusation in one for one in found), found


def test_a_total_that_is_not_what_the_history_comes_to_is_named() -> None:
    assert judged(*HONEST, total=70) == ["ann has 70 points and a history of 60"]


def test_a_promise_that_was_judged_and_refused_is_no_broken_one() -> None:
    later = replace(told("c", 9, 410), handed_in=False)
    assert judged(*HONEST, told("c", 8, 202), later) == []


def test_what_no_fault_excuses_is_passed_on() -> None:
    written = history(*HONEST)
    written.note("POST /score/update was answered 500")
    assert violations(written, LEDGER, {"ann": 60}) == ["POST /score/update was answered 500"]


@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_of_any_honest_play_nothing_is_said_and_of_any_lost_row_something(count: int, chance: random.Random) -> None:
    """Requests of random lengths that overlap as they like, each taking effect somewhere in between."""
    spans = [sorted(chance.uniform(0, 10) for _ in range(3)) for _ in range(count)]
    events: list[Minted | Told | Seen] = []
    ledger: list[Entry] = []
    for number, (begin, _, end) in enumerate(sorted(spans, key=lambda span: span[1]), start=1):
        old = 5 * (number - 1)
        ledger.append(row(number, f"n{number}", 5, old))
        events += [Minted("ann", f"n{number}", 5), Told("ann", f"n{number}", begin, end, 200, old + 5, 5)]
    for _ in range(5):
        begin, effect, end = sorted(chance.uniform(0, 10) for _ in range(3))
        events.append(Seen("ann", begin, end, 5 * sum(span[1] < effect for span in spans)))
    assert judged(*events, ledger=ledger) == []
    lost = chance.choice(ledger)
    assert judged(*events, ledger=[entry for entry in ledger if entry is not lost]) != []


# --- The board ------------------------------------------------------------------------------------------

ANN = Line("a1", 60, NOON, 3, "ann", None)
BOB = Line("b1", 60, NOON + timedelta(seconds=1), 2, "bob", "https://example.org/b.png")


def board(*lines: Line, epoch: str | None = "e") -> Dump:
    return Dump(
        epoch,
        [(line.member, line.total) for line in lines],
        {line.user_id: f"{line.version}:{line.member}" for line in lines} | {"gone": "4:"},
        {line.user_id: {"username": line.username, "avatar": line.avatar} for line in lines},
    )


def test_a_board_that_is_what_sql_says_is_not_accused() -> None:
    assert disagreements([ANN, BOB], board(ANN, BOB)) == []


@pytest.mark.parametrize(
    ("held", "accusation"),
    [
        (board(ANN, BOB, epoch=None), "Redis has no board"),
        (board(BOB, ANN), "order or totals differ"),
        (board(ANN), "wrong for ['bob']"),
        (board(ANN, replace(BOB, total=55)), "wrong for ['bob']"),
        (board(ANN, replace(BOB, username="rob")), "profiles differ"),
        (board(ANN, replace(BOB, version=1)), "versions differ"),
    ],
)
def test_each_way_a_board_may_differ_is_named(held: Dump, accusation: str) -> None:
    assert any(accusation in one for one in disagreements([ANN, BOB], held))
