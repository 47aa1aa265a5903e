"""The next moment at which time alone could move a lead to another stage.

In: a model, a state, where the lead stands, now. Out: a moment to look again; None if never.
Refuses to be late: the moment is exact or too early. Looking too early costs one look.

Why not a formula: with one half-life and no clamp there is one, but several half-lives, negative points
and clamps make a score that can rise and fall by itself. What always holds is that each rule's points
move towards zero and never turn back. So between two moments each rule lies between its two values,
and with it every sum, clamp and rounding above it. A stretch of time in which those bounds leave a
line on one side is proven quiet; the search takes the longest such stretch, again and again, to the
microsecond.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.scoring.model import Model
from shared.scoring.moves import Move, Shown
from shared.scoring.points import engagement_values, fit_values, shown_of, sums_of
from shared.scoring.score import moment_s
from shared.scoring.stages import Situation, StageState, holds
from shared.scoring.state import LeadState

_US: Final = 1_000_000
_HORIZON_US: Final = 200 * 365 * 86_400 * _US
_MAX_STRETCHES: Final = 24
_CRAWL_US: Final = _US
_LAST_MOMENT: Final = datetime(9999, 1, 1, tzinfo=UTC)


def next_change(model: Model, state: LeadState, stage: StageState, as_of: datetime) -> datetime | None:
    """The next moment at which `decide` without an event could return a transition.

    Returns `as_of` itself if it could right now, None if it never will. Never later than the true
    moment; earlier where the score rises and falls by itself.
    Raises ValueError if the state was folded under other rules.
    """
    outlook = _outlook(model, state, as_of)
    moments = [
        moment
        for move in model.moves[stage.stage]
        if not move.event and (moment := _moment(outlook, move, stage)) is not None
    ]
    return min(moments, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outlook:
    """One lead as seen from now into the future."""

    model: Model
    state: LeadState
    profile: Mapping[str, Any]
    fit: Mapping[str, float]
    now: datetime
    now_s: float

    def values(self, ahead_us: float) -> dict[str, float]:
        """Points of the engagement rules so many microseconds from now."""
        return engagement_values(self.model, self.state, self.now_s + ahead_us / _US)

    def holds(self, move: Move, start_us: float, end_us: float) -> bool | None:
        """Whether the move's line holds throughout this stretch; None if that is not proven."""
        start, end = self.values(start_us), self.values(end_us)
        low = {rule: min(points, end[rule]) for rule, points in start.items()}
        high = {rule: max(points, end[rule]) for rule, points in start.items()}
        bounds = self._shown(low), self._shown(high)
        return holds(self.model, move, Situation(bounds=bounds, profile=self.profile, now=self.now))

    def _shown(self, values: Mapping[str, float]) -> Shown:
        return shown_of(self.model, sums_of(self.model, {**values, **self.fit}))


def _outlook(model: Model, state: LeadState, as_of: datetime) -> _Outlook:
    profile = state.profile
    return _Outlook(
        model=model,
        state=state,
        profile=profile,
        fit=fit_values(model, profile),
        now=as_of,
        now_s=moment_s(model, state, as_of),
    )


def _moment(outlook: _Outlook, move: Move, stage: StageState) -> datetime | None:
    """When this move could happen at the earliest."""
    opens = stage.since + timedelta(seconds=move.after_s)
    opens = max(opens, stage.held_until or opens, outlook.now)
    forever = outlook.holds(move, 0, math.inf)
    if forever is not None:
        return opens if forever else None
    if outlook.holds(move, 0, 0):
        return opens
    ahead_us = _first_change_us(outlook, move)
    if ahead_us is None:
        return None
    # The state may begin later than now, if an event lies in the future; looking then is early enough.
    return max(opens, min(outlook.now + timedelta(microseconds=ahead_us), _LAST_MOMENT))


def _first_change_us(outlook: _Outlook, move: Move) -> int | None:
    """Microseconds until the line, which does not hold now, might hold; None if it never will."""
    quiet_us = 0
    for _ in range(_MAX_STRETCHES):
        if outlook.holds(move, quiet_us, math.inf) is False:
            return None
        stretch_us = _quiet_stretch_us(outlook, move, quiet_us)
        quiet_us += stretch_us
        if quiet_us >= _HORIZON_US:
            return None
        if stretch_us < _CRAWL_US or outlook.holds(move, quiet_us + 1, quiet_us + 1):
            return quiet_us + 1
    return quiet_us


def _quiet_stretch_us(outlook: _Outlook, move: Move, start_us: int) -> int:
    """The longest stretch from here on in which the line is proven not to hold."""
    proven, doubtful = 0, 3600 * _US
    while doubtful < _HORIZON_US and outlook.holds(move, start_us, start_us + doubtful) is False:
        proven, doubtful = doubtful, doubtful * 4
    while doubtful - proven > 1:
        middle = (proven + doubtful) // 2
        if outlook.holds(move, start_us, start_us + middle) is False:
            proven = middle
        else:
            doubtful = middle
    return proven
