"""Two models that give most leads the same numbers: whoever never met a rule in which they differ.

In: two models, and the chart of the accounts they keep. Out: a `Twin`: the second model's stages on the first
one's rules, and the accounts of leads for whom that is not the second model.
Refuses (None) models of which more is different than engagement rules and stages.

A draft mostly changes a few rules or a line. For a lead without those rules, every state and every bound of
the score that was found for the one model is true for the other.
"""

from dataclasses import dataclass, replace
from typing import Final

from shared.scoring.course import Chart
from shared.scoring.model import Model

_SAME: Final = ("dimensions", "groups", "fit", "grades", "attributes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A model's stages on the rules of another model.

    apart:  accounts, of which a lead must have none, or the numbers may differ
    """

    model: Model
    apart: frozenset[str]


def twin_of(chart: Chart, one: Model, other: Model) -> Twin | None:
    """The other model's stages on the rules of `one`, if all else is the same."""
    if any(getattr(one, part) != getattr(other, part) for part in _SAME):
        return None
    both = [rule for rule in one.engagement if rule in other.engagement]
    if both != [rule for rule in other.engagement if rule in one.engagement]:
        return None  # sums of floats in another order differ in their last bits
    apart = frozenset(
        account
        for model in (one, other)
        for rule, (_, account) in zip(model.engagement, chart.accounts(model), strict=True)
        if rule not in both
    )
    return Twin(model=replace(one, stages=other.stages).beside(one), apart=apart)
