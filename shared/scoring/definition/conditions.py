"""Conditions on events and profiles: a small tree of tests, compiled into fast functions.

In: a `Condition` (`Test`, `All`, `Any`, `Not`) made from a model file. Out: a predicate.
Refuses code: there are twelve operators, nothing is ever evaluated as an expression.

What the operators mean, for people who write models:
- Text is compared without regard to case. Numbers and dates in text are read as such where the
  operand is one: `employees: {gte: 200}` holds for the form field "250".
- A missing or empty value satisfies `exists: false` and nothing else, not even `not_eq` or `not_in`:
  a person without an e-mail address has no business e-mail address. `not:` around a test does hold.
- A list value satisfies a test if one of its elements does; for `not_eq` and `not_in`, if none
  of them is the forbidden one.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Literal

from shared.scoring.definition.fields import event_getter, profile_getter
from shared.scoring.definition.patterns import MAX_INPUT_CHARS, compile_pattern

Operator = Literal[
    "eq", "not_eq", "in", "not_in", "contains", "starts_with", "matches", "gt", "gte", "lt", "lte", "exists"
]
Predicate = Callable[[Any], bool]
Operand = str | float | bool | datetime | frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One field against one operand.

    operand:  text and sets of text in lower case (`fold_case`), numbers as float, dates aware in UTC
    """

    __test__ = False  # pytest, this is not yours

    field: str
    operator: Operator
    operand: Operand


@dataclass(frozen=True, slots=True, kw_only=True)
class All:
    """Every one of these; true if there is none."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """At least one of these; false if there is none."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """Holds where its part does not."""

    part: "Condition"


Condition = Test | All | AnyOf | Not

ALWAYS: Final = All(parts=())

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?")


def on_event(condition: Condition) -> Predicate:
    """The condition as a function of an `Event`.

    Raises ValueError if a field is none that events have.
    """
    return compiled(condition, lambda test: _test(_event_field(test.field), test))


def on_profile(condition: Condition) -> Predicate:
    """The condition as a function of a profile, a mapping of attributes."""
    return compiled(condition, lambda test: _test(profile_getter(test.field), test))


def on_value(test: Test) -> Predicate:
    """The test as a function of the value of its field."""
    return _test(_itself, test)


def compiled(condition: Condition, leaf: Callable[[Test], Predicate]) -> Predicate:
    """The condition as one function, made of what `leaf` makes of its tests."""
    match condition:
        case Test():
            return leaf(condition)
        case All(parts=parts):
            return _all([compiled(part, leaf) for part in parts])
        case AnyOf(parts=parts):
            return _any([compiled(part, leaf) for part in parts])
        case Not(part=part):
            inner = compiled(part, leaf)
            return lambda subject: not inner(subject)


def fold_case(text: str) -> str:
    """Text as it is compared."""
    return text.strip().casefold()


def as_number(value: Any) -> float | None:
    """The value as a number, if it is one or text that shows one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) <= 1e300 else None
    if isinstance(value, str) and len(value) <= 30:
        try:
            number = float(value.replace("_", "x"))
        except ValueError:
            return None
        return number if abs(number) <= 1e300 else None
    return None


def as_date(value: Any) -> datetime | None:
    """The value as a moment in UTC, if it is a date or time in ISO 8601; without a zone it is UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        return None


def _event_field(path: str) -> Predicate:
    getter = event_getter(path)
    if getter is None:
        raise ValueError(f"events have no field {path}")
    return getter


def _itself(value: Any) -> Any:
    return value


def _all(parts: list[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        first, second = parts
        return lambda subject: first(subject) and second(subject)

    def every(subject: Any) -> bool:
        for part in parts:  # noqa: SIM110 - a generator costs as much as a test
            if not part(subject):
                return False
        return True

    return every


def _any(parts: list[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]

    def some(subject: Any) -> bool:
        for part in parts:  # noqa: SIM110 - a generator costs as much as a test
            if part(subject):
                return True
        return False

    return some


def _test(get: Callable[[Any], Any], test: Test) -> Predicate:
    if test.operator == "exists":
        wanted = bool(test.operand)
        return lambda subject: is_present(get(subject)) is wanted
    if test.operator in {"not_eq", "not_in"}:
        forbidden = _one(test.operator[4:], test.operand)
        return lambda subject: _none(forbidden, get(subject))
    return _holds(get, _one(test.operator, test.operand))


def _holds(get: Callable[[Any], Any], accepts: Predicate) -> Predicate:
    """The test of whatever the field holds: one value, several, or none."""

    def holds(subject: Any) -> bool:
        value = get(subject)
        if value is None or value == "":
            return False
        return any(map(accepts, value)) if type(value) is list else accepts(value)

    return holds


def is_present(value: Any) -> bool:
    """Whether a field holds anything: an empty text, list or mapping is nothing."""
    return value != "" if type(value) is str else value is not None and value not in ("", [], {})


def _none(forbidden: Predicate, value: Any) -> bool:
    if not is_present(value):
        return False
    return not (any(map(forbidden, value)) if type(value) is list else forbidden(value))


def _one(name: str, operand: Operand) -> Predicate:
    """The test of one present value that is not a list."""
    if isinstance(operand, datetime):
        return _ordered(name, as_date, operand)
    if isinstance(operand, int | float) and not isinstance(operand, bool):
        return _ordered(name, as_number, operand)
    return _textual(name, operand)


def _textual(name: str, operand: Operand) -> Predicate:
    """The test of a present value that is compared as text."""
    match name, operand:
        case "in", frozenset():
            return lambda value: _text(value) in operand
        case "contains", str():
            return lambda value: operand in _text(value)
        case "starts_with", str():
            return lambda value: _text(value).startswith(operand)
        case "matches", str():
            search = compile_pattern(operand).search
            return lambda value: type(value) is str and search(value[:MAX_INPUT_CHARS]) is not None
        case "eq", bool() | str():
            wanted = _text(operand)
            return lambda value: _text(value) == wanted
    raise ValueError(f"operator {name} cannot take {operand!r}")


def _ordered(name: str, read: Callable[[Any], Any], operand: Any) -> Predicate:
    """Comparison of numbers or of moments; what cannot be read as one does not satisfy it."""
    compare = _COMPARISONS.get(name)
    if compare is None:
        raise ValueError(f"operator {name} cannot take {operand!r}")

    def ordered(value: Any) -> bool:
        seen = read(value)
        return seen is not None and bool(compare(seen, operand))

    return ordered


def _text(value: Any) -> str:
    """A value as comparable text; mappings have none."""
    if type(value) is str:
        return value.strip().casefold()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).casefold() if isinstance(value, int | float) else ""


def fields_of(condition: Condition) -> frozenset[str]:
    """Every field the condition looks at."""
    match condition:
        case Test(field=field):
            return frozenset({field})
        case All(parts=parts) | AnyOf(parts=parts):
            return frozenset[str]().union(*map(fields_of, parts))
        case Not(part=part):
            return fields_of(part)


def as_profile(traits: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as conditions see them: with `email_domain` beside `email`."""
    email = traits.get("email")
    if isinstance(email, str) and "@" in email:
        return {**traits, "email_domain": email.rpartition("@")[2].strip().casefold()}
    return dict(traits)
