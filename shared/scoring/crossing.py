"""The next moment at which time alone could move a lead to another stage.

In: a model, a state, where the lead stands, now. Out: a moment to look again; None if never.
Refuses to be late: the moment is exact or too early. Looking too early costs one look.

Why not a formula: with one half-life and no clamp there is one, but several half-lives, negative points
and clamps make a score that can rise and fall by itself. What always holds is that each rule's points
move towards zero and never turn back. So between two moments each rule lies between its two values,
and with it every sum, clamp and rounding above it. A stretch of time in which those bounds leave a
line on one side is proven quiet; the search takes the longest such stretch, again and again.

The search is exact to the microsecond within the next hour and to a 256th of the way beyond it: every
event of every lead asks, and three more looks in a month cost less than twenty more evaluations each time.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.scoring.model import Model
from shared.scoring.moves import Move, Shown
from shared.scoring.points import Terms, shown_of, sums_of, terms_of
from shared.scoring.score import moment_s
from shared.scoring.stages import Situation, StageState, holds
from shared.scoring.state import LeadState

_US: Final = 1_000_000
_HORIZON_US: Final = 200 * 365 * 86_400 * _US
_MAX_STRETCHES: Final = 6
_CRAWL_US: Final = 1_000
_EXACT_US: Final = 3600 * _US
_LAST_MOMENT: Final = datetime(9999, 1, 1, tzinfo=UTC)


def next_change(model: Model, state: LeadState, stage: StageState, as_of: datetime) -> datetime | None:
    """The next moment at which `decide` without an event could return a transition.

    Returns `as_of` itself if it could right now, None if it never will. Never later than the true
    moment; earlier by at most a 256th of the way, or where the score rises and falls by itself.
    Raises ValueError if the state was folded under other rules.
    """
    ways = [move for move in model.moves[stage.stage] if not move.event]
    if not ways:
        return None
    outlook = _outlook(model, state, as_of)
    present, end = outlook.view(0), outlook.view(math.inf)
    ever = outlook.bounds(present, end)
    moments: list[datetime] = []
    undecided: list[Move] = []
    for move in ways:
        if outlook.holds(move, ever) is False:
            continue
        if outlook.holds(move, (present.shown, present.shown)):
            moments.append(_opens(move, stage, as_of))
        else:
            undecided.append(move)
    if undecided:
        ahead_us = _first_change_us(outlook, undecided, end)
        if ahead_us is not None:
            # The state may begin later than now, if an event lies in the future: looking now is early enough.
            changes = min(as_of + timedelta(microseconds=ahead_us), _LAST_MOMENT)
            moments.append(max(changes, min(_opens(move, stage, as_of) for move in undecided)))
    return min(moments, default=None)


def is_quiet(model: Model, state: LeadState, stage: StageState, span: tuple[datetime, datetime]) -> bool:
    """Whether it is proven that no move by score or time happens between these two moments.

    Says False where it is not proven: then `next_change` tells. One look instead of a search, for callers
    that will look again at the second moment anyway.
    Raises ValueError if the state was folded under other rules.
    """
    as_of, until = span
    ways = [
        move for move in model.moves[stage.stage] if not move.event and _opens(move, stage, as_of) < until
    ]
    if not ways:
        return True
    outlook = _outlook(model, state, as_of)
    return outlook.quiet(ways, outlook.view(0), outlook.view((until - as_of) / timedelta(microseconds=1)))


def _opens(move: Move, stage: StageState, as_of: datetime) -> datetime:
    """When the wait for this move is over."""
    opens = stage.since + timedelta(seconds=move.after_s)
    return max(opens, stage.held_until or opens, as_of)


@dataclass(frozen=True, slots=True)
class _View:
    """Exact points of each term at one moment, and what is shown then."""

    values: list[float]
    shown: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outlook:
    """One lead as seen from now into the future."""

    model: Model
    terms: Terms
    profile: Mapping[str, Any]
    now_s: float

    def view(self, ahead_us: float) -> _View:
        """The lead so many microseconds from now."""
        values = self.terms.at(self.now_s + ahead_us / _US)
        return _View(values, self._shown(values))

    def bounds(self, start: _View, end: _View) -> tuple[Shown, Shown]:
        """The least and the most that is shown at any moment from here to there."""
        low = list(map(min, start.values, end.values))
        if low == end.values:
            return end.shown, start.shown
        if low == start.values:
            return start.shown, end.shown
        return self._shown(low), self._shown(list(map(max, start.values, end.values)))

    def holds(self, move: Move, bounds: tuple[Shown, Shown]) -> bool | None:
        """Whether the move's line holds everywhere within these bounds, nowhere, or somewhere (None)."""
        return holds(self.model, move, Situation(bounds=bounds, profile=self.profile))

    def quiet(self, moves: list[Move], start: _View, end: _View) -> bool:
        """Whether none of these moves can hold from here to there."""
        bounds = self.bounds(start, end)
        return all(self.holds(move, bounds) is False for move in moves)

    def _shown(self, values: list[float]) -> Shown:
        return shown_of(self.model, sums_of(self.model, self.terms.rooms, values))


def _outlook(model: Model, state: LeadState, as_of: datetime) -> _Outlook:
    profile = state.profile
    return _Outlook(
        model=model,
        terms=terms_of(model, state.rules, profile),
        profile=profile,
        now_s=moment_s(model, state, as_of),
    )


def _first_change_us(outlook: _Outlook, moves: list[Move], end: _View) -> int | None:
    """Microseconds until one of these, none of which holds now, might hold; None if none ever will."""
    quiet_us = 0
    for _ in range(_MAX_STRETCHES):
        start = outlook.view(quiet_us)
        if outlook.quiet(moves, start, end):
            return None
        proven_us, doubtful_us = _quiet_stretch_us(outlook, moves, start, quiet_us)
        if proven_us >= _HORIZON_US:
            return None
        doubtful = outlook.view(quiet_us + doubtful_us)
        quiet_us += proven_us
        if proven_us < _CRAWL_US or not outlook.quiet(moves, doubtful, doubtful):
            return quiet_us + 1
    return quiet_us


def _quiet_stretch_us(outlook: _Outlook, moves: list[Move], start: _View, start_us: int) -> tuple[int, int]:
    """How long from here on it is proven to be quiet, and a little longer, where it is not proven."""
    proven, doubtful = 0, _EXACT_US
    while doubtful < _HORIZON_US and outlook.quiet(moves, start, outlook.view(start_us + doubtful)):
        proven, doubtful = doubtful, doubtful * 4
    while doubtful - proven > (proven >> 8 if proven > _EXACT_US else 1):
        middle = (proven + doubtful) // 2
        if outlook.quiet(moves, start, outlook.view(start_us + middle)):
            proven = middle
        else:
            doubtful = middle
    return proven, doubtful
