"""What conditions and points ask about each field of an event or a profile, so that each is looked at once.

In: conditions and points of rules, one after the other. Out: each as a function of results; the fields
that those results answer (shared/scoring/engine/memo.py).
Refuses to tell tests apart by their values: 1 and true are equal for Python, and ask for different things.
"""

from collections.abc import Callable, Sequence
from typing import Any

from shared.scoring.definition.conditions import Condition, Predicate, Test, compiled, is_present, on_value
from shared.scoring.definition.rules import Points
from shared.scoring.engine.memo import Field, FieldResult


class FieldTests:
    """Collects what is asked; results come in the order in which fields were first asked about.

    getter:  what fetches a field by its path; None for a field that there is not, which is like no value
    """

    def __init__(self, getter: Callable[[str], Callable[[Any], Any] | None]) -> None:
        self._getter = getter
        self._tests: dict[str, list[Test]] = {}
        self._worths: list[Points] = []

    def about(self, condition: Condition) -> Predicate:
        """The condition as a function of the results."""
        return compiled(condition, self._leaf)

    def worth(self, points: Points) -> Callable[[Sequence[FieldResult]], float]:
        """The points as a function of the results."""
        if not points.by:
            return lambda _: points.constant
        self._worths.append(points)
        position = -len(self._worths)  # points stand behind tests, the last ones first
        return lambda results: results[position]

    def fields(self) -> list[Field]:
        """What was asked until now: the tests of each field, then points."""
        asked = [
            Field(self._value_of(field, tests), _outcomes(tests)) for field, tests in self._tests.items()
        ]
        worths = [Field(self._value_of(points.by, []), points.worth) for points in reversed(self._worths)]
        return asked + worths

    def _value_of(self, field: str, tests: list[Test]) -> Callable[[Any], Any]:
        get = self._getter(field) or (lambda _: None)
        if tests and all(test.operator == "exists" for test in tests):
            # Whatever is there is as good as a text, and a mapping could not be looked up.
            return lambda subject: "there" if is_present(get(subject)) else None
        return get

    def _leaf(self, test: Test) -> Predicate:
        tests = self._tests.setdefault(test.field, [])
        position, bit = list(self._tests).index(test.field), 1 << len(tests)
        tests.append(test)
        return lambda results: results[position] & bit != 0


def _outcomes(tests: list[Test]) -> Callable[[Any], int]:
    """What these tests say about a value of their field: bit n for the n-th of them."""
    bits = [(1 << place, on_value(test)) for place, test in enumerate(tests)]
    return lambda value: sum([bit for bit, holds in bits if holds(value)])
