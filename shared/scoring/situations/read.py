"""A situations file → `Situations`, or every mistake in it with its line.

In: the text of the file, and the model that it is about unless the file writes out its own.
Out: `Situations`: the model and what people did.
Refuses (`Misconfigured`) whatever is not understood: syntax, types, unknown keys, rules and dimensions
that the model does not have, events that happen after now, situations that expect nothing.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from shared import config_file
from shared.config_file import Document
from shared.config_mistakes import Path, at, listing
from shared.events import Event
from shared.ids import EventId
from shared.scoring.definition.rules import UNBOUNDED
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.transitions import StageState
from shared.scoring.file.read import load_model
from shared.scoring.situations.check import Situation
from shared.scoring.situations.expectations import Expected
from shared.scoring.situations.shape import (
    NEVER,
    EventShape,
    ExpectShape,
    RangeShape,
    SituationShape,
    SituationsShape,
)

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""Now, where a file does not say: a Monday, at noon UTC."""

_NOUNS: Final = {"situations": "situation", "events": "event"}
_AGE_OR_AT: Final = "write either age: (how long ago) or at: (when)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situations:
    """A file of situations.

    model:  the one that the file writes out, or the one that it was read for
    """

    model: Compiled
    situations: tuple[Situation, ...]


def load_situations(text: str, *, file: str, model: Compiled | None = None) -> Situations:
    """The situations in this text.

        file:   its name, for messages
        model:  what they are about, unless the file has a model of its own

    Raises Misconfigured with every mistake, in the order of the file.
    """
    document = config_file.parse(text, file=file)
    shape = config_file.validate(document, SituationsShape, _NOUNS)
    about = _own_model(document, shape) or model
    if about is None:
        raise config_file.refusal(file, [f"{file}:1: no model. Write it out under model:, or name its file"])
    mistakes = list(_mistakes(shape, about))
    if mistakes:
        told = [document.problem(path, at(document.data, path, words, _NOUNS)) for path, words in mistakes]
        raise config_file.refusal(file, told)
    situations = [
        _situation(each, document.line(("situations", position)), each.now or shape.now or NOW)
        for position, each in enumerate(shape.situations)
    ]
    return Situations(model=about, situations=tuple(situations))


def _own_model(document: Document, shape: SituationsShape) -> Compiled | None:
    """The model that the file writes out, its mistakes told with their lines in this file."""
    if shape.model is None:
        return None
    above = "\n" * document.line(("model",))
    return load_model(above + shape.model, file=document.file)


def _mistakes(shape: SituationsShape, model: Compiled) -> Iterator[tuple[Path, str]]:
    for position, each in enumerate(shape.situations):
        path: Path = ("situations", position)
        now = each.now or shape.now or NOW
        for number, event in enumerate(each.events):
            yield from _event_mistakes(event, (*path, "events", number), now)
        yield from _expect_mistakes(each.expect, (*path, "expect"), model)


def _event_mistakes(event: EventShape, path: Path, now: datetime) -> Iterator[tuple[Path, str]]:
    if (event.age is None) is (event.at is None):
        yield path, _AGE_OR_AT
        return
    first = _first(event, now)
    if (event.times - 1) * event.every > now - first:
        ends = "the last of them " if event.times > 1 else ""
        yield path, f"{ends}happens after now, {now.isoformat()}. Make it older, or now later"


def _expect_mistakes(expect: ExpectShape, path: Path, model: Compiled) -> Iterator[tuple[Path, str]]:
    if not expect.model_fields_set:
        yield path, "nothing is expected. Write at least one of score, receipts, stages"
    dimensions = {dimension.id for dimension in model.dimensions}
    for name in expect.dimensions:
        if name not in dimensions:
            yield (*path, "dimensions", name), f"unknown dimension. Dimensions: {listing(name, dimensions)}"
    lines = _receipt_lines(model)
    for name in expect.receipts or {}:
        if name not in lines:
            yield (*path, "receipts", name), f"unknown rule. Rules: {listing(name, lines)}"
    rules = _rules(model) | _moving_events(model)
    for position, each in enumerate(expect.nearest or ()):
        if each.rule not in rules:
            yield (*path, "nearest", position, "rule"), f"unknown rule. Rules: {listing(each.rule, rules)}"


def _receipt_lines(model: Compiled) -> frozenset[str]:
    """Every name that a line of a receipt can have."""
    groups = {f"group limit {each.id}" for each in model.groups if each.between is not UNBOUNDED}
    sides = {f"dimension limit {each.id}" for each in model.dimensions if each.between is not UNBOUNDED}
    purposes = {f"consent {each}" for each in model.purposes}
    return _rules(model) | groups | sides | purposes | {"score limit", "objection", "objection withdrawn"}


def _rules(model: Compiled) -> frozenset[str]:
    return frozenset(rule.id for rule in model.engagement) | frozenset(rule.id for rule in model.fit)


def _moving_events(model: Compiled) -> frozenset[str]:
    """The names of events that move leads by themselves."""
    return frozenset[str]().union(*(move.event for stage in model.stages for move in stage.moves))


def _situation(shape: SituationShape, line: int, now: datetime) -> Situation:
    events = _events(shape.events, now)
    return Situation(
        name=shape.name,
        line=line,
        now=now,
        begin=_begin(shape, events, now),
        events=events,
        expected=_expected(shape.expect),
    )


def _begin(shape: SituationShape, events: tuple[Event, ...], now: datetime) -> StageState:
    """Where the lead stood before; since its first event, if the file does not say since when."""
    if shape.in_stage_for is not None:
        return StageState(stage=shape.stage, since=now - shape.in_stage_for)
    return StageState(stage=shape.stage, since=events[0].occurred_at if events else now)


def _events(shapes: list[EventShape], now: datetime) -> tuple[Event, ...]:
    """Every event, the oldest first; of those at one moment, the one written first."""
    happened = [
        (_first(shape, now) + turn * shape.every, shape) for shape in shapes for turn in range(shape.times)
    ]
    happened.sort(key=_when)
    return tuple(_event(number, *each) for number, each in enumerate(happened, start=1))


def _first(shape: EventShape, now: datetime) -> datetime:
    return shape.at or (now - shape.age if shape.age is not None else now)


def _when(happened: tuple[datetime, EventShape]) -> datetime:
    return happened[0]


def _event(number: int, moment: datetime, shape: EventShape) -> Event:
    return Event(
        event_id=EventId(UUID(int=number)),
        source=shape.source,
        kind=shape.kind,
        name=shape.event,
        occurred_at=moment,
        received_at=moment,
        user_id=shape.user_id,
        anonymous_id=shape.anonymous_id,
        email=shape.email,
        account_id=shape.account_id,
        traits=shape.traits,
        properties=shape.properties,
        context=shape.context,
        consent=shape.consent,
    )


def _expected(shape: ExpectShape) -> Expected:
    """What is expected, as it was written: what was left out is not asked."""
    said = shape.model_dump(exclude_unset=True, by_alias=True)
    return Expected(
        score=_score(shape.score),
        dimensions=shape.dimensions,
        grade=shape.grade,
        receipts=_each_detailed(said.get("receipts")),
        sentences=said.get("sentences", {}),
        stages=None if shape.stages is None else [_details(each, "stage") for each in said["stages"]],
        causes=shape.causes,
        nearest=said.get("nearest"),
        next_change={} if shape.next_change == NEVER else said.get("next_change"),
    )


def _score(shape: int | RangeShape | None) -> tuple[float, float] | None:
    if isinstance(shape, RangeShape):
        least, most = shape.at_least, shape.at_most
        return -math.inf if least is None else least, math.inf if most is None else most
    return None if shape is None else (shape, shape)


def _each_detailed(receipts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if receipts is None else {name: _details(each, "points") for name, each in receipts.items()}


def _details(written: Any, key: str) -> dict[str, Any]:
    """An entry in its long form: the short one is the value of `key`."""
    return written if isinstance(written, dict) else {key: written}
