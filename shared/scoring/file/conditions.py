"""Reads the conditions of a model file: as people write them → as the engine knows them.

In: plain data under `when:` or `profile:` of a model file, with its path. Out: a `Condition`, and a list
of mistakes, each with its path.
Refuses fields that events do not have, operators and lists that do not exist, operands that an operator
cannot take, patterns that could hang (shared/scoring/definition/patterns.py).

    when:
      page.path: {starts_with: /pricing}     # operators
      properties.form: demo-request          # a value: eq
      traits.country: [DE, AT, CH]           # several values: in
      any: [{…}, {…}]                        # beside all: and not:
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal, get_args

from shared.config_file import MOST_TOLD
from shared.config_mistakes import Path, listing, short
from shared.scoring.definition.conditions import (
    All,
    AnyOf,
    Condition,
    Not,
    Operand,
    Operator,
    Test,
    as_date,
    fold_case,
)
from shared.scoring.definition.fields import EVENT_FIELDS, event_getter
from shared.scoring.definition.patterns import BadPatternError, compile_pattern

MAX_DEPTH: Final = 8
# A pattern takes a millisecond to make: a file with thousands of them would keep a start waiting.
MAX_PATTERNS: Final = 300
_OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
_COMBINERS: Final = ("all", "any", "not")

Subject = Literal["event", "profile"]
Problem = tuple[Path, str]


class ConditionReader:
    """Reads the conditions of one file and gathers the mistakes.

    lists:     name → values, in lower case
    problems:  what was wrong so far
    used:      the names of the lists that were looked into
    """

    def __init__(self, lists: Mapping[str, frozenset[str]]) -> None:
        self.lists = lists
        self.problems: list[Problem] = []
        self.used: set[str] = set()
        self._patterns = 0

    def read(self, data: Any, path: Path, subject: Subject) -> Condition:
        """The condition at this path; where something is wrong, the rest of it."""
        return self._mapping(data, path, subject, 0)

    def _mapping(self, data: Any, path: Path, subject: Subject, depth: int) -> Condition:
        if not isinstance(data, Mapping) or not data:
            self.problems.append((path, f"expected fields and what they must be; seen: {_shown(data)}"))
            return All(parts=())
        if depth > MAX_DEPTH:
            self.problems.append((path, f"nested deeper than {MAX_DEPTH} levels. Split the rule"))
            return All(parts=())
        parts: list[Condition] = []
        for key, value in data.items():
            inner = (*path, key)
            if key == "not":
                parts.append(Not(part=self._mapping(value, inner, subject, depth + 1)))
            elif key in {"all", "any"}:
                several = tuple(self._several(value, inner, subject, depth))
                parts.append(All(parts=several) if key == "all" else AnyOf(parts=several))
            else:
                parts += self._field(key, value, inner, subject)
        return parts[0] if len(parts) == 1 else All(parts=tuple(parts))

    def _several(self, data: Any, path: Path, subject: Subject, depth: int) -> Iterator[Condition]:
        if not isinstance(data, list) or not data:
            self.problems.append((path, f"expected a list of conditions; seen: {_shown(data)}"))
            return
        for position, item in enumerate(data):
            yield self._mapping(item, (*path, position), subject, depth + 1)

    def _field(self, field: str, data: Any, path: Path, subject: Subject) -> Iterator[Condition]:
        if len(self.problems) > MOST_TOLD:
            return  # as many as are told; suggesting names for thousands would take seconds
        if subject == "event" and event_getter(field) is None:
            known = listing(field, [*EVENT_FIELDS, *_COMBINERS])
            self.problems.append((path, f'events have no field "{short(field)}". Fields: {known}'))
            return
        if isinstance(data, Mapping) and data:
            for operator, operand in data.items():
                yield from self._test(field, operator, operand, (*path, operator))
        else:
            yield from self._test(field, "in" if isinstance(data, list) else "eq", data, path)

    def _test(self, field: str, operator: str, data: Any, path: Path) -> Iterator[Condition]:
        known: Operator | None = next((each for each in _OPERATORS if each == operator), None)
        if known is None:
            self.problems.append(
                (path, f'unknown operator "{short(operator)}". Operators: {listing(operator, _OPERATORS)}')
            )
            return
        operand = self._operand(known, data)
        if isinstance(operand, _Unusable):
            named = "" if path[-1] == operator else f"{operator}: "
            self.problems.append((path, f"{named}{operand.why}; seen: {_shown(data)}"))
        else:
            yield Test(field=field, operator=known, operand=operand)

    def _operand(self, operator: Operator, data: Any) -> "Operand | _Unusable":
        self._patterns += operator == "matches"
        if operator == "matches" and self._patterns > MAX_PATTERNS:
            return _Unusable(
                f"more than {MAX_PATTERNS} patterns in the file. Use starts_with, contains or in"
            )
        if operator in {"in", "not_in"}:
            return self._members(data)
        return _OPERANDS.get(operator, _value)(data)

    def _members(self, data: Any) -> "Operand | _Unusable":
        """The values of a list written out, or of a list by name."""
        if isinstance(data, str):
            if data in self.lists:
                self.used.add(data)
                return self.lists[data]
            return _Unusable(f"unknown list. Lists: {listing(data, self.lists)}")
        if not isinstance(data, list) or not data:
            return _Unusable("expected a list of values, or the name of one under lists:")
        if not all(isinstance(item, str | int | float) for item in data):
            return _Unusable("expected single values in the list")
        return frozenset(_member(item) for item in data)


class _Unusable:
    """Why an operator cannot take what was written."""

    def __init__(self, why: str) -> None:
        self.why = why


def _value(data: Any) -> str | float | bool | _Unusable:
    """The operand of eq and not_eq."""
    if isinstance(data, bool | float):
        return data
    if isinstance(data, int):
        return float(data)
    return fold_case(data) if _is_text(data) else _Unusable("expected one value, not empty")


def _truth(data: Any) -> bool | _Unusable:
    return data if isinstance(data, bool) else _Unusable("expected true or false")


def _part_of_text(data: Any) -> str | _Unusable:
    return fold_case(str(data)) if _is_text(data) else _Unusable("expected text")


def _ordered(data: Any) -> float | datetime | _Unusable:
    if isinstance(data, int | float) and not isinstance(data, bool):
        return float(data)
    return as_date(data) or _Unusable("expected a number, or a date such as 2026-01-31")


def _pattern(data: Any) -> str | _Unusable:
    if not _is_text(data):
        return _Unusable("expected a regular expression")
    try:
        compile_pattern(str(data))
    except BadPatternError as error:
        return _Unusable(str(error))
    return str(data)


_OPERANDS: Final[Mapping[str, Callable[[Any], "Operand | _Unusable"]]] = {
    "exists": _truth,
    "gt": _ordered,
    "gte": _ordered,
    "lt": _ordered,
    "lte": _ordered,
    "matches": _pattern,
    "contains": _part_of_text,
    "starts_with": _part_of_text,
}


def _member(item: Any) -> str:
    if isinstance(item, bool):
        return str(item).lower()
    return fold_case(str(item))


def _is_text(data: Any) -> bool:
    """Text, or a number that is to be read as text."""
    return isinstance(data, str | int | float) and not isinstance(data, bool) and str(data).strip() != ""


def _shown(data: Any) -> str:
    if data is None or data in ("", [], {}):
        return "nothing"
    text = f'"{data}"' if isinstance(data, str) else str(data)
    return short(text)
