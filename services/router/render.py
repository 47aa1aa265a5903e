"""A transition as the body that destinations receive (pure).

In: a transition and the language of its reader. Out: JSON bytes, as the schemas in deploy/schemas describe
them (lead.stage_changed, lead.unmerged, lead.corrected, lead.objected); one transition, the same bytes.
Refuses (`Invalid`) a body above 256 kB. Above 20 kB, which Standard Webhooks advises as the limit, it first
leaves out traits and then all but the largest reasons, and says so in `shortened`.
"""

from datetime import UTC
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from shared.errors import Invalid
from shared.leads.transition_row import ABOUT_OBJECTION, Moment, Person, Receipt, TransitionRow

ADVISED_BYTES: Final = 20_000
MAX_BYTES: Final = 256_000
_REASONS_WHEN_SHORTENED: Final = 20

STAGE_CHANGED: Final = "lead.stage_changed"

Language = Literal["en", "de"]


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for the score."""

    rule: Annotated[str, Meta(description="Id of the rule in scoring.yaml.")]
    dimension: Annotated[str, Meta(description="What it is about, such as fit or engagement.")]
    group: Annotated[str, Meta(description="The rule's group, empty if it has none.")]
    points: Annotated[int, Meta(description="Contribution after limits and decay.")]
    sentence: Annotated[str, Meta(description="The reason for a person, in the destination's language.")]
    count: Annotated[int, Meta(description="How many events counted.", ge=0)]
    last_at: Annotated[Moment | None, Meta(description="When the newest of these events happened.")]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the lead at the moment of its transition."""

    lead: Annotated[str, Meta(description="Id of the lead; stable, pseudonymous.")]
    sequence: Annotated[
        int,
        Meta(description="Counts the lead's transitions from 1. Ignore one lower than you have seen.", ge=1),
    ]
    stage: Annotated[str, Meta(description="The stage entered.")]
    previous_stage: Annotated[str, Meta(description="The stage left.")]
    cause: Annotated[str, Meta(description="What made the lead change its stage.")]
    score: Annotated[int, Meta(description="0 to 100; the points of the reasons add up to it.")]
    grade: Annotated[
        str, Meta(description="Fit as a letter (A is best), engagement as a number (1 is best).")
    ]
    fit: Annotated[int, Meta(description="Points for who the person is.")]
    engagement: Annotated[int, Meta(description="Points for what the person did.")]
    dimensions: Annotated[
        dict[str, int], Meta(description="Points of every dimension, fit and engagement too.")
    ]
    reasons: Annotated[list[Reason], Meta(description="Largest contribution first.")]
    person: Annotated[Person, Meta(description="Who the lead is, as far as it is known.")]
    attribution: Annotated[
        dict[str, dict[str, Any]],
        Meta(description="`first` and `last` touch: source, medium, campaign, referrer, click_ids."),
    ]
    consent: Annotated[
        dict[str, bool] | None, Meta(description="Purpose and whether it is granted; null if nobody asked.")
    ]
    model_version: Annotated[int, Meta(description="Version of the scoring model.")]
    shortened: Annotated[
        list[Literal["traits", "reasons"]],
        Meta(description="What was left out to keep the body under 20 kB; usually empty."),
    ]


class SeparatedData(Data, frozen=True, kw_only=True):
    """The same of a lead out of which another person was taken, or that was taken out of one."""

    other_leads: Annotated[list[str], Meta(description="Ids of the leads that it was one with until now.")]


class CorrectedData(Data, frozen=True, kw_only=True):
    """The same of a lead that stood higher because of events that no person made."""

    corrected: Annotated[
        list[str], Meta(description="Why events that were counted do not count, such as many_links.")
    ]


class ObjectionData(Data, frozen=True, kw_only=True):
    """The same of a lead whose person objected to being scored, or took that back."""

    objected: Annotated[bool, Meta(description="Whether the person objects now. If so, stop using the lead.")]


class StageChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A lead entered another stage."""

    type: Literal["lead.stage_changed"]
    timestamp: Annotated[Moment, Meta(description="When the lead entered the stage.")]
    data: Data


class Unmerged(msgspec.Struct, frozen=True, kw_only=True):
    """A lead that you had turned out to be several people; this one is what is left under its id."""

    type: Literal["lead.unmerged"]
    timestamp: Annotated[Moment, Meta(description="When they were separated.")]
    data: SeparatedData


class Corrected(msgspec.Struct, frozen=True, kw_only=True):
    """A lead that you had should not have been there: events of it were taken back."""

    type: Literal["lead.corrected"]
    timestamp: Annotated[Moment, Meta(description="When they were taken back.")]
    data: CorrectedData


class Objected(msgspec.Struct, frozen=True, kw_only=True):
    """The person behind a lead that you had objected to being scored, or took that back."""

    type: Literal["lead.objected"]
    timestamp: Annotated[Moment, Meta(description="When it was taken in.")]
    data: ObjectionData


Message = StageChanged | Unmerged | Corrected | Objected


class _Typed(msgspec.Struct):
    """What every body begins with."""

    type: str


_typed_decoder: Final = msgspec.json.Decoder(_Typed)


def render(transition: TransitionRow, language: Language) -> bytes:
    """The body of this transition's deliveries.

    Raises Invalid (`too_large`) if even the shortened body is above 256 kB.
    """
    whole = message(transition, language)
    for shorter in (whole, _without_traits(whole), _with_largest_reasons(_without_traits(whole))):
        body = msgspec.json.encode(shorter)
        if len(body) <= ADVISED_BYTES:
            return body
    if len(body) > MAX_BYTES:
        raise Invalid("too_large", f"the body has {len(body)} bytes. At most {MAX_BYTES} are sent")
    return body


def type_of(body: bytes) -> str:
    """The type of a rendered body, for who puts it into a header too; a stage's change if it says none."""
    try:
        return _typed_decoder.decode(body).type
    except msgspec.MsgspecError:
        return STAGE_CHANGED


def message(transition: TransitionRow, language: Language) -> Message:
    """The body as values, nothing left out."""
    at, data = transition.at.astimezone(UTC), _data(transition, language)
    whole = {name: getattr(data, name) for name in data.__struct_fields__}
    if transition.corrected:
        said = CorrectedData(**whole, corrected=transition.corrected)
        return Corrected(type="lead.corrected", timestamp=at, data=said)
    if transition.cause in ABOUT_OBJECTION:
        objects = ObjectionData(**whole, objected=transition.cause == "objected")
        return Objected(type="lead.objected", timestamp=at, data=objects)
    if not transition.other_leads:
        return StageChanged(type="lead.stage_changed", timestamp=at, data=data)
    others = [str(lead) for lead in transition.other_leads]
    return Unmerged(type="lead.unmerged", timestamp=at, data=SeparatedData(**whole, other_leads=others))


def _data(transition: TransitionRow, language: Language) -> Data:
    return Data(
        lead=str(transition.lead_id),
        sequence=transition.sequence,
        stage=transition.stage,
        previous_stage=transition.previous_stage,
        cause=transition.cause,
        score=transition.score,
        grade=transition.grade,
        fit=transition.dimensions.get("fit", 0),
        engagement=transition.dimensions.get("engagement", 0),
        dimensions=transition.dimensions,
        reasons=_reasons(transition.receipts, language),
        person=transition.person,
        attribution=transition.attribution,
        consent=transition.consent,
        model_version=transition.model_version,
        shortened=[],
    )


def _reasons(receipts: list[Receipt], language: Language) -> list[Reason]:
    """The largest first, whatever its sign; the rule's id breaks ties so that bytes are stable."""
    return [
        Reason(
            rule=receipt.rule,
            dimension=receipt.dimension,
            group=receipt.group,
            points=receipt.points,
            sentence=receipt.sentence_de if language == "de" else receipt.sentence_en,
            count=receipt.count,
            last_at=receipt.last_at and receipt.last_at.astimezone(UTC),
        )
        for receipt in sorted(receipts, key=lambda one: (-abs(one.points), one.rule))
    ]


def _without_traits(whole: Message) -> Message:
    person = msgspec.structs.replace(whole.data.person, traits={})
    return _shortened(whole, "traits", person=person)


def _with_largest_reasons(whole: Message) -> Message:
    return _shortened(whole, "reasons", reasons=whole.data.reasons[:_REASONS_WHEN_SHORTENED])


def _shortened(whole: Message, what: Literal["traits", "reasons"], **change: Any) -> Message:
    data = msgspec.structs.replace(whole.data, shortened=[*whole.data.shortened, what], **change)
    return msgspec.structs.replace(whole, data=data)
