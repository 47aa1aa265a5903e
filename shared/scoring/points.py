"""Points of rules → groups → dimensions → the shown numbers.

In: a model, and what is kept of a lead. Out: `Terms` (who pays, into which group), `Sums`, exact, and
`Shown`, in whole points.
Refuses nothing. One function does the sums for every caller, always in the model's order, so that the
live score, its receipts and the forecast of the next crossing agree to the last bit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.scoring.model import UNBOUNDED, EngagementRule, FitRule, Model
from shared.scoring.moves import SCORE, Shown
from shared.scoring.state import RuleState

LOWEST: Final = 0
HIGHEST: Final = 100


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules that have something to say about one lead, in the model's order.

    met:    engagement rules that were ever met, each with its account
    fits:   fit rules that hold
    rooms:  positions in `model.groups` that these pay into, first of `met`, then of `fits`
    """

    met: tuple[tuple[EngagementRule, RuleState], ...]
    fits: tuple[FitRule, ...]
    rooms: tuple[int, ...]

    def at(self, at_s: float) -> list[float]:
        """Exact points of each term at this moment (seconds since 1970), not before its latest event."""
        values = []
        for rule, account in self.met:
            points = decayed(rule, account, at_s)
            values.append(points if rule.between is UNBOUNDED else rule.between.of(points))
        values += [rule.points for rule in self.fits]
        return values


@dataclass(frozen=True, slots=True)
class Sums:
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


def terms_of(model: Model, accounts: Mapping[str, RuleState], profile: Mapping[str, Any]) -> Terms:
    """The rules that concern a lead with these accounts and this profile."""
    room = model.room_of
    met = tuple((rule, accounts[rule.id]) for rule in model.engagement if rule.id in accounts)
    fits = tuple(rule for rule in model.fit if rule.holds(profile))
    rooms = (*(room[rule.group] for rule, _ in met), *(room[rule.group] for rule in fits))
    return Terms(met, fits, rooms)


def sums_of(model: Model, rooms: Sequence[int], values: Sequence[float]) -> Sums:
    """Groups and dimensions from exact points, each paid into its group."""
    asked = [0.0] * len(model.groups)
    for room, points in zip(rooms, values, strict=True):
        asked[room] += points
    granted = [
        points if group.between is UNBOUNDED else group.between.of(points)
        for group, points in zip(model.groups, asked, strict=True)
    ]
    sides = [0.0] * len(model.dimensions)
    for side, points in zip(model.sides, granted, strict=True):
        sides[side] += points
    within = [
        points if dimension.between is UNBOUNDED else dimension.between.of(points)
        for dimension, points in zip(model.dimensions, sides, strict=True)
    ]
    return Sums(asked, granted, sides, within)


def shown_of(model: Model, sums: Sums) -> dict[str, int]:
    """What is shown for these sums: each dimension, and "score"."""
    shown = {
        dimension.id: whole(exact)
        for dimension, exact in zip(model.dimensions, sums.dimensions_granted, strict=True)
    }
    shown[SCORE] = max(LOWEST, min(HIGHEST, whole(weighted(model, shown))))
    return shown


def weighted(model: Model, shown: Shown) -> float:
    """The score before rounding and its own bounds, from the shown dimensions."""
    return sum([dimension.weight * shown[dimension.id] for dimension in model.dimensions])


def whole(points: float) -> int:
    """Rounded half up. To a millionth first: sums of floats in another order must not tip over a half."""
    return math.floor(round(points, 6) + 0.5)
