"""What rules, groups and lists say that their author can hardly have meant.

In: a model, the values of its lists and which of them are used. Out: doubts, each with its path.
Refuses to guess about patterns: a rule is told to be unreachable, or two to pay one event, only where an
example or a contradiction shows it.
"""

from collections.abc import Iterator, Mapping
from typing import Final, get_args

from shared.config_mistakes import Path
from shared.events import Kind
from shared.scoring.analysis.satisfiable import values_of, why_never
from shared.scoring.definition.conditions import All, Condition, Test, fields_of, fold_case
from shared.scoring.definition.model import Model
from shared.scoring.definition.rules import Clamp, EngagementRule, FitRule, Occurrence

Doubt = tuple[Path, str]
Rule = EngagementRule | FitRule

_KINDS: Final = Test(field="kind", operator="in", operand=frozenset(get_args(Kind)))


def doubts_about_rules(model: Model) -> Iterator[Doubt]:
    """Every doubt about the rules and groups of a model."""
    yield from _empty_groups(model)
    yield from _unreachable(model)
    yield from _worth_nothing(model)
    yield from _values_that_never_come(model)
    yield from _cut_off(model)
    yield from _swallowed(model)
    yield from _never_aging(model)


def doubts_about_lists(lists: Mapping[str, frozenset[str]], used: frozenset[str]) -> Iterator[Doubt]:
    """Lists that say nothing."""
    for name, values in lists.items():
        if name not in used:
            yield ("lists", name), "no condition looks into it. Use it, or remove it"
        elif not values:
            yield ("lists", name), "it has no values. Add some, or remove it and the conditions that use it"


def _rules(model: Model) -> tuple[Rule, ...]:
    return (*model.engagement, *model.fit)


def place(rule: Rule, *keys: str) -> Path:
    """Where a rule, or a part of it, stands in the file."""
    return ("fit" if isinstance(rule, FitRule) else "engagement", rule.id, *keys)


def whole_condition(occurrence: Occurrence) -> Condition:
    """Everything that an event must be, its name and what kinds there are included."""
    parts: list[Condition] = [occurrence.when]
    if occurrence.names:
        names = frozenset(map(fold_case, occurrence.names))
        parts.insert(0, Test(field="name", operator="in", operand=names))
    if "kind" in fields_of(occurrence.when):
        parts.insert(0, _KINDS)
    return All(parts=tuple(parts))


def _empty_groups(model: Model) -> Iterator[Doubt]:
    used = {rule.group for rule in _rules(model)}
    for group in model.groups:
        if group.id not in used:
            yield ("groups", group.id), "it has no rule. Remove it, or put rules into it"


def _unreachable(model: Model) -> Iterator[Doubt]:
    for rule in model.engagement:
        reason = why_never(whole_condition(rule.event))
        if reason:
            yield place(rule, "when"), f"it can never pay: {reason}. Use any: where one of them is enough"
        reason = why_never(whole_condition(rule.after.first)) if rule.after else ""
        if reason:
            yield (
                place(rule, "after", "when"),
                f"what has to come first never comes: {reason}. Use any: where one of them is enough",
            )
    for fit in model.fit:
        reason = why_never(fit.when)
        if reason:
            yield place(fit, "when"), f"it can never hold: {reason}. Use any: where one of them is enough"


def _worth_nothing(model: Model) -> Iterator[Doubt]:
    """Rules without points, and groups and dimensions whose points never arrive anywhere."""
    for rule in _rules(model):
        if _hit(rule) == (0, 0):
            yield place(rule, "points"), "it is worth 0 points, and receipts do not show it. Remove it"
    for group in model.groups:
        if group.between.lowest == group.between.highest:
            words = f"it is always worth {group.between.lowest:g}, whatever its rules say. Widen its bounds"
            yield ("groups", group.id, "between"), words
    looked_at = {"fit", "engagement"}.union(
        *(
            move.line.at_least.keys() | move.line.below.keys()
            for stage in model.stages
            for move in stage.moves
        )
    )
    for dimension in model.dimensions:
        if dimension.weight == 0 and dimension.id not in looked_at:
            words = "it weighs 0, and no stage looks at it. Give it a weight, or remove it"
            yield ("dimensions", dimension.id), words


def _values_that_never_come(model: Model) -> Iterator[Doubt]:
    """A table of points pays by a field that the rule's own condition has narrowed already."""
    for rule in model.engagement:
        possible = values_of(whole_condition(rule.event), rule.points.by) if rule.points.values else ()
        absent = sorted(rule.points.values.keys() - possible) if possible else []
        for value in absent:
            shown = ", ".join(sorted(possible))
            yield (
                place(rule, "points", "values", value),
                (
                    f'points for {rule.points.by} "{value}", but the condition lets only {shown} through. '
                    "Change one of them"
                ),
            )


def _cut_off(model: Model) -> Iterator[Doubt]:
    """One event is worth more than the rule, the group or the dimension lets through."""
    for rule in _rules(model):
        for owner, between in _bounds(model, rule):
            low, high = _hit(rule)
            if high > max(0, between.highest):
                hit, stop = high, between.highest
            elif low < between.lowest < 0:
                hit, stop = low, between.lowest
            else:
                continue
            yield (
                place(rule, "points"),
                f"one hit is worth {hit:g}, but {owner} stops at {stop:g}. Change one of them",
            )
            break


def _swallowed(model: Model) -> Iterator[Doubt]:
    """Points are taken away, but a floor gives them back."""
    for rule in _rules(model):
        if _hit(rule)[0] >= 0:
            continue
        for owner, between in _bounds(model, rule):
            if between.lowest < 0:
                continue
            taken = f"it takes {-_hit(rule)[0]:g} away, but {owner} never falls below {between.lowest:g}"
            if owner == _ITSELF:
                yield place(rule, "between"), f"{taken}: it does nothing. Lower the bound"
            else:
                yield (
                    place(rule, "points"),
                    (
                        f"{taken}: it can only take back what others give there. "
                        "Lower that bound, or move the rule to another group"
                    ),
                )
            break


_ITSELF: Final = "the rule"


def _bounds(model: Model, rule: Rule) -> Iterator[tuple[str, Clamp]]:
    """What bounds a rule, from near to far, each with its name."""
    if isinstance(rule, EngagementRule):
        yield _ITSELF, rule.between
    group = next(group for group in model.groups if group.id == rule.group)
    dimension = next(dimension for dimension in model.dimensions if dimension.id == group.dimension)
    yield f'group "{group.id}"', group.between
    yield f'dimension "{dimension.id}"', dimension.between


def _hit(rule: Rule) -> tuple[float, float]:
    """The least and the most that one event, or the person, can be worth."""
    return rule.points.range() if isinstance(rule, EngagementRule) else (rule.points, rule.points)


def _never_aging(model: Model) -> Iterator[Doubt]:
    bounded = {group.id for group in model.groups if group.between.highest < float("inf")}
    for rule in model.engagement:
        once = rule.limit is not None and rule.limit.per.unit == "ever"
        for_each = rule.limit.for_each if once and rule.limit else ""
        many = bool(for_each) and not values_of(whole_condition(rule.event), for_each)
        stops = (once and not many) or rule.between.highest < float("inf") or rule.group in bounded
        if rule.half_life_s is None and _hit(rule)[1] > 0 and not stops:
            ends = f"with each {for_each}" if many else "for ever"
            limit = "" if many else " limit: {times: 3, per: ever},"
            yield (
                place(rule),
                (
                    f"its points never age and grow {ends}. "
                    f"Add half_life: 30d,{limit} or between: with an upper bound"
                ),
            )
