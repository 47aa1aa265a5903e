"""What kinds of single values scoring.yaml has: numbers, durations, names, texts, lists of them.

In: plain data. Out: types for pydantic that check a value, and say in the schema what it may be.
Refuses (ValueError) a value of another kind, and says what would work.
"""

import re
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)

from shared.scoring.file.lists import BUILTIN_LISTS

MAX_POINTS: Final = 1_000
_UNITS_S: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_IDENTIFIER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SPAN: Final = re.compile(r"([1-9][0-9]{0,3})h")


def _seconds(value: object) -> float:
    """A duration such as 14d in seconds."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError("expected a duration in minutes, hours, days or weeks, such as 30m, 12h, 14d, 2w")
    return float(int(found[1]) * _UNITS_S[found[2]])


def _span(value: object) -> str:
    """A window: by the calendar, by hours, or the whole life of the lead."""
    if isinstance(value, str) and (
        value in {"hour", "day", "week", "month", "ever"} or _SPAN.fullmatch(value)
    ):
        return value
    raise ValueError("expected hour, day, week, month, ever, or hours such as 6h")


def _identifier(value: str) -> str:
    """A name that is safe in addresses, labels and file names."""
    if not _IDENTIFIER.fullmatch(value):
        raise ValueError("expected a name of small letters, digits, - and _")
    return value


def _readable(value: str) -> str:
    """Text that a person can read and Postgres can keep."""
    if not value.isprintable():
        raise ValueError("expected text in one line, without control characters")
    return value


def as_list(value: object) -> object:
    """A list of values, whether the file gives one or several."""
    return [value] if isinstance(value, str | dict) else value


def _list_form(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<source>"


def _as_text(value: object) -> object:
    """Postal codes are numbers to YAML, but values of a list are compared as text."""
    return str(value) if type(value) is int else value


Identifier = Annotated[
    str,
    AfterValidator(_identifier),
    WithJsonSchema({"type": "string", "pattern": f"^{_IDENTIFIER.pattern}$"}),
]
Text = Annotated[str, Field(min_length=1, max_length=160), AfterValidator(_readable)]
EventName = Annotated[str, Field(min_length=1, max_length=200)]
Number = Annotated[float, Field(ge=-MAX_POINTS, le=MAX_POINTS, allow_inf_nan=False)]
Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["14d", "12h"]}),
]
Per = Annotated[
    str,
    BeforeValidator(_span),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["hour", "day", "week", "month", "ever"]},
                {"type": "string", "pattern": f"^{_SPAN.pattern}$"},
            ]
        }
    ),
]
EventNames = Annotated[
    list[EventName],
    BeforeValidator(as_list),
    Field(min_length=1, max_length=100),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    ),
]
Entry = Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=160)]
ListShape = Annotated[
    Annotated[
        Text,
        Field(
            description="Where the values are: a path such as lists/own.txt, relative to this file and not "
            "above it, or builtin:free-mail or builtin:disposable.",
            examples=[f"builtin:{name}" for name in BUILTIN_LISTS],
        ),
        Tag("<source>"),
    ]
    | Annotated[
        list[Entry],
        Field(
            min_length=1,
            max_length=10_000,
            description="Values; with file: or builtin: in front, where to find more of them.",
        ),
        Tag("<list>"),
    ],
    Discriminator(_list_form),
]
PurposeName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_readable)]
Bounds = Annotated[list[Number], Field(min_length=2, max_length=2)]
Grade = Annotated[str, Field(pattern=r"^[A-D][1-4]$")]
CONDITION: Final = "a condition"
"""Marks in the generated schema where shared/scoring/file/schema.py puts the one of conditions."""
Condition = Annotated[
    dict[str, Any],
    Field(min_length=1),
    WithJsonSchema({"$comment": CONDITION}),
]
