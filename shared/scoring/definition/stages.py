"""The stages a lead passes and what moves it: lines, moves, grades.

In: checked values from the model file. Out: `Stage`, `Move`, `Line`, `Grades`, and the truth of a line.

A line is asked about bounds (`low`, `high`) as well as about one score: `None` means "somewhere in
between it changes". That way decide() and next_change() can never disagree about a line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Final, Literal, get_args

from shared.scoring.definition.conditions import ALWAYS, Condition, Predicate, on_profile

StageName = Literal[
    "visitor",
    "lead",
    "recycled",
    "mql",
    "pql",
    "service_qualified",
    "sal",
    "sql",
    "disqualified",
    "opportunity",
    "customer",
]
"""Every stage there is, the further one later: merging two leads keeps the further one."""

STAGE_NAMES: Final[tuple[StageName, ...]] = get_args(StageName)

SCORE: Final = "score"
"""The name of the whole score in lines, beside the names of dimensions."""

Path = tuple[str | int, ...]
"""Where something stands in the model file: keys and list positions from the root."""

Shown = Mapping[str, int]
"""What a person sees: "score" and each dimension, in whole points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grades:
    """Fit as a letter, engagement as a number: least points for A, B, C and 1, 2, 3; below them D and 4."""

    letters: tuple[int, int, int]
    numbers: tuple[int, int, int]

    def of(self, fit: int, engagement: int) -> str:
        return "ABCD"[_rank(fit, self.letters)] + "1234"[_rank(engagement, self.numbers)]

    def between(self, low: Shown, high: Shown) -> set[str]:
        """Every grade that values within these bounds can have."""
        if low is high:
            return {self.of(low["fit"], low["engagement"])}
        letters = range(_rank(high["fit"], self.letters), _rank(low["fit"], self.letters) + 1)
        numbers = range(_rank(high["engagement"], self.numbers), _rank(low["engagement"], self.numbers) + 1)
        return {"ABCD"[letter] + "1234"[number] for letter in letters for number in numbers}


def _rank(points: int, least: tuple[int, int, int]) -> int:
    first, second, third = least
    return 0 if points >= first else 1 if points >= second else 2 if points >= third else 3


@dataclass(frozen=True, kw_only=True)  # without slots: cached_property needs a dict
class Line:
    """What must hold together for a move, apart from events and time.

    at_least, below:  points of "score" or a dimension
    grades:           any of these; empty means any grade
    profile:          condition on the person's attributes
    """

    at_least: Mapping[str, int] = field(default_factory=dict)
    below: Mapping[str, int] = field(default_factory=dict)
    grades: frozenset[str] = frozenset()
    profile: Condition = ALWAYS

    @cached_property
    def fits(self) -> Predicate:
        """The condition on the person's attributes as a function of them."""
        return on_profile(self.profile)


def truth(line: Line, grades: Grades, bounds: tuple[Shown, Shown], profile: Mapping[str, Any]) -> bool | None:
    """Whether the line holds for every score within the bounds (True), for none (False), or for some (None).

    bounds:  the least and the most of "score" and of every dimension; twice the same for one score
    """
    low, high = bounds
    # What refuses comes first: mostly one of the bounds is enough for it, and the other is never looked at.
    for name, least in line.at_least.items():
        if high[name] < least:
            return False
    for name, most in line.below.items():
        if low[name] >= most:
            return False
    if line.profile is not ALWAYS and not line.fits(profile):  # nearly always it is, and nothing is asked
        return False
    possible = grades.between(low, high) if line.grades else set()
    if line.grades and possible.isdisjoint(line.grades):
        return False
    sure = possible <= line.grades
    for name, least in line.at_least.items():
        sure = sure and low[name] >= least
    for name, most in line.below.items():
        sure = sure and high[name] < most
    return True if sure else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One way out of a stage.

    kind:     enter (up, by score or event), leave (down, below the lower line), limit (time is over)
    wait:     time in the present stage before this move is allowed
    event:    names of events that cause it; empty: the score or time does
    event_is: the rest of what the event must be; `event_when` is the condition it was made from
    unless:   lines that forbid it: what would make the lead leave the new stage at once
    text:     the move in words, for the ledger
    place:    where in the model file it stands, for the linter
    """

    to: StageName
    kind: Literal["enter", "leave", "limit"]
    line: Line
    text: str
    wait: timedelta = timedelta()
    event: frozenset[str] = frozenset()
    event_is: Predicate = field(default=lambda _event: True, repr=False, compare=False)
    event_when: Condition = ALWAYS
    unless: tuple[Line, ...] = ()
    place: Path = field(default=(), repr=False, compare=False)

    @property
    def after_s(self) -> float:
        """`wait` in seconds."""
        return self.wait.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage with its ways out, in the order in which they are tried."""

    name: StageName
    label: Mapping[Literal["en", "de"], str]
    moves: tuple[Move, ...] = ()
