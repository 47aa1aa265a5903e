"""Numbers → the shapes of a bar chart (pure): the template only writes them down.

In: (before, after) for each bar, names below them. Out: `Chart`: rectangles, grid lines, labels, in the units
of the picture. Refuses to cut an axis: bars begin at zero, so that twice as long is twice as many.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 240
_LEFT: Final = 60
_RIGHT: Final = 12
_TOP: Final = 12
_BOTTOM: Final = 28
_MOST_NAMES: Final = 10
_GAP: Final = 0.28


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One rectangle; `kind` is before or after, `says` what a pointer over it reads."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A label on an axis, with its place along it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Everything that is drawn."""

    bars: tuple[Bar, ...]
    grid: tuple[Mark, ...]
    names: tuple[Mark, ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    floor: float = HEIGHT - _BOTTOM


def chart(pairs: Sequence[tuple[int, int]], names: Sequence[str]) -> Chart:
    """Two bars for each name, the one before and the one after."""
    top = ceiling(max((max(pair) for pair in pairs), default=0))
    step = (WIDTH - _LEFT - _RIGHT) / max(len(pairs), 1)
    width = step * (1 - _GAP) / 2
    bars = []
    for position, (pair, name) in enumerate(zip(pairs, names, strict=True)):
        x = _LEFT + position * step + step * _GAP / 2
        for side, kind in enumerate(("before", "after")):
            height = _height(pair[side], top)
            bars.append(
                Bar(
                    kind=kind,
                    x=round(x + side * width, 2),
                    y=round(HEIGHT - _BOTTOM - height, 2),
                    width=round(width * 0.94, 2),
                    height=round(height, 2),
                    says=f"{name}: {pair[0]:,} now, {pair[1]:,} with the draft",
                )
            )
    return Chart(bars=tuple(bars), grid=_grid(top), names=_names(names, step))


def ceiling(highest: int) -> int:
    """The end of the axis: the next of 4, 8, 12, 20, 40, 80, 120, 200 … so that its quarters are whole."""
    if highest <= 4:
        return 4
    power = 10 ** (math.ceil(math.log10(highest)) - 1)
    steps = (1, 2, 4, 8, 12) if power == 1 else (1.2, 2, 4, 8, 10)
    return next(int(step * power) for step in steps if step * power >= highest)


def _height(value: int, top: int) -> float:
    return (HEIGHT - _TOP - _BOTTOM) * value / top


def _grid(top: int) -> tuple[Mark, ...]:
    return tuple(
        Mark(at=round(HEIGHT - _BOTTOM - _height(value, top), 2), text=f"{value:,}")
        for value in (top * quarter // 4 for quarter in range(5))
    )


def _names(names: Sequence[str], step: float) -> tuple[Mark, ...]:
    """As many names as there is room for, evenly."""
    every = math.ceil(len(names) / _MOST_NAMES) or 1
    return tuple(
        Mark(at=round(_LEFT + (position + 0.5) * step, 2), text=name)
        for position, name in enumerate(names)
        if position % every == 0
    )
