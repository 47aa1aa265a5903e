"""How far points can go: the most and the least of each dimension and of the whole score.

In: a model. Out: points per name, infinite where nothing bounds them.
Refuses to look at conditions: every rule is taken to hold, or not, whatever suits the bound.
"""

import math
from collections.abc import Callable, Mapping

from shared.scoring.definition.model import Model
from shared.scoring.definition.rules import Clamp, EngagementRule
from shared.scoring.definition.stages import SCORE
from shared.scoring.engine.points import HIGHEST, LOWEST, whole

Reach = Mapping[str, float]


def most(model: Model) -> dict[str, float]:
    """The most points that each dimension and the score can have."""
    highs = [max(0.0, rule.between.of(_most_of(rule))) for rule in model.engagement]
    return _summed(model, highs, [max(0.0, rule.points) for rule in model.fit])


def least(model: Model) -> dict[str, float]:
    """The least points that each dimension and the score can have."""
    lows = [min(0.0, rule.between.of(_least_of(rule))) for rule in model.engagement]
    return _summed(model, lows, [min(0.0, rule.points) for rule in model.fit])


def resting(model: Model) -> tuple[Reach, Reach]:
    """The least and the most that can stay for ever if nothing more happens: points that do not age."""
    lows = [min(0.0, rule.between.of(_resting(rule, _least_of))) for rule in model.engagement]
    highs = [max(0.0, rule.between.of(_resting(rule, _most_of))) for rule in model.engagement]
    return (
        _summed(model, lows, [min(0.0, rule.points) for rule in model.fit]),
        _summed(model, highs, [max(0.0, rule.points) for rule in model.fit]),
    )


def _summed(model: Model, engagement: list[float], fit: list[float]) -> dict[str, float]:
    """Points of rules, summed and bounded on the way up; rules in groups that do not exist are left out."""
    groups = {group.id: 0.0 for group in model.groups}
    homes = [*(rule.group for rule in model.engagement), *(rule.group for rule in model.fit)]
    for home, points in zip(homes, (*engagement, *fit), strict=True):
        if home in groups:
            groups[home] += points
    dimensions = {dimension.id: 0.0 for dimension in model.dimensions}
    for group in model.groups:
        dimensions[group.dimension] += group.between.of(groups[group.id])
    # Lines look at what is shown, in whole points.
    within = {each.id: _shown(each.between.of(dimensions[each.id])) for each in model.dimensions}
    weighted = _shown(sum(each.weight * within[each.id] for each in model.dimensions if each.weight))
    return {**within, SCORE: Clamp(lowest=LOWEST, highest=HIGHEST).of(weighted)}


def _shown(points: float) -> float:
    return whole(points) if math.isfinite(points) else points


def _most_of(rule: EngagementRule) -> float:
    """The most that an engagement rule can be worth before its own bounds."""
    hit = rule.points.range()[1]
    return hit * _times(rule) if hit > 0 else 0.0


def _least_of(rule: EngagementRule) -> float:
    hit = rule.points.range()[0]
    return hit * _times(rule) if hit < 0 else 0.0


def _resting(rule: EngagementRule, worth: Callable[[EngagementRule], float]) -> float:
    return 0.0 if rule.half_life_s else worth(rule)


def _times(rule: EngagementRule) -> float:
    """How often a rule can pay, at most."""
    return rule.limit.most if rule.limit and rule.limit.per.unit == "ever" else math.inf
