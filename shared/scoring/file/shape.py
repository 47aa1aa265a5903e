"""The shape of scoring.yaml: which keys there are and what kind of value each takes.

In: plain data. Out: checked pydantic objects, and the JSON Schema that editors use for completion.
Refuses unknown keys, wrong types and numbers out of bounds; what names refer to is checked by
shared/scoring/file/read.py, conditions by shared/scoring/file/conditions.py.
"""

from typing import Annotated

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
from shared.scoring.definition.purposes import Unknown, Withdrawal
from shared.scoring.definition.stages import StageName
from shared.scoring.file.values import (
    MAX_POINTS,
    Bounds,
    Condition,
    Duration,
    EventNames,
    Grade,
    Identifier,
    ListShape,
    Number,
    Per,
    PurposeName,
    Text,
    as_list,
)


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
    purpose: Annotated[
        PurposeName | None,
        Field(description="What a person has to agree to before an event pays; none: nothing."),
    ] = None


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
    grade: Annotated[list[Grade], BeforeValidator(as_list), Field(min_length=1)] | None = None
    profile: Condition | None = None


class EnterShape(LineShape):
    """One way into a stage."""

    from_: Annotated[list[StageName], BeforeValidator(as_list), Field(min_length=1)] | None = Field(
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
    enter: Annotated[list[EnterShape], BeforeValidator(as_list), Field(max_length=100)] = []
    leave: Annotated[list[LeaveShape], BeforeValidator(as_list), Field(max_length=100)] = []
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
        BeforeValidator(as_list, json_schema_input_type=AccountEnterShape | list[AccountEnterShape]),
        Field(min_length=1, max_length=20),
    ]
    leave: Annotated[
        list[AccountLeaveShape],
        BeforeValidator(as_list, json_schema_input_type=AccountLeaveShape | list[AccountLeaveShape]),
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
        BeforeValidator(as_list, json_schema_input_type=str | list[str]),
        Field(description="Names of lists under lists: whose domains belong to nobody's company."),
    ]
    stages: Annotated[dict[Identifier, AccountStageShape], Field(max_length=20)] = {}


class PurposeShape(Shape):
    """Something that people may agree to; `consent` of events has its name."""

    label: LabelShape
    withdrawal: Annotated[
        Withdrawal,
        Field(description="What somebody takes back: what comes after it, or all that ever happened."),
    ] = "from_then_on"
    unknown: Annotated[
        Unknown, Field(description="What holds of somebody who was never asked: granted or denied.")
    ] = "denied"


class ConsentShape(Shape):
    """What people may agree to. Guide: docs/guides/consent.md."""

    purposes: Annotated[dict[PurposeName, PurposeShape], Field(min_length=1, max_length=20)]
    default: Annotated[
        PurposeName | None, Field(description="What an engagement rule needs that names no purpose.")
    ] = None


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
    consent: ConsentShape | None = None
