"""Which conditions can never hold, and which values would meet the others: found without a single event.

In: a `Condition`. Out: why it can never hold, or examples that it holds for.
Refuses to guess: patterns are only tried on values that other tests name, and a field is taken to hold
one value (a list could meet `eq: a` and `eq: b`; who writes that has nearly always meant `any:`).

Whether a value meets a test is asked of the engine itself, so the two can never disagree.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import nsmallest
from itertools import islice, product
from typing import Any, Final

from shared.scoring.definition.conditions import All, AnyOf, Condition, Not, Test, fields_of, on_profile

_MOST_EXAMPLES: Final = 8
# Larger conditions are not looked into: comparing each part with each would take seconds.
_MOST_PARTS: Final = 300
_MOST_SHOWN: Final = 3
_SIGNS: Final = {"gt": 1, "gte": 1, "lt": -1, "lte": -1}

Example = Mapping[str, Any]
"""Field → value, by the full path of the field."""


def why_never(condition: Condition) -> str:
    """Why nothing can meet this condition, in words; empty if something may."""
    return _why_never(condition) if _size(condition) <= _MOST_PARTS else ""


def _why_never(condition: Condition) -> str:
    parts = list(_flat(condition))
    if isinstance(condition, AnyOf):
        reasons = [_why_never(part) for part in condition.parts]
        return reasons[0] if reasons and all(reasons) else ""
    for field in dict.fromkeys(field for part in parts for field in fields_of(part)):
        about = [part for part in parts if fields_of(part) == {field} and not isinstance(part, AnyOf)]
        reason = _why_no_value(field, about)
        if reason:
            return reason
    choices = [part for part in parts if isinstance(part, AnyOf)]
    plain = tuple(part for part in parts if not isinstance(part, AnyOf))
    for choice in choices:
        reasons = [_why_never(All(parts=(*plain, part))) for part in choice.parts]
        if reasons and all(reasons):
            return reasons[0]
    return ""


def examples(condition: Condition) -> list[Example]:
    """Some values that the condition holds for, built from the values it names; maybe none."""
    if _size(condition) > _MOST_PARTS:
        return []
    holds = on_profile(condition)
    return [found for found in islice(_examples(condition), _MOST_EXAMPLES) if holds(found)]


def values_of(condition: Condition, field: str) -> frozenset[str]:
    """The only values, in lower case, that this field can have; empty if it may have others."""
    tests = [part for part in _flat(condition) if isinstance(part, Test) and part.field == field]
    named = [_named(test) for test in tests if _named(test)]
    accepts = on_profile(All(parts=tuple(tests)))
    return frozenset(_as_key(value) for value in (named[0] if named else ()) if accepts({field: value}))


def _size(condition: Condition) -> int:
    """How many tests there are in a condition."""
    match condition:
        case Test():
            return 1
        case All(parts=parts) | AnyOf(parts=parts):
            return sum(map(_size, parts))
        case Not(part=part):
            return _size(part)


def _as_key(value: object) -> str:
    """A value as it is written in a table of points."""
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _flat(condition: Condition) -> Iterator[Condition]:
    """The parts that must all hold; `not` around `exists` is the other `exists`."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from _flat(part)
    elif (
        isinstance(condition, Not)
        and isinstance(condition.part, Test)
        and condition.part.operator == "exists"
    ):
        yield Test(field=condition.part.field, operator="exists", operand=not condition.part.operand)
    else:
        yield condition


def _why_no_value(field: str, about: Sequence[Condition]) -> str:
    tests = [part for part in about if isinstance(part, Test)]
    for test in tests:
        if test.operator == "in" and test.operand == frozenset():
            return f"{field} is to be in a list that is empty"
    absent = [test for test in tests if test.operator == "exists" and not test.operand]
    present = [test for test in tests if test not in absent]
    if absent and present:
        return _both(field, absent[0], present[0])
    opposite = next((part for part in about if Not(part=part) in about), None)
    if opposite is not None:
        return f"{field} is to meet a condition and not to meet it"
    named = next((test for test in tests if _named(test)), None)
    if named is not None:
        accepts = on_profile(All(parts=tuple(about)))
        others = [part for part in about if part is not named]
        if others and not any(accepts({field: value}) for value in _named(named)):
            return _both(field, named, *others)
    return _empty_range(field, tests)


def _named(test: Test) -> Collection[Any]:
    """Every value that a test accepts, where it lists them."""
    if test.operator == "eq":
        return (test.operand,)
    return test.operand if test.operator == "in" and isinstance(test.operand, frozenset) else ()


def _empty_range(field: str, tests: Sequence[Test]) -> str:
    """A lower bound above an upper one; numbers and dates apart."""
    for kind in (float, datetime):
        bounds = [test for test in tests if test.operator in _SIGNS and isinstance(test.operand, kind)]
        lower = [test for test in bounds if _SIGNS[test.operator] > 0]
        upper = [test for test in bounds if _SIGNS[test.operator] < 0]
        for low, high in product(lower, upper):
            a: Any = low.operand
            b: Any = high.operand
            if a > b or (a == b and (low.operator == "gt" or high.operator == "lt")):
                return _both(field, low, high)
    return ""


def _both(field: str, *tests: Condition) -> str:
    return f"no value of {field} is {' and '.join(map(_words, tests))}"


def _words(condition: Condition) -> str:
    """A condition on one field as its author wrote it."""
    match condition:
        case Not(part=part):
            return f"not {_words(part)}"
        case Test(operator=operator, operand=operand):
            return f"{operator} {_shown(operand)}"
    return "what else is asked"


def _shown(operand: object) -> str:
    if isinstance(operand, frozenset):
        more = ", …" if len(operand) > _MOST_SHOWN else ""
        return f"[{', '.join(nsmallest(_MOST_SHOWN, operand))}{more}]"
    if isinstance(operand, bool):
        return str(operand).lower()
    if isinstance(operand, float):
        return f"{operand:g}"
    return f"{operand:%Y-%m-%d}" if isinstance(operand, datetime) else f'"{operand}"'


def _examples(condition: Condition) -> Iterator[dict[str, Any]]:
    match condition:
        case Test():
            for value in islice(_meeting(condition), _MOST_EXAMPLES):
                yield {condition.field: value}
        case AnyOf(parts=parts):
            for part in parts:
                yield from islice(_examples(part), _MOST_EXAMPLES)
        case All(parts=parts):
            some = [list(islice(_examples(part), _MOST_EXAMPLES)) for part in parts]
            for chosen in islice(product(*some), _MOST_EXAMPLES**2):
                yield {field: value for each in chosen for field, value in each.items()}
        case Not():
            yield {}


def _meeting(test: Test) -> Iterator[Any]:
    """Values that a single test accepts, where it says enough."""
    operand: Any = test.operand
    match test.operator:
        case "eq" | "gte" | "lte" | "starts_with" | "contains":
            yield operand
        case "in":
            yield from nsmallest(_MOST_EXAMPLES, operand)
        case "gt" if isinstance(operand, float):
            yield math.nextafter(operand, math.inf)
        case "lt" if isinstance(operand, float):
            yield math.nextafter(operand, -math.inf)
        case "exists":
            yield from (("x",) if operand else ())
