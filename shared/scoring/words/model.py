"""What a model says, part by part, each property in words.

In: a model, the lists it uses. Out: (kind, name) → property → words: what two models are compared by.
Refuses to be exhaustive prose: a property at its default is left out.
"""

import math
from collections.abc import Iterator, Mapping

from shared.scoring.definition.durations import duration_words
from shared.scoring.definition.model import Model
from shared.scoring.definition.rules import (
    UNBOUNDED,
    Clamp,
    EngagementRule,
    FitRule,
    Label,
    Limit,
    Occurrence,
    Points,
)
from shared.scoring.definition.stages import Line, Move, Stage, StageName
from shared.scoring.words.accounts import accounts_words
from shared.scoring.words.conditions import ListNames, condition_words

Part = tuple[str, str]
"""(kind, name), such as ("rule", "pricing-page")"""

Properties = dict[str, str]


def model_words(model: Model, lists: Mapping[str, frozenset[str]]) -> dict[Part, Properties]:
    """Every part of the model, without its lists."""
    names = {values: name for name, values in lists.items()}
    parts: dict[Part, Properties] = {("model", ""): {"name": model.name}}
    for dimension in model.dimensions:
        sized = {"weight": f"{dimension.weight:g}", "between": _between(dimension.between)}
        parts["dimension", dimension.id] = _given({**sized, **_label(dimension.label)})
    for group in model.groups:
        placed = {"dimension": group.dimension, "between": _between(group.between)}
        parts["group", group.id] = _given({**placed, **_label(group.label)})
    for rule in model.engagement:
        parts["rule", rule.id] = _given(_engagement(rule, names))
    for fit in model.fit:
        parts["rule", fit.id] = _given(_fit(fit, names))
    parts["grade", ""] = {
        **{f"fit {letter}": str(least) for letter, least in zip("ABC", model.grades.letters, strict=True)},
        **{f"engagement {n}": str(least) for n, least in zip("123", model.grades.numbers, strict=True)},
    }
    for stage in model.stages:
        parts["stage", stage.name] = _given({**_label(stage.label), **_stage(model, stage, names)})
    for purpose in model.purposes:
        told = {"withdrawal": purpose.withdrawal, "unknown": purpose.unknown}
        parts["purpose", purpose.id] = {**told, **_label(purpose.label)}
    if model.accounts:
        parts |= {("accounts", name): _given(said) for name, said in accounts_words(model.accounts)}
    return parts


def _given(properties: Properties) -> Properties:
    return {name: words for name, words in properties.items() if words}


def _label(label: Label) -> Properties:
    return {"label (en)": label["en"], "label (de)": label["de"]}


def _engagement(rule: EngagementRule, names: ListNames) -> Properties:
    return {
        "kind": "engagement",
        "event": _names(rule.event),
        "when": condition_words(rule.event.when, names),
        "points": _points(rule.points),
        "half-life": duration_words(rule.half_life_s) if rule.half_life_s else "",
        "limit": _limit(rule.limit) if rule.limit else "",
        "repeat": f"{rule.repeat.times} times within {duration_words(rule.repeat.within_s)}"
        if rule.repeat
        else "",
        "after": f"{_occurrence(rule.after.first, names)}, within {duration_words(rule.after.within_s)}"
        if rule.after
        else "",
        "between": _between(rule.between),
        "purpose": rule.purpose.id if rule.purpose else "",
        "group": rule.group,
        **_label(rule.label),
    }


def _fit(rule: FitRule, names: ListNames) -> Properties:
    return {
        "kind": "fit",
        "when": condition_words(rule.when, names),
        "points": f"{rule.points:g}",
        "group": rule.group,
        **_label(rule.label),
    }


def _names(occurrence: Occurrence) -> str:
    return " or ".join(sorted(occurrence.names)) or "any"


def _occurrence(occurrence: Occurrence, names: ListNames) -> str:
    when = condition_words(occurrence.when, names)
    return f"{_names(occurrence)} where {when}" if when else _names(occurrence)


def _points(points: Points) -> str:
    if not points.by:
        return f"{points.constant:g}"
    if points.values:
        table = ", ".join(f"{value} {worth:g}" for value, worth in sorted(points.values.items()))
        return f"by {points.by}: {table}, otherwise {points.constant:g}"
    return f"{points.each:g} per {points.by}, {_between(points.between)}, otherwise {points.constant:g}"


def _limit(limit: Limit) -> str:
    per = limit.per
    span = f"{per.hours}h" if per.unit == "hours" else per.unit
    often = f"{limit.times} per {span}" if span != "ever" else f"{limit.times} ever"
    return f"{often} for each {limit.for_each}" if limit.for_each else often


def _between(clamp: Clamp) -> str:
    if clamp == UNBOUNDED:
        return ""
    low, high = (f"{bound:g}" if math.isfinite(bound) else "any" for bound in (clamp.lowest, clamp.highest))
    return f"{low} to {high}"


def _stage(model: Model, stage: Stage, names: ListNames) -> Properties:
    """How a stage is entered and left; several lines are numbered."""
    enters = [f"{words}, from {' or '.join(sources)}" for words, sources in _enters(model, stage.name, names)]
    leaves = [move for move in stage.moves if move.kind == "leave"]
    limit = next((move for move in stage.moves if move.kind == "limit"), None)
    dwell_s = max((move.after_s for move in leaves), default=0.0)
    return {
        **_numbered("enter", enters),
        **_numbered("leave", [f"{_line(move.line, names)}, to {move.to}" for move in leaves]),
        "dwell": duration_words(dwell_s) if dwell_s else "",
        "limit": f"{duration_words(limit.after_s)}, to {limit.to}" if limit else "",
    }


def _enters(model: Model, to: StageName, names: ListNames) -> Iterator[tuple[str, list[str]]]:
    """Each line that leads into the stage, with the stages it leads from."""
    found: dict[str, list[str]] = {}
    for stage in model.stages:
        for move in stage.moves:
            if move.to == to and move.kind == "enter":
                found.setdefault(_move(move, names), []).append(stage.name)
    yield from found.items()


def _move(move: Move, names: ListNames) -> str:
    parts = []
    if move.event:
        when = condition_words(move.event_when, names)
        parts.append(f"event {' or '.join(sorted(move.event))}" + f" where {when}" * bool(when))
    parts.append(_line(move.line, names))
    if move.after_s:
        parts.append(f"after {duration_words(move.after_s)}")
    return ", ".join(part for part in parts if part)


def _line(line: Line, names: ListNames) -> str:
    words = [f"{name} at least {points}" for name, points in line.at_least.items()]
    words += [f"{name} below {points}" for name, points in line.below.items()]
    if line.grades:
        words.append(f"grade {' or '.join(sorted(line.grades))}")
    if profile := condition_words(line.profile, names):
        words.append(f"profile: {profile}")
    return ", ".join(words)


def _numbered(name: str, lines: list[str]) -> Properties:
    if len(lines) == 1:
        return {name: lines[0]}
    return {f"{name} {number}": words for number, words in enumerate(lines, 1)}
