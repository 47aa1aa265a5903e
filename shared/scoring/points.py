"""Points of rules → groups → dimensions → the shown numbers.

In: a model, and what each rule is worth. Out: `Sums`, exact, and `Shown`, in whole points.
Refuses nothing. One function does the sums for every caller, always in the model's order, so that the
live score, its receipts and the forecast of the next crossing agree to the last bit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.scoring.model import EngagementRule, Model
from shared.scoring.moves import SCORE, Shown
from shared.scoring.state import LeadState, RuleState

LOWEST: Final = 0
HIGHEST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Exact points on the way up: `asked` before a clamp, `granted` after it."""

    groups_asked: Mapping[str, float]
    groups_granted: Mapping[str, float]
    dimensions_asked: Mapping[str, float]
    dimensions_granted: Mapping[str, float]


def decayed(rule: EngagementRule, account: RuleState, at_s: float) -> float:
    """What is left of a rule's paid points at a moment not before its latest event, unclamped."""
    if rule.half_life_s is None:
        return account.value
    return account.value * math.exp2((account.at_s - at_s) / rule.half_life_s)


def engagement_values(model: Model, state: LeadState, at_s: float) -> dict[str, float]:
    """Points of each engagement rule that was ever met, decayed and within the rule's `between`."""
    accounts = state.rules
    return {
        rule.id: rule.between.of(decayed(rule, accounts[rule.id], at_s))
        for rule in model.engagement
        if rule.id in accounts
    }


def fit_values(model: Model, profile: Mapping[str, Any]) -> dict[str, float]:
    """Points of each fit rule that holds."""
    return {rule.id: rule.points for rule in model.fit if rule.holds(profile)}


def sums_of(model: Model, values: Mapping[str, float]) -> Sums:
    """Groups and dimensions from the points of rules."""
    groups = dict.fromkeys(model.dimension_of, 0.0)
    for rule, group in model.group_of.items():
        if rule in values:
            groups[group] += values[rule]
    granted = {group.id: group.between.of(groups[group.id]) for group in model.groups}
    dimensions = {dimension.id: 0.0 for dimension in model.dimensions}
    for name, dimension in model.dimension_of.items():
        dimensions[dimension] += granted[name]
    return Sums(
        groups_asked=groups,
        groups_granted=granted,
        dimensions_asked=dimensions,
        dimensions_granted={each.id: each.between.of(dimensions[each.id]) for each in model.dimensions},
    )


def shown_of(model: Model, sums: Sums) -> dict[str, int]:
    """What is shown for these sums: each dimension, and "score"."""
    shown = {name: whole(exact) for name, exact in sums.dimensions_granted.items()}
    shown[SCORE] = max(LOWEST, min(HIGHEST, whole(weighted(model, shown))))
    return shown


def weighted(model: Model, shown: Shown) -> float:
    """The score before rounding and its own bounds, from the shown dimensions."""
    return sum(dimension.weight * shown[dimension.id] for dimension in model.dimensions)


def whole(points: float) -> int:
    """Rounded half up. To a millionth first: sums of floats in another order must not tip over a half."""
    return math.floor(round(points, 6) + 0.5)
