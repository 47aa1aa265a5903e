"""The checked shape of a model file → the `Model` that scores.

In: the shape, and a reader for its conditions. Out: a `Model`.
Mistakes in conditions gather in the reader.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final, cast

from shared.scoring.definition.conditions import (
    ALWAYS,
    All,
    AnyOf,
    Condition,
    Not,
    Test,
    fold_case,
    on_event,
)
from shared.scoring.definition.durations import duration_words
from shared.scoring.definition.model import Model
from shared.scoring.definition.rules import (
    UNBOUNDED,
    After,
    Clamp,
    Dimension,
    EngagementRule,
    FitRule,
    Group,
    Label,
    Limit,
    Occurrence,
    Points,
    Repeat,
    Window,
    WindowUnit,
)
from shared.scoring.definition.stages import Grades, Line, Move, Stage, StageName
from shared.scoring.file.accounts import build_accounts
from shared.scoring.file.conditions import ConditionReader
from shared.scoring.file.purposes import build_purposes, purpose_of
from shared.scoring.file.shape import (
    EngagementShape,
    EnterShape,
    LabelShape,
    LimitShape,
    LineShape,
    ModelShape,
    OccurrenceShape,
    PointsShape,
    RateShape,
    StageShape,
    TableShape,
)
from shared.scoring.file.values import Bounds

ANY_EVENT: Final = "*"
_SALES_FACTS: Final = ("lead.", "deal.")

Path = tuple[str | int, ...]


def build(shape: ModelShape, reader: ConditionReader) -> Model:
    """The model that this file describes."""
    purposes = build_purposes(shape)
    return Model(
        name=shape.name,
        dimensions=tuple(
            Dimension(id=name, label=_label(each.label), weight=each.weight, between=_clamp(each.between))
            for name, each in shape.dimensions.items()
        ),
        groups=tuple(
            Group(id=name, label=_label(each.label), dimension=each.dimension, between=_clamp(each.between))
            for name, each in shape.groups.items()
        ),
        engagement=tuple(
            replace(_engagement(name, rule, reader), purpose=purpose_of(rule.purpose, shape, purposes))
            for name, rule in shape.engagement.items()
        ),
        fit=tuple(
            FitRule(
                id=name,
                label=_label(rule.label),
                group=rule.group,
                when=reader.read(rule.when, ("fit", name, "when"), "profile"),
                points=rule.points,
            )
            for name, rule in shape.fit.items()
        ),
        grades=_grades(shape),
        stages=tuple(_stages(shape, reader)),
        accounts=build_accounts(shape.accounts, reader) if shape.accounts else None,
        purposes=tuple(purposes.values()),
    )


def _engagement(name: str, rule: EngagementShape, reader: ConditionReader) -> EngagementRule:
    path: Path = ("engagement", name)
    return EngagementRule(
        id=name,
        label=_label(rule.label),
        group=rule.group,
        event=_occurrence(rule, path, reader),
        points=_points(rule.points),
        half_life_s=rule.half_life,
        limit=_limit(rule.limit) if rule.limit else None,
        repeat=Repeat(times=rule.repeat.times, within_s=rule.repeat.within) if rule.repeat else None,
        after=After(first=_occurrence(rule.after, (*path, "after"), reader), within_s=rule.after.within)
        if rule.after
        else None,
        between=_clamp(rule.between),
    )


def _occurrence(shape: OccurrenceShape, path: Path, reader: ConditionReader) -> Occurrence:
    names = frozenset(shape.event)
    return Occurrence(
        names=frozenset() if ANY_EVENT in names else names,
        when=_event_condition(shape, path, reader),
    )


def _event_condition(shape: OccurrenceShape | EnterShape, path: Path, reader: ConditionReader) -> Condition:
    """What an event must be beside its name."""
    parts: list[Condition] = []
    if shape.kind:
        parts.append(Test(field="kind", operator="eq", operand=shape.kind))
    if shape.when:
        parts.append(reader.read(shape.when, (*path, "when"), "event"))
    return parts[0] if len(parts) == 1 else All(parts=tuple(parts))


def _points(shape: PointsShape) -> Points:
    match shape:
        case TableShape():
            values = {fold_case(value): points for value, points in shape.values.items()}
            return Points(constant=shape.otherwise, by=shape.by, values=values)
        case RateShape():
            return Points(
                constant=shape.otherwise, by=shape.by, each=shape.each, between=_clamp(shape.between)
            )
    return Points(constant=float(shape))


def _limit(shape: LimitShape) -> Limit:
    return Limit(times=shape.times, per=_window(shape.per), for_each=shape.for_each or "")


def _window(per: str) -> Window:
    if per in {"hour", "day", "week", "month", "ever"}:
        return Window(unit=cast(WindowUnit, "hours" if per == "hour" else per))
    return Window(unit="hours", hours=int(per[:-1]))


def _label(shape: LabelShape) -> Label:
    return {"en": shape.en, "de": shape.de}


def _clamp(between: Bounds | None) -> Clamp:
    return Clamp(lowest=between[0], highest=between[1]) if between else UNBOUNDED


def _grades(shape: ModelShape) -> Grades:
    fit, engagement = shape.grade.fit, shape.grade.engagement
    return Grades(
        letters=(fit.A, fit.B, fit.C), numbers=(engagement.first, engagement.second, engagement.third)
    )


def _stages(shape: ModelShape, reader: ConditionReader) -> Iterator[Stage]:
    """Every stage with its ways out: into other stages in the order of the file, down, out of time."""
    names: list[StageName] = list(dict.fromkeys(("lead", *shape.stages)))
    leaves = {name: _leaves(name, stage, reader) for name, stage in shape.stages.items()}
    enters: dict[StageName, list[Move]] = {name: [] for name in names}
    for name, stage in shape.stages.items():
        unless = tuple(move.line for move in leaves[name])
        for position, line in enumerate(stage.enter):
            move = _enter(name, line, ("stages", name, "enter", position), (reader, unless))
            for source in line.from_ or names[: names.index(name)]:
                enters.setdefault(source, []).append(move)
    for name in names:
        given = shape.stages.get(name)
        yield Stage(
            name=name,
            label=_label(given.label) if given else {"en": "Lead", "de": "Lead"},
            moves=(*enters[name], *leaves.get(name, ()), *_time_limit(name, given)),
        )


def _enter(
    stage: StageName, line: EnterShape, path: Path, context: tuple[ConditionReader, tuple[Line, ...]]
) -> Move:
    reader, unless = context
    condition = _event_condition(line, path, reader)
    events = line.event or []
    sales = [name for name in events if name.startswith(_SALES_FACTS)]
    if sales and not line.kind:
        # A public web key can send any name; only a CRM source may say what sales did.
        by_sales: Condition = Test(field="kind", operator="eq", operand="crm")
        if len(sales) < len(events):
            named = Test(field="name", operator="in", operand=frozenset(map(fold_case, sales)))
            by_sales = AnyOf(parts=(Not(part=named), by_sales))
        condition = All(parts=(by_sales, condition))
    return Move(
        to=stage,
        kind="enter",
        line=_line(line, path, reader),
        text=f"{stage}: {_words(line)}",
        wait=timedelta(seconds=line.after or 0.0),
        event=frozenset(line.event or ()),
        event_is=on_event(condition),
        event_when=condition,
        unless=() if line.event else unless,
        place=path,
    )


def _leaves(name: str, stage: StageShape, reader: ConditionReader) -> tuple[Move, ...]:
    return tuple(
        Move(
            to=line.to,
            kind="leave",
            line=_line(line, ("stages", name, "leave", position), reader),
            text=f"{line.to}: left {name}, {_words(line)}",
            wait=timedelta(seconds=stage.dwell or 0.0),
            place=("stages", name, "leave", position),
        )
        for position, line in enumerate(stage.leave)
    )


def _time_limit(name: str, stage: StageShape | None) -> Iterator[Move]:
    if stage and stage.limit:
        text = f"{stage.limit.to}: {duration_words(stage.limit.after)} in {name} are over"
        yield Move(
            to=stage.limit.to,
            kind="limit",
            line=Line(),
            text=text,
            wait=timedelta(seconds=stage.limit.after),
            place=("stages", name, "limit"),
        )


def _line(shape: LineShape, path: Path, reader: ConditionReader) -> Line:
    return Line(
        at_least=shape.at_least or {},
        below=shape.below or {},
        grades=frozenset(shape.grade or ()),
        profile=reader.read(shape.profile, (*path, "profile"), "profile") if shape.profile else ALWAYS,
    )


def _words(line: LineShape) -> str:
    """A line as the ledger repeats it."""
    words = [f"{name} at least {points}" for name, points in (line.at_least or {}).items()]
    words += [f"{name} below {points}" for name, points in (line.below or {}).items()]
    if line.grade:
        words.append(f"grade {' or '.join(line.grade)}")
    if line.profile:
        words.append("profile fits")
    if isinstance(line, EnterShape) and line.event:
        words.insert(0, f"event {' or '.join(line.event)}")
    if isinstance(line, EnterShape) and line.after:
        words.append(f"after {duration_words(line.after)}")
    return ", ".join(words)
