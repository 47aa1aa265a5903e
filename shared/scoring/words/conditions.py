"""A condition in words, as a person would read it aloud.

In: a `Condition`, the names of lists. Out: one line of text, such as
`page.path starts with "/pricing" and not (kind is "email")`.
Refuses to repeat a list: it is called by its name, or shown by its size and its first values.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from shared.scoring.definition.conditions import All, AnyOf, Condition, Not, Operand, Test

ListNames = Mapping[frozenset[str], str]

NO_NAMES: Final[ListNames] = {}
_FEW: Final = 5
_OPERATORS: Final = {
    "eq": "is",
    "not_eq": "is not",
    "in": "in",
    "not_in": "not in",
    "contains": "contains",
    "starts_with": "starts with",
    "matches": "matches",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
}


def condition_words(condition: Condition, names: ListNames = NO_NAMES) -> str:
    """The condition in words; empty for the one that always holds.

    names:  values of a list → its name
    """
    match condition:
        case Test():
            return _test(condition, names)
        case Not(part=part):
            return f"not ({condition_words(part, names)})"
        case All(parts=parts):
            return " and ".join(_inner(part, names) for part in parts)
        case AnyOf(parts=parts):
            return " or ".join(_inner(part, names) for part in parts)


def values_words(values: frozenset[str]) -> str:
    """The first few values in order, and how many there are."""
    first = ", ".join(sorted(values)[:_FEW])
    return first if len(values) <= _FEW else f"{first}, … ({len(values)} values)"


def _inner(part: Condition, names: ListNames) -> str:
    words = condition_words(part, names)
    several = isinstance(part, All | AnyOf) and len(part.parts) > 1
    return f"({words})" if several else words


def _test(test: Test, names: ListNames) -> str:
    if test.operator == "exists":
        return f"{test.field} {'exists' if test.operand else 'is missing'}"
    return f"{test.field} {_OPERATORS[test.operator]} {_operand(test.operand, names)}"


def _operand(operand: Operand, names: ListNames) -> str:
    match operand:
        case bool():
            return "true" if operand else "false"
        case str():
            return f'"{operand}"'
        case datetime():
            return operand.isoformat()
        case frozenset():
            return names.get(operand) or f"[{values_words(operand)}]"
    return f"{operand:g}"
