"""What a model's rules are, as values: dimensions, groups, rules, and what they are made of.

In: checked values (shared/scoring/file/read.py makes them from scoring.yaml). Out: rules, immutable.
Whoever builds one has checked names and numbers.

Numbers are points unless their name carries a unit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, Literal

from shared.scoring.definition.conditions import (
    ALWAYS,
    Condition,
    Predicate,
    as_number,
    fold_case,
    on_profile,
)
from shared.scoring.definition.digest import LATER
from shared.scoring.definition.purposes import Purpose

Label = Mapping[Literal["en", "de"], str]
"""A text in English and German; `{times}` in it becomes "3 times" or its German counterpart."""

WindowUnit = Literal["hours", "day", "week", "month", "ever"]

_DAY_S: Final = 86_400.0
MOST_VALUES: Final = 200
"""How many values of one window a limit tells apart; what is kept of a lead grows with it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamp:
    """Bounds that a sum of points does not leave."""

    lowest: float = -math.inf
    highest: float = math.inf

    def of(self, points: float) -> float:
        return self.lowest if points < self.lowest else min(points, self.highest)


UNBOUNDED: Final = Clamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """A side of the score (fit, engagement, product …): clamps the sum of its groups.

    weight:  how many points of the score one of its points is worth
    """

    id: str
    label: Label
    weight: float = 1.0
    between: Clamp = UNBOUNDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules that belong together: clamps their sum."""

    id: str
    label: Label
    dimension: str
    between: Clamp = UNBOUNDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Fixed spans of time in UTC that cut history into pieces: n hours since 1970, or by the calendar.

    Weeks begin on Monday.
    """

    unit: WindowUnit
    hours: int = 1

    def index(self, at_s: float) -> int:
        """The number of the window around this moment (seconds since 1970); later windows are larger."""
        if self.unit == "day":
            return int(at_s // _DAY_S)
        if self.unit == "hours":
            return int(at_s // (3600 * self.hours))
        if self.unit == "week":
            return int((at_s // _DAY_S + 3) // 7)
        if self.unit == "month":
            moment = datetime.fromtimestamp(at_s, UTC)
            return moment.year * 12 + moment.month
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Only the `times` earliest events of each window are paid.

    for_each:  a field of events: then it is so of each of its values, for the `MOST_VALUES` values that came
               first in a window; empty: of all events together
    """

    times: int
    per: Window
    for_each: str = field(default="", metadata=LATER)

    @property
    def most(self) -> int:
        """How many events of one window it can pay."""
        return self.times * (MOST_VALUES if self.for_each else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """Which events are meant.

    names:  event names, exactly as they come; empty means every name
    when:   what else must hold, `kind` among it
    """

    names: frozenset[str]
    when: Condition = ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Frequency and recency: an event pays if it is at least the `times`-th within `within_s` seconds."""

    times: int
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """Sequence: an event pays if such another one came before it, at most `within_s` seconds earlier."""

    first: Occurrence
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What one event is worth.

    constant:  always this, where `by` is not set; and what a value outside `values` is worth
    by:        the field that decides
    values:    points per value of that field (text in lower case)
    each:      or points per unit of that field, as a number, within `between`
    """

    constant: float
    by: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    each: float = 0.0
    between: Clamp = UNBOUNDED

    def worth(self, value: Any) -> float:
        """What an event is worth in which the field `by` holds this value."""
        if not self.by:
            return self.constant
        if self.values:
            return self.values.get(value_key(value), self.constant)
        number = as_number(value)
        return self.constant if number is None else self.between.of(number * self.each)

    def range(self) -> tuple[float, float]:
        """The least and the most that one event can be worth."""
        if self.by and not self.values:
            bounds = (self.between.lowest, self.between.highest, self.constant)
            return min(bounds), max(bounds)
        possible = [self.constant, *self.values.values()]
        return min(possible), max(possible)


def value_key(value: object) -> str:
    """A value as it is written in a table of points, and told apart by a limit; no value is empty.

    Text without regard to case, 42 and 42.0 like "42"; lists and mappings are no value.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return fold_case(str(value)) if isinstance(value, str | int | float) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngagementRule:
    """Points for what a person did.

    half_life_s:  seconds after which half of an event's points are left; None: they stay
    between:      bounds of what the whole rule can be worth
    purpose:      what a person has to agree to before an event pays; None: nothing
    """

    id: str
    label: Label
    group: str
    event: Occurrence
    points: Points
    half_life_s: float | None = None
    limit: Limit | None = None
    repeat: Repeat | None = None
    after: After | None = None
    between: Clamp = UNBOUNDED
    purpose: Purpose | None = field(default=None, metadata=LATER)

    @property
    def needs_order(self) -> bool:
        """Whether what an event pays depends on which others came before it."""
        return self.repeat is not None or self.after is not None

    @property
    def keeps(self) -> tuple[object, ...]:
        """All that decides what is kept of a lead for this rule (`RuleState`)."""
        kept = (self.event, self.points, self.half_life_s, self.limit, self.repeat, self.after)
        return (*kept, self.purpose.decides) if self.purpose else kept


@dataclass(frozen=True, kw_only=True)  # without slots: cached_property needs a dict
class FitRule:
    """Points for who a person is: constant while the condition on the profile holds."""

    id: str
    label: Label
    group: str
    when: Condition
    points: float

    @cached_property
    def holds(self) -> Predicate:
        """The condition as a function of a profile."""
        return on_profile(self.when)
