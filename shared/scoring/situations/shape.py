"""The shape of a situations file: which keys there are and what kind of value each takes.

In: plain data. Out: checked pydantic objects, and the JSON Schema that editors use for completion.
Refuses unknown keys, wrong types and numbers out of bounds; what names refer to is checked by
shared/scoring/situations/read.py.
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from shared.events import Kind
from shared.scoring.definition.conditions import as_date
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.contributions import ContributionKind
from shared.scoring.engine.transitions import Cause
from shared.scoring.file.shape import Shape
from shared.scoring.file.values import EventName, Grade

UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
NEVER: Final = "never"
_MOST_YEARS: Final = 100
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_AGE: Final = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,3})?)([smhdw])")
_SPAN: Final = re.compile(r"[0-9]{1,9}[smhdw]")


def _age(value: object) -> timedelta:
    """A span of time such as 2d."""
    found = _AGE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(
            "expected a span of time in seconds, minutes, hours, days or weeks, such as 2d or 1.5h"
        )
    seconds = float(found[1]) * UNITS_S[found[2]]
    if seconds > _MOST_YEARS * 365 * UNITS_S["d"]:
        raise ValueError(f"longer than {_MOST_YEARS} years. Use a shorter time")
    return timedelta(seconds=seconds)


def _moment(value: object) -> datetime:
    """A date or a time; without a zone it is UTC."""
    moment = as_date(value)
    if moment is None:
        raise ValueError("expected a date or a time such as 2026-11-23T12:00:00Z")
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"expected a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return moment


def _span(value: str) -> str:
    """A span that stays as it is written: what is seen is told in the same unit."""
    if not _SPAN.fullmatch(value):
        raise ValueError("expected whole seconds, minutes, hours, days or weeks, such as 5d")
    return value


def _written_moment(value: str) -> str:
    """A moment that stays as it is written: a date means any time on that day."""
    _moment(value)
    return value


def _printable(value: str) -> str:
    """Text that can do nothing to the terminal it is shown on."""
    if not value.isprintable():
        raise ValueError("expected letters, digits and signs that can be printed")
    return value


def _number_form(value: object) -> str:
    return "<details>" if isinstance(value, dict | Shape) else "<number>"


def _text_form(value: object) -> str:
    return "<details>" if isinstance(value, dict | Shape) else "<text>"


Printable = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Age = Annotated[
    timedelta,
    BeforeValidator(_age),
    WithJsonSchema({"type": "string", "pattern": f"^{_AGE.pattern}$", "examples": ["2d", "1.5h"]}),
]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "examples": ["2026-11-23", "2026-11-23T12:00:00Z"]}),
]
Span = Annotated[
    str,
    AfterValidator(_span),
    WithJsonSchema({"type": "string", "pattern": f"^{_SPAN.pattern}$", "examples": ["5d"]}),
]
WrittenMoment = Annotated[
    str, AfterValidator(_written_moment), WithJsonSchema({"type": "string", "examples": ["2026-11-23"]})
]


class EventShape(Shape):
    """One thing that happened, or the same thing several times."""

    event: EventName
    age: Annotated[Age | None, Field(description="How long ago it happened, the first time.")] = None
    at: Annotated[Moment | None, Field(description="Or when it happened.")] = None
    times: Annotated[int, Field(ge=1, le=1_000, description="How often it happened.")] = 1
    every: Annotated[Age, Field(description="How far apart.")] = timedelta(0)
    kind: Kind = "web"
    source: EventName = "test"
    email: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    account_id: str | None = None
    properties: dict[str, Any] = Field(default_factory=dict)
    context: dict[str, Any] = Field(default_factory=dict)
    traits: dict[str, Any] = Field(default_factory=dict)
    consent: Annotated[
        dict[str, bool] | None, Field(description="Purpose and whether the person agrees to it.")
    ] = None


class RangeShape(Shape):
    """Where a number may lie."""

    at_least: int | None = None
    at_most: int | None = None


class ReceiptShape(Shape):
    """What one line of the receipt says; only what is written is compared.

    events, paid:            how many met the rule, how many of them the limit let through; of a line about
                             consent how many it left out
    things:                  how many different things were paid, by a limit with for_each that has no windows
    raw, limited, decayed:   points before limit and decay, after the limit, and what is left; to a hundredth
    newest:                  ages of the newest paid events, the latest first, at most three
    """

    points: int | None = None
    kind: ContributionKind | None = None
    dimension: str | None = None
    group: str | None = None
    events: int | None = None
    paid: int | None = None
    things: int | None = None
    raw: float | None = None
    limited: float | None = None
    decayed: float | None = None
    newest: list[Span] | None = None


class TransitionShape(Shape):
    """One transition; only what is written is compared.

    event:   name of the event at hand; empty if time alone moved the lead
    reason:  what that event gave as its reason
    rule:    the move in the ledger's words
    """

    stage: StageName
    cause: Cause | None = None
    event: str | None = None
    reason: str | None = None
    rule: str | None = None
    age: Span | None = None
    at: WrittenMoment | None = None


class NearestShape(Shape):
    """One thing that would have moved the lead up; only what is written is compared.

    rule:   id of the rule, or the name of the event that moves by itself
    score:  what the score would have been
    """

    rule: EventName
    kind: Literal["engagement", "fit", "event"] | None = None
    stage: StageName | None = None
    times: int | None = None
    score: int | None = None


class NextShape(Shape):
    """What time alone will do; only what is written is compared."""

    to: StageName | None = None
    in_: Span | None = Field(default=None, alias="in")
    at: WrittenMoment | None = None


class SentencesShape(Shape):
    """The receipt in words, from the first line to the last."""

    en: list[str] | None = None
    de: list[str] | None = None


def _never(value: str) -> str:
    if value != NEVER:
        raise ValueError("expected never, or when: {in: 5d, to: lead}")
    return value


Number = Annotated[
    Annotated[int, Tag("<number>")] | Annotated[RangeShape, Tag("<details>")], Discriminator(_number_form)
]
Receipt = Annotated[
    Annotated[int, Tag("<number>")] | Annotated[ReceiptShape, Tag("<details>")], Discriminator(_number_form)
]
Step = Annotated[
    Annotated[StageName, Tag("<text>")] | Annotated[TransitionShape, Tag("<details>")],
    Discriminator(_text_form),
]
Next = Annotated[
    Annotated[str, AfterValidator(_never), Tag("<text>"), WithJsonSchema({"const": NEVER})]
    | Annotated[NextShape, Tag("<details>")],
    Discriminator(_text_form),
]


class ExpectShape(Shape):
    """What holds now. Only what is written is compared."""

    score: Number | None = None
    dimensions: dict[str, int] = Field(default_factory=dict)
    grade: Grade | None = None
    receipts: dict[str, Receipt] | None = None
    sentences: SentencesShape = SentencesShape()
    stages: Annotated[list[Step] | None, Field(description="Every transition, in order.")] = None
    causes: Annotated[list[Cause] | None, Field(description="The cause of each transition.")] = None
    nearest: Annotated[
        list[NearestShape] | None,
        Field(description="The first of what would have moved the lead up, the easiest first."),
    ] = None
    next_change: Annotated[
        Next | None, Field(description="When time alone moves the lead; never, if it does not.")
    ] = None


class SituationShape(Shape):
    """What people did, and what their score says about it."""

    name: Printable
    now: Moment | None = None
    stage: StageName = "visitor"
    in_stage_for: Age | None = None
    events: list[EventShape] = Field(default_factory=list, max_length=1_000)
    expect: ExpectShape


class SituationsShape(Shape):
    """Situations for a scoring model of leadscore. Guide: docs/guides/scoring-model.md."""

    model: Annotated[
        str | None, Field(description="A model written out here, for a file that is not beside its model.")
    ] = None
    now: Annotated[Moment | None, Field(description="The moment that is now in all of them.")] = None
    situations: Annotated[list[SituationShape], Field(min_length=1, max_length=2_000)]
