"""Charts as SVG, drawn by a template: shapes and classes, no script and no style in the page.

Bars stand in a table, beside the numbers they draw. Columns have their table behind them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, BELOW = 480, 150, 44, 8, 22  # units of the drawing, which is as wide as the page allows
FULL = 100  # of a bar
LABEL_EVERY = 3  # columns
STEPS = (10, 12, 16, 20, 30, 40, 50, 60, 80, 100)

Lines = Sequence[tuple[str, int, int]]  # what, today, the other day


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a table, ready to be read; `today_width`, `before_width` of FULL. `change`: in percent of the other
    day, "" where there was nothing to compare with."""

    name: str
    today: str
    before: str
    change: str
    today_width: float
    before_width: float


@dataclass(frozen=True, slots=True)
class Bars:
    title: str
    head: str
    rows: list[Bar]


def bars(title: str, head: str, lines: Lines) -> Bars:
    """What is below zero has a number and no bar."""
    most = max([1, *(max(now, then) for _, now, then in lines)])

    def width(value: int) -> float:
        return round(max(0, value) * FULL / most, 2)

    rows = [Bar(name, f"{now:,}", f"{then:,}", change(now, then), width(now), width(then)) for name, now, then in lines]
    return Bars(title, head, rows)


def change(now: int, then: int) -> str:
    return f"{(now - then) * 100 / then:+,.0f} %" if then > 0 else ""


def columns(lines: Lines, axis: Sequence[str]) -> dict[str, Any]:
    """What the template draws: a column for each line of today, a stepped line for the other day. `axis`: the names of
    all places from left to right, of which the last ones may have no line yet."""
    ceiling = nice(max([1, *(max(now, then) for _, now, then in lines)]))
    room = (WIDTH - LEFT) / len(axis)
    base = TOP + HEIGHT

    def height(value: int) -> float:
        return round(max(0, value) * HEIGHT / ceiling, 1)

    def x(number: float) -> float:
        return round(LEFT + number * room, 1)

    return {
        "lines": [(name, f"{now:,}", f"{then:,}") for name, now, then in lines],
        "size": f"0 0 {WIDTH} {base + BELOW}",
        "left": LEFT,
        "right": WIDTH,
        "label_x": LEFT - 6,
        "label_y": base + 16,
        "columns": [
            {"x": x(n + 0.15), "y": round(base - height(now), 1), "width": round(room * 0.7, 1), "height": height(now)}
            for n, (_, now, _) in enumerate(lines)
        ],
        "path": "M"
        + " L".join(
            f"{x(n + end)} {base - height(then):.1f}" for n, (_, _, then) in enumerate(lines) for end in (0, 1)
        ),
        "grid": [{"y": base - HEIGHT * half / 2, "label": short(ceiling * half / 2)} for half in (0, 1, 2)],
        "labels": [{"x": x(n + 0.5), "label": name} for n, name in enumerate(axis) if n % LABEL_EVERY == 0],
        "empty": not any(now or then for _, now, then in lines),
    }


def nice(value: int) -> int:
    """The next round number from `value` on, 10 or more; half of it is a label, too."""
    power = 1
    while value > STEPS[-1] * power:
        power *= 10
    return next(step * power for step in STEPS if step * power >= value)


def short(value: float) -> str:
    """1234567 → 1.23M; exact numbers are in the table."""
    for size, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:g}"
