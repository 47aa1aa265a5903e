"""Which destinations get this transition (pure).

In: a transition and the routes of routing.yaml. Out: destination names, each once.
A transition that no route wants goes nowhere, and that is counted.

Precedence, in words:
1. Routes are read from top to bottom, and every route that matches adds its destinations: there is no
   "first match wins".
2. A matching route with `stop: true` ends the reading; what routes above it added stays.
3. Within a route all conditions must hold; within one condition any of its values is enough.
   A route without conditions matches everything.
4. A destination named by several routes gets the transition once.
5. A destination that is off (its address is not set) gets nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.leads.transition_row import TransitionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers from `at_least` to `at_most`, both included, None for no limit."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, number: float) -> bool:
        return (self.at_least is None or number >= self.at_least) and (
            self.at_most is None or number <= self.at_most
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The conditions of a route; an empty one is not a condition.

    stage:           the stage entered
    previous_stage:  the stage left
    grade:           `A1`, or only the letter (`A`), or only the number (`1`)
    dimensions:      dimension → points; a dimension that the lead does not have counts as 0
    traits:          trait → values that count as equal, text without regard to case; or a range
    """

    stage: frozenset[str] = frozenset()
    previous_stage: frozenset[str] = frozenset()
    grade: frozenset[str] = frozenset()
    score: Range = Range()
    dimensions: Mapping[str, Range] = field(default_factory=dict)
    traits: Mapping[str, tuple[Any, ...] | Range] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Conditions, and the destinations of what meets them."""

    name: str
    when: When
    to: tuple[str, ...]
    stop: bool = False


def decide(transition: TransitionRow, routes: Sequence[Route], active: frozenset[str]) -> tuple[str, ...]:
    """The destinations of this transition, in the order in which the routes name them.

    active:  the destinations that are not off
    """
    chosen: dict[str, None] = {}
    for route in routes:
        if matches(route.when, transition):
            chosen.update(dict.fromkeys(route.to))
            if route.stop:
                break
    return tuple(name for name in chosen if name in active)


def matches(when: When, transition: TransitionRow) -> bool:
    """Whether all conditions hold."""
    return (
        (not when.stage or transition.stage in when.stage)
        and (not when.previous_stage or transition.previous_stage in when.previous_stage)
        and (not when.grade or not when.grade.isdisjoint(_grade_names(transition.grade)))
        and when.score.holds(transition.score)
        and all(span.holds(transition.dimensions.get(name, 0)) for name, span in when.dimensions.items())
        and all(
            _trait_holds(transition.person.traits.get(name), wanted) for name, wanted in when.traits.items()
        )
    )


def _grade_names(grade: str) -> tuple[str, ...]:
    """What a grade answers to: `A1`, `A` and `1`."""
    return (grade, grade[:1], grade[1:])


def _trait_holds(value: Any, wanted: tuple[Any, ...] | Range) -> bool:
    if isinstance(wanted, Range):
        return isinstance(value, int | float) and not isinstance(value, bool) and wanted.holds(value)
    return any(_equal(value, one) for one in wanted)


def _equal(value: Any, wanted: Any) -> bool:
    """Equality as a person means it: text without regard to case, true is not 1."""
    if isinstance(value, str) and isinstance(wanted, str):
        return value.casefold() == wanted.casefold()
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)
