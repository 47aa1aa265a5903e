"""Adds up the points of rules into groups, dimensions and the score that is shown.

In: a model, and what is kept of a lead. Out: `Terms` (who pays, into which group), `Sums`, exact, and
`Shown`, in whole points.
One function does the sums for every caller, always in the model's order, so that the
live score, its receipts and the forecast of the next change agree to the last bit.

It runs for every event of every lead: `zip` goes without `strict` here, which costs more than a round of the
loop (B905). What is zipped was made together, a few lines above or in the model.
"""

from collections.abc import Mapping, Sequence
from math import exp2, floor
from typing import Final

import msgspec

from shared.scoring.definition.rules import EngagementRule
from shared.scoring.definition.stages import SCORE, Shown
from shared.scoring.engine.compiled import Bounds, Compiled
from shared.scoring.engine.matching import Fits, RuleTerm
from shared.scoring.engine.state import LeadState, RuleState

LOWEST: Final = 0
HIGHEST: Final = 100

# Floats added up in another order differ in their last bits, which must not tip a half over.
_HALF: Final = 0.5 + 0.5e-6


class Terms(msgspec.Struct, frozen=True, gc=False):
    """The rules that have something to say about one lead, in the model's order.

    met:   engagement rules that were ever met, with what is kept of each
    fits:  fit rules that hold
    """

    met: list[tuple[RuleTerm, RuleState]]
    fits: Fits

    def at(self, at_s: float) -> list[float]:
        """Exact points of each rule of `met` at this moment (s since 1970), at the last event or later."""
        values = []
        for (_, _, _, half_life_s, lowest, highest), rule_state in self.met:
            points = rule_state.value
            if half_life_s is not None:
                points *= exp2((rule_state.at_s - at_s) / half_life_s)
            if points < lowest:
                points = lowest
            elif points > highest:
                points = highest
            values.append(points)
        return values


class Sums(msgspec.Struct, frozen=True, gc=False):
    """Exact points on the way up, in the model's order: `asked` before a clamp, `granted` after it."""

    groups_asked: list[float]
    groups_granted: list[float]
    dimensions_asked: list[float]
    dimensions_granted: list[float]


class LazyShown(dict[str, int]):
    """What is shown, worked out when the first number is asked for: whoever derives says how in `_find`.

    Most lines of stages are decided by one of two bounds, or by the profile: the other is never worked out.
    """

    __slots__ = ()

    def _find(self) -> Shown:
        raise NotImplementedError

    def __missing__(self, name: str) -> int:
        shown = self._find()
        self.update(shown)
        return shown[name]


def decayed(rule: EngagementRule, rule_state: RuleState, at_s: float) -> float:
    """What is left of a rule's paid points at this moment, before the rule's own bounds."""
    if rule.half_life_s is None:
        return rule_state.value
    return rule_state.value * exp2((rule_state.at_s - at_s) / rule.half_life_s)


def terms_of(model: Compiled, state: LeadState) -> Terms:
    """The rules that concern this lead."""
    return terms_with(model, state.rules, model.person.of(state.attributes).fits)


def terms_with(model: Compiled, rule_states: Mapping[str, RuleState], fits: Fits) -> Terms:
    """The rules that concern somebody with these rule_states, for whom these fit rules hold."""
    slopes = model.rule_terms
    met = [(slopes[rule], rule_state) for rule, rule_state in rule_states.items()]
    met.sort()  # slopes begin with their rank
    return Terms(met, fits)


def sums_of(model: Compiled, terms: Terms, values: Sequence[float]) -> Sums:
    """Groups and dimensions from exact points: those of fit rules, and these of each rule of `terms.met`."""
    group_bounds, dimension_bounds = model.clamped
    asked = list(terms.fits.asked)
    for (term, _), points in zip(terms.met, values):  # noqa: B905
        asked[term.room] += points
    granted = _within(group_bounds, asked)
    sides = [0.0] * len(model.dimension_weights)
    for side, points in zip(model.dimension_of_group, granted):  # noqa: B905
        sides[side] += points
    return Sums(asked, granted, sides, _within(dimension_bounds, sides))


def _within(bounds: Bounds, asked: list[float]) -> list[float]:
    """What is left of these after their clamps."""
    granted = asked.copy()
    for position, lowest, highest in bounds:
        points = asked[position]
        if points < lowest:
            granted[position] = lowest
        elif points > highest:
            granted[position] = highest
    return granted


def shown_of(model: Compiled, sums: Sums) -> dict[str, int]:
    """What is shown for these sums: each dimension, and "score"."""
    shown = {}
    score = 0.0
    for (name, weight), exact in zip(model.dimension_weights, sums.dimensions_granted):  # noqa: B905
        shown[name] = points = whole(exact)
        score += weight * points
    total = whole(score)
    shown[SCORE] = LOWEST if total < LOWEST else min(total, HIGHEST)
    return shown


def weighted(model: Compiled, shown: Shown) -> float:
    """The score before rounding and its own bounds, from the shown dimensions."""
    return sum([weight * shown[name] for name, weight in model.dimension_weights])


def whole(points: float) -> int:
    """Rounded half up, where whatever lies less than half a millionth below a half is a half."""
    return floor(points + _HALF)
