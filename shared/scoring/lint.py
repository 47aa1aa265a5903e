"""What a model says that its author can hardly have meant, in plain language.

In: a model without mistakes. Out: warnings; none of them keeps the model from being used.
Refuses to guess about patterns: two rules are told to pay one event only where that is certain.
"""

import math
from collections.abc import Iterator
from itertools import combinations

from shared.scoring.conditions import ALWAYS, Condition, Test
from shared.scoring.model import Clamp, EngagementRule, FitRule, Model
from shared.scoring.moves import SCORE, Move, Stage


def lint(model: Model) -> list[str]:
    """Every warning, one sentence each, in the order of the file's sections."""
    return [
        *_empty_groups(model),
        *_limits_below_a_hit(model),
        *_rules_without_effect(model),
        *_paid_twice(model),
        *_grades_out_of_reach(model),
        *_lines_out_of_reach(model),
        *_without_hysteresis(model),
        *_bounces(model),
    ]


def _rules(model: Model) -> tuple[EngagementRule | FitRule, ...]:
    return (*model.engagement, *model.fit)


def _empty_groups(model: Model) -> Iterator[str]:
    used = {rule.group for rule in _rules(model)}
    for group in model.groups:
        if group.id not in used:
            yield f'group "{group.id}" has no rule. Remove it, or put rules into it'


def _limits_below_a_hit(model: Model) -> Iterator[str]:
    """One event is worth more than the rule, the group or the dimension lets through."""
    groups = {group.id: group for group in model.groups}
    dimensions = {dimension.id: dimension for dimension in model.dimensions}
    for rule in _rules(model):
        group = groups[rule.group]
        dimension = dimensions[group.dimension]
        bounds = [
            (f'group "{group.id}"', group.between),
            (f'dimension "{dimension.id}"', dimension.between),
        ]
        if isinstance(rule, EngagementRule):
            bounds.insert(0, ("the rule", rule.between))
        for owner, between in bounds:
            cut = _cut(rule, between)
            if cut:
                stop = _bound(cut, between)
                yield f'rule "{rule.id}": {cut}, but {owner} stops at {stop}. Change one of them'
                break


def _cut(rule: EngagementRule | FitRule, between: Clamp) -> str:
    """Which single hit the bounds cut off, in words; empty if none."""
    low, high = _hit(rule)
    if high > 0 and high > between.highest:
        return f"one hit is worth {high:g}"
    if low < 0 and low < between.lowest and between.lowest < 0:
        return f"one hit is worth {low:g}"
    return ""


def _bound(cut: str, between: Clamp) -> str:
    return f"{between.lowest if 'worth -' in cut else between.highest:g}"


def _hit(rule: EngagementRule | FitRule) -> tuple[float, float]:
    return rule.points.range() if isinstance(rule, EngagementRule) else (rule.points, rule.points)


def _rules_without_effect(model: Model) -> Iterator[str]:
    for rule in model.engagement:
        low, high = rule.points.range()
        if high <= 0 and low < 0 <= rule.between.lowest:
            yield (
                f'rule "{rule.id}" takes points away, but its bounds begin at {rule.between.lowest:g}: '
                "it does nothing. Lower the bound"
            )


def _paid_twice(model: Model) -> Iterator[str]:
    """Two rules certainly pay the same event; rules for repetition and sequence are meant to."""
    paying = [
        rule for rule in model.engagement if rule.points.range()[1] > 0 and not rule.repeat and not rule.after
    ]
    for one, other in combinations(paying, 2):
        shared = one.event.names & other.event.names
        everything = not one.event.names or not other.event.names
        if (shared or everything) and _overlap(one.event.when, other.event.when):
            name = min(shared) if shared else "any event"
            yield (
                f'rules "{one.id}" and "{other.id}" both pay {name}. '
                "Make their conditions exclude each other, or remove one"
            )


def _overlap(one: Condition, other: Condition) -> bool:
    """Whether some event certainly meets both: one has no condition, or both ask for the same."""
    if one in {ALWAYS, other} or other == ALWAYS:
        return True
    if isinstance(one, Test) and isinstance(other, Test) and one.field == other.field:
        mine, theirs = _wanted(one), _wanted(other)
        return bool(mine & theirs)
    return False


def _wanted(test: Test) -> frozenset[object]:
    """The values a test accepts, where it lists them."""
    if test.operator == "eq":
        return frozenset({test.operand})
    if test.operator == "in" and isinstance(test.operand, frozenset):
        return frozenset(test.operand)
    return frozenset()


def _grades_out_of_reach(model: Model) -> Iterator[str]:
    most = _most(model)
    for letter, needed in zip("ABC", model.grades.letters, strict=True):
        if needed > most["fit"]:
            yield f"grade {letter} needs fit {needed}, but the most is {most['fit']:g}. Lower it"
    for number, needed in zip("123", model.grades.numbers, strict=True):
        if needed > most["engagement"]:
            most_here = most["engagement"]
            yield f"grade {number} needs engagement {needed}, but the most is {most_here:g}. Lower it"


def _lines_out_of_reach(model: Model) -> Iterator[str]:
    most = _most(model)
    told = set()
    for stage in model.stages:
        for move in stage.moves:
            for name, needed in move.line.at_least.items():
                if needed > most[name] and (move.to, name) not in told:
                    told.add((move.to, name))
                    yield (
                        f'stage "{move.to}": nobody can reach {name} {needed}, the most is {most[name]:g}. '
                        "Lower the line, or give more points"
                    )


def _most(model: Model) -> dict[str, float]:
    """The most points that each dimension and the score can have; infinite where nothing bounds them."""
    groups = {group.id: 0.0 for group in model.groups}
    for rule in model.engagement:
        groups[rule.group] += max(0.0, rule.between.of(_most_of(rule)))
    for fit in model.fit:
        groups[fit.group] += max(0.0, fit.points)
    most = {dimension.id: 0.0 for dimension in model.dimensions}
    for group in model.groups:
        most[group.dimension] += group.between.of(groups[group.id])
    most = {each.id: each.between.of(most[each.id]) for each in model.dimensions}
    weighted = sum(each.weight * most[each.id] for each in model.dimensions if each.weight)
    return {**most, SCORE: min(100.0, weighted)}


def _most_of(rule: EngagementRule) -> float:
    """The most that an engagement rule can be worth before its own bounds."""
    hit = rule.points.range()[1]
    if hit <= 0:
        return 0.0
    return hit * rule.limit.times if rule.limit and rule.limit.per.unit == "ever" else math.inf


def _without_hysteresis(model: Model) -> Iterator[str]:
    for stage in model.stages:
        entering = _scored_ways_into(model, stage)
        if not entering:
            continue
        leaving = [move for move in stage.moves if move.kind == "leave"]
        if not leaving and not any(move.kind == "limit" for move in stage.moves):
            yield (
                f'stage "{stage.name}": nothing leaves it, however far the score falls. '
                "Add leave: with a lower line"
            )
        for name, lower in {pair for move in leaving for pair in move.line.below.items()}:
            upper = min(
                (move.line.at_least[name] for move in entering if name in move.line.at_least), default=None
            )
            if upper is not None and lower >= upper:
                yield (
                    f'stage "{stage.name}": entered at {name} {upper}, left below {lower}: leads would '
                    f"come and go. Leave at a lower line, such as {max(1, upper - 10)}"
                )


def _scored_ways_into(model: Model, stage: Stage) -> list[Move]:
    return [
        move
        for source in model.stages
        for move in source.moves
        if move.to == stage.name and move.kind == "enter" and not move.event and move.line.at_least
    ]


def _bounces(model: Model) -> Iterator[str]:
    """A time limit sends a lead to a stage from which the score brings it straight back."""
    for stage in model.stages:
        for limit in (move for move in stage.moves if move.kind == "limit"):
            back = [
                move
                for move in model.moves[limit.to]
                if move.to == stage.name and move.kind == "enter" and not move.event and not move.after_s
            ]
            if back:
                yield (
                    f'stage "{stage.name}": its time limit sends leads to "{limit.to}", and the score may '
                    "bring them back at once. Add after: to that line"
                )
