"""Purposes that decide nothing, or nearly nothing.

In: a model. Out: doubts, each with its path.
Refuses to guess what people are asked: only what the model itself says is told.
"""

from collections.abc import Iterator

from shared.scoring.definition.model import Model
from shared.scoring.definition.purposes import Purpose
from shared.scoring.definition.rules import EngagementRule
from shared.scoring.lint.rules import Doubt, place


def doubts_about_purposes(model: Model) -> Iterator[Doubt]:
    """Every doubt about purposes and the rules that need them."""
    for purpose in model.purposes:
        rules = [rule for rule in model.engagement if rule.purpose and rule.purpose.id == purpose.id]
        if not rules:
            yield ("consent", "purposes", purpose.id), "no rule needs it. Name it in a rule, or remove it"
        for rule in rules:
            if words := _forgiven(rule, purpose):
                yield place(rule, "purpose"), words


def _forgiven(rule: EngagementRule, purpose: Purpose) -> str:
    """Whoever withdraws would gain by it: what counts against them is not counted any more."""
    if rule.points.range()[1] > 0 or rule.points.range()[0] >= 0:
        return ""
    return (
        f"it only takes points, and whoever does not agree to {purpose.id} is spared them. "
        "Write purpose: none"
    )
