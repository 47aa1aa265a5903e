"""The shape of scoring.yaml: which keys there are and what kind of value each takes.

In: plain data. Out: checked pydantic objects, and the JSON Schema that editors use for completion.
Refuses unknown keys, wrong types and numbers out of bounds; what names refer to is checked by
shared/scoring/file/read.py, conditions by shared/scoring/file/conditions.py.
"""

import re
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)

from shared.events import Kind
from shared.scoring.definition.accounts import Measure
from shared.scoring.definition.stages import StageName
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


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | dict) else value


def _list_form(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<source>"


def _as_text(value: object) -> object:
    """Postal codes are numbers to YAML, but values of a list are compared as text."""
    return str(value) if type(value) is int else value


def _score_form(value: object) -> str:
    return "<sum>" if isinstance(value, dict) else "<best>"


def _best(value: str) -> str:
    if value != "best":
        raise ValueError("expected best, or {sum_up_to: 100}")
    return value


def _points_form(value: object) -> str:
    if not isinstance(value, dict):
        return "<number>"
    return "<table>" if "values" in value else "<rate>"


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
    BeforeValidator(_as_list),
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
Bounds = Annotated[list[Number], Field(min_length=2, max_length=2)]
Grade = Annotated[str, Field(pattern=r"^[A-D][1-4]$")]
CONDITION: Final = "a condition"
"""Marks in the generated schema where shared/scoring/file/schema.py puts the one of conditions."""
Condition = Annotated[
    dict[str, Any],
    Field(min_length=1),
    WithJsonSchema({"$comment": CONDITION}),
]


class Shape(BaseModel):
    """What all parts of the file share: no unknown keys, no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LabelShape(Shape):
    """A text in English and in German. `{times}` in it becomes "3 times" and its German counterpart."""

    en: Text
    de: Text


class DimensionShape(Shape):
    """A side of the score; clamps the sum of its groups."""

    label: LabelShape
    weight: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 1.0
    between: Bounds | None = None


class GroupShape(Shape):
    """Rules that belong together; clamps their sum."""

    label: LabelShape
    dimension: str
    between: Bounds | None = None


class TableShape(Shape):
    """Points per value of a field."""

    by: str
    values: Annotated[dict[str, Number], Field(min_length=1, max_length=1_000)]
    otherwise: Number = 0.0


class RateShape(Shape):
    """Points per unit of a number, within bounds."""

    by: str
    each: Annotated[float, Field(ge=-MAX_POINTS, le=MAX_POINTS, allow_inf_nan=False)]
    between: Bounds
    otherwise: Number = 0.0


PointsShape = Annotated[
    Annotated[Number, Tag("<number>")]
    | Annotated[TableShape, Tag("<table>")]
    | Annotated[RateShape, Tag("<rate>")],
    Discriminator(_points_form),
]


class LimitShape(Shape):
    """Only the earliest events of each window are paid; with `for_each` of each value of that field."""

    times: Annotated[int, Field(ge=1, le=1_000)]
    per: Per
    for_each: Annotated[str, Field(min_length=1, description="A field of events: page.path")] | None = None


class RepeatShape(Shape):
    """An event pays only if it is at least the n-th within a span of time."""

    times: Annotated[int, Field(ge=2, le=100)]
    within: Duration


class OccurrenceShape(Shape):
    """Which events are meant; `*` means every event."""

    event: EventNames
    kind: Kind | None = None
    when: Condition | None = None


class AfterShape(OccurrenceShape):
    """The event that has to come first."""

    within: Duration


class EngagementShape(OccurrenceShape):
    """Points for what a person did."""

    label: LabelShape
    group: str
    points: PointsShape
    half_life: Duration | None = None
    limit: LimitShape | None = None
    repeat: RepeatShape | None = None
    after: AfterShape | None = None
    between: Bounds | None = None


class FitShape(Shape):
    """Points for who a person is."""

    label: LabelShape
    group: str
    when: Condition
    points: Number


class LettersShape(Shape):
    """Least fit for each letter; below C it is D."""

    A: int
    B: int
    C: int


class NumbersShape(Shape):
    """Least engagement for each number; below 3 it is 4."""

    first: int = Field(alias="1")
    second: int = Field(alias="2")
    third: int = Field(alias="3")


class GradeShape(Shape):
    """The matrix of letters and numbers."""

    fit: LettersShape
    engagement: NumbersShape


class LineShape(Shape):
    """What must hold together."""

    at_least: dict[str, int] | None = None
    below: dict[str, int] | None = None
    grade: Annotated[list[Grade], BeforeValidator(_as_list), Field(min_length=1)] | None = None
    profile: Condition | None = None


class EnterShape(LineShape):
    """One way into a stage."""

    from_: Annotated[list[StageName], BeforeValidator(_as_list), Field(min_length=1)] | None = Field(
        default=None, alias="from"
    )
    event: EventNames | None = None
    kind: Kind | None = None
    when: Condition | None = None
    after: Duration | None = None


class LeaveShape(LineShape):
    """One way down out of a stage."""

    to: StageName


class TimeLimitShape(Shape):
    """How long a lead may stay, and where it goes then."""

    after: Duration
    to: StageName


class StageShape(Shape):
    """A stage: what enters it, what leaves it, how long at least and at most."""

    label: LabelShape
    enter: Annotated[list[EnterShape], BeforeValidator(_as_list), Field(max_length=100)] = []
    leave: Annotated[list[LeaveShape], BeforeValidator(_as_list), Field(max_length=100)] = []
    dwell: Duration | None = None
    limit: TimeLimitShape | None = None


AccountNeeds = Annotated[dict[Measure, Annotated[int, Field(ge=1, le=1_000_000)]], Field(min_length=1)]


class AccountEnterShape(Shape):
    """What an account needs at least, all of it together."""

    at_least: AccountNeeds


class AccountLeaveShape(Shape):
    """Below what an account leaves, all of it together."""

    below: AccountNeeds


class AccountStageShape(Shape):
    """A stage of accounts: the lines to enter and the lower lines to leave."""

    label: LabelShape
    enter: Annotated[
        list[AccountEnterShape],
        BeforeValidator(_as_list, json_schema_input_type=AccountEnterShape | list[AccountEnterShape]),
        Field(min_length=1, max_length=20),
    ]
    leave: Annotated[
        list[AccountLeaveShape],
        BeforeValidator(_as_list, json_schema_input_type=AccountLeaveShape | list[AccountLeaveShape]),
        Field(max_length=20),
    ] = []


class SumShape(Shape):
    """The scores of all people together, up to a limit."""

    sum_up_to: Annotated[int, Field(ge=1, le=1_000_000)]


class AccountsShape(Shape):
    """People of one company together. Guide: docs/guides/accounts.md."""

    score: Annotated[
        Annotated[str, AfterValidator(_best), WithJsonSchema({"const": "best"}), Tag("<best>")]
        | Annotated[SumShape, Tag("<sum>")],
        Discriminator(_score_form),
    ] = "best"
    active_within: Duration = Field(default="30d", validate_default=True)
    private_domains: Annotated[
        list[str],
        BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
        Field(description="Names of lists under lists: whose domains belong to nobody's company."),
    ]
    stages: Annotated[dict[Identifier, AccountStageShape], Field(max_length=20)] = {}


class ModelShape(Shape):
    """A scoring model for leadscore. Guide: docs/guides/scoring-model.md."""

    name: Text
    dimensions: Annotated[dict[Identifier, DimensionShape], Field(min_length=1, max_length=20)]
    groups: Annotated[dict[Identifier, GroupShape], Field(min_length=1, max_length=100)]
    lists: Annotated[dict[Identifier, ListShape], Field(max_length=100)] = {}
    engagement: Annotated[dict[Identifier, EngagementShape], Field(max_length=500)] = {}
    fit: Annotated[dict[Identifier, FitShape], Field(max_length=500)] = {}
    grade: GradeShape
    stages: dict[StageName, StageShape] = {}
    accounts: AccountsShape | None = None
