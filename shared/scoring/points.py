"""Points of rules → groups → dimensions → the shown numbers.

In: a model, and what is kept of a lead. Out: `Terms` (who pays, into which group), `Sums`, exact, and
`Shown`, in whole points.
Refuses nothing. One function does the sums for every caller, always in the model's order, so that the
live score, its receipts and the forecast of the next crossing agree to the last bit.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from shared.scoring.model import UNBOUNDED, Bounds, EngagementRule, FitRule, Fits, Model
from shared.scoring.moves import SCORE, Shown
from shared.scoring.state import LeadState, RuleState

LOWEST: Final = 0
HIGHEST: Final = 100

# Floats added up in another order differ in their last bits, which must not tip a half over.
_HALF: Final = 0.5 + 0.5e-6


class Terms(msgspec.Struct, frozen=True):
    """The rules that have something to say about one lead, in the model's order.

    met:     engagement rules that were ever met, each with its account
    fits:    fit rules that hold
    rooms:   positions in `model.groups` that these pay into, first of `met`, then of `fits`
    points:  what the fit rules pay
    """

    met: Sequence[tuple[EngagementRule, RuleState]]
    fits: tuple[FitRule, ...]
    rooms: Sequence[int]
    points: tuple[float, ...]

    def at(self, at_s: float) -> list[float]:
        """Exact points of each term at this moment (seconds since 1970), not before its latest event."""
        values = []
        for rule, account in self.met:
            points = account.value
            if rule.half_life_s is not None:
                points *= math.exp2((account.at_s - at_s) / rule.half_life_s)
            values.append(points if rule.between is UNBOUNDED else rule.between.of(points))
        values += self.points
        return values


class Sums(msgspec.Struct, frozen=True):
    """Exact points on the way up, in the model's order: `asked` before a clamp, `granted` after it."""

    groups_asked: Sequence[float]
    groups_granted: Sequence[float]
    dimensions_asked: Sequence[float]
    dimensions_granted: Sequence[float]


def decayed(rule: EngagementRule, account: RuleState, at_s: float) -> float:
    """What is left of a rule's paid points at this moment, before the rule's own bounds."""
    if rule.half_life_s is None:
        return account.value
    return account.value * math.exp2((account.at_s - at_s) / rule.half_life_s)


def terms_of(model: Model, state: LeadState) -> Terms:
    """The rules that concern this lead."""
    return terms_with(model, state.rules, model.person.of(state.attributes).fits)


def terms_with(model: Model, accounts: Mapping[str, RuleState], fits: Fits) -> Terms:
    """The rules that concern somebody with these accounts, for whom these fit rules hold."""
    rules, rooms = model.engagement, model.rooms
    ranks = sorted(map(model.ranks.__getitem__, accounts))
    return Terms(
        [(rule := rules[rank], accounts[rule.id]) for rank in ranks],
        fits.rules,
        [*[rooms[rank] for rank in ranks], *fits.rooms],
        fits.points,
    )


def sums_of(model: Model, rooms: Sequence[int], values: Sequence[float]) -> Sums:
    """Groups and dimensions from exact points, each paid into its group."""
    group_bounds, dimension_bounds = model.clamped
    asked = [0.0] * len(model.groups)
    for room, points in zip(rooms, values, strict=True):
        asked[room] += points
    granted = _within(group_bounds, asked)
    sides = [0.0] * len(model.dimensions)
    for side, points in zip(model.sides, granted, strict=True):
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


def shown_of(model: Model, sums: Sums) -> dict[str, int]:
    """What is shown for these sums: each dimension, and "score"."""
    shown = {
        dimension.id: whole(exact)
        for dimension, exact in zip(model.dimensions, sums.dimensions_granted, strict=True)
    }
    total = whole(weighted(model, shown))
    shown[SCORE] = LOWEST if total < LOWEST else min(total, HIGHEST)
    return shown


def weighted(model: Model, shown: Shown) -> float:
    """The score before rounding and its own bounds, from the shown dimensions."""
    return sum([dimension.weight * shown[dimension.id] for dimension in model.dimensions])


def whole(points: float) -> int:
    """Rounded half up, where whatever lies less than half a millionth below a half is a half."""
    return math.floor(points + _HALF)
