"""Two models that give most leads the same numbers: whoever never met a rule in which they differ.

In: two models, and the chart of the rule states they keep. Out: `SharedNumbers`: the second model's stages on
the first one's rules, and the rule states of leads for whom that is not the second model.
Refuses (None) models of which more is different than engagement rules and stages.

A draft mostly changes a few rules or a line. For a lead without those rules, every state and every bound of
the score that was found for the one model is true for the other.
"""

from dataclasses import dataclass
from typing import Final

from shared.scoring.definition.digest import digest
from shared.scoring.engine.compiled import Compiled
from shared.scoring.replay.timeline import Chart

_SAME: Final = ("dimensions", "groups", "fit", "grades", "attributes")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedNumbers:
    """A model's stages on the rules of another model.

    apart:  rule_states, of which a lead must have none, or the numbers may differ
    """

    model: Compiled
    apart: frozenset[str]


def shared_numbers(chart: Chart, one: Compiled, other: Compiled) -> SharedNumbers | None:
    """The other model's stages on the rules of `one`, if all else is the same."""
    # By their digests: `true` and `1` are equal in Python, and not in a rule.
    if any(digest(getattr(one, part)) != digest(getattr(other, part)) for part in _SAME):
        return None
    ours, theirs = ([digest(rule) for rule in model.engagement] for model in (one, other))
    both = [rule for rule in ours if rule in theirs]
    if both != [rule for rule in theirs if rule in ours]:
        return None  # sums of floats in another order differ in their last bits
    apart = frozenset(
        rule_state
        for model, rules in ((one, ours), (other, theirs))
        for rule, (_, rule_state) in zip(rules, chart.rule_states(model), strict=True)
        if rule not in both
    )
    return SharedNumbers(model=one.changed(stages=other.stages).beside(one), apart=apart)
