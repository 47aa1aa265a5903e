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
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.scoring.definition.stages import SCORE, Move, Shown
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected
from shared.scoring.engine.points import LazyShown, Terms, shown_of, sums_of, terms_of
from shared.scoring.engine.score import Evaluation, moment_s
from shared.scoring.engine.state import LeadState
from shared.scoring.engine.transitions import LineFacts, StageState, holds

_US: Final = 1_000_000
_HORIZON_US: Final = 200 * 365 * 86_400 * _US
_MAX_STRETCHES: Final = 6
_CRAWL_US: Final = 1_000
_EXACT_US: Final = 3600 * _US
_LAST_MOMENT: Final = datetime(9999, 1, 1, tzinfo=UTC)


def next_change(
    model: Compiled,
    state: LeadState,
    stage: StageState,
    as_of: datetime,
    found: Evaluation | None = None,
) -> datetime | None:
    """The next moment at which `decide` without an event could return a transition.

        found:  the lead's points at `as_of`, from a caller who has them

    Returns `as_of` itself if it could right now, None if it never will. Never later than the true
    moment; earlier by at most a 256th of the way, or where the score rises and falls by itself.
    Raises ValueError if the state was folded under other rules.
    """
    ways = model.ways[stage.stage]
    if not ways or has_objected(state):
        return None
    outlook = _Outlook(model, state, as_of, found)
    present, end = outlook.present, outlook.view(math.inf)
    now, ever = outlook.between(present, present), outlook.between(present, end)
    moments: list[datetime] = []
    undecided: list[Move] = []
    for move in ways:
        if holds(model, move, ever) is False:
            continue
        if holds(model, move, now):
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


def is_quiet(
    model: Compiled,
    state: LeadState,
    stage: StageState,
    span: tuple[datetime, datetime],
    found: Evaluation | None = None,
) -> bool:
    """Whether it is proven that no move by score or time happens between these two moments.

        found:  the lead's points at the first of them, from a caller who has them

    Says False where it is not proven: then `next_change` tells. One look instead of a search, for callers
    that will look again at the second moment anyway.
    Raises ValueError if the state was folded under other rules.
    """
    ways = model.ways[stage.stage]
    if not ways or has_objected(state):
        return True
    as_of, until = span
    held_until = stage.held_until
    if as_of >= until or (held_until is not None and held_until >= until):
        return True
    outlook = _Outlook(model, state, as_of, found)
    facts = outlook.between(outlook.present, outlook.view((until - as_of).total_seconds()))
    stayed = until - stage.since
    return not any(move.wait < stayed and holds(model, move, facts) is not False for move in ways)


def score_between(model: Compiled, state: LeadState, as_of: datetime, until: datetime) -> tuple[int, int]:
    """The least and the most that the score can be shown as between these two moments, without events.

    Raises ValueError if the state was folded under other rules.
    """
    if has_objected(state):
        return 0, 0
    outlook = _Outlook(model, state, as_of)
    ahead_s = max(0.0, (until - as_of).total_seconds())
    low, high = outlook.between(outlook.present, outlook.view(ahead_s)).bounds
    return low[SCORE], high[SCORE]


def _opens(move: Move, stage: StageState, as_of: datetime) -> datetime:
    """When the wait for this move is over."""
    opens = stage.since + move.wait
    return max(opens, stage.held_until or opens, as_of)


class _View(LazyShown):
    """What is shown of the lead at one moment, or at a bound."""

    __slots__ = ("_at_s", "_exact", "_outlook")

    def __init__(self, outlook: "_Outlook", at_s: float, exact: list[float] | None = None) -> None:
        self._outlook = outlook
        self._at_s = at_s
        self._exact = exact

    @property
    def exact(self) -> list[float]:
        """Exact points of each term."""
        if self._exact is None:
            self._exact = self._outlook.terms.at(self._at_s)
        return self._exact

    def _find(self) -> Shown:
        outlook = self._outlook
        return shown_of(outlook.model, sums_of(outlook.model, outlook.terms, self.exact))


class _Outlook:
    """One lead as seen from now into the future.

    present:  the lead now
    falls:    no rule is worth less than nothing, so that time alone only takes points away
    """

    __slots__ = ("_terms", "falls", "model", "now_s", "present", "profile", "state")

    def __init__(
        self, model: Compiled, state: LeadState, as_of: datetime, found: Evaluation | None = None
    ) -> None:
        self.model = model
        self.state = state
        self.profile = model.person.of(state.attributes).profile
        self.now_s = moment_s(model, state, as_of)
        self.falls = _falls(state)
        self._terms: Terms | None = found.terms if found else None
        self.present = _View(self, self.now_s, found.values if found else None)
        if found:
            self.present.update(found.standing.shown)

    @property
    def terms(self) -> Terms:
        """The rules that concern this lead."""
        if self._terms is None:
            self._terms = terms_of(self.model, self.state)
        return self._terms

    def view(self, ahead_s: float) -> _View:
        """The lead so many seconds from now."""
        return _View(self, self.now_s + ahead_s)

    def between(self, start: _View, end: _View) -> LineFacts:
        """What lines are judged by from here to there: the least and the most that is shown."""
        return LineFacts(bounds=self._bounds(start, end), profile=self.profile)

    def _bounds(self, start: _View, end: _View) -> tuple[Shown, Shown]:
        if self.falls:
            return end, start
        low = list(map(min, start.exact, end.exact))
        high = list(map(max, start.exact, end.exact))
        if high == end.exact:
            return start, end
        return _View(self, math.nan, low), _View(self, math.nan, high)

    def quiet(self, moves: list[Move], start: _View, end: _View) -> bool:
        """Whether none of these moves can hold from here to there."""
        facts = self.between(start, end)
        for move in moves:  # noqa: SIM110 - all() with a generator costs as much as a line
            if holds(self.model, move, facts) is not False:
                return False
        return True


def _falls(state: LeadState) -> bool:
    for rule_state in state.rules.values():  # noqa: SIM110 - see above
        if rule_state.value < 0:
            return False
    return True


def _first_change_us(outlook: _Outlook, moves: list[Move], end: _View) -> int | None:
    """Microseconds until one of these, none of which holds now, might hold; None if none ever will."""
    quiet_us = 0
    for _ in range(_MAX_STRETCHES):
        start = outlook.view(quiet_us / _US)
        if outlook.quiet(moves, start, end):
            return None
        proven_us, doubtful_us = _quiet_stretch_us(outlook, moves, start, quiet_us)
        if proven_us >= _HORIZON_US:
            return None
        doubtful = outlook.view((quiet_us + doubtful_us) / _US)
        quiet_us += proven_us
        if proven_us < _CRAWL_US or not outlook.quiet(moves, doubtful, doubtful):
            return quiet_us + 1
    return quiet_us


def _quiet_stretch_us(outlook: _Outlook, moves: list[Move], start: _View, start_us: int) -> tuple[int, int]:
    """How long from here on it is proven to be quiet, and a little longer, where it is not proven."""
    proven, doubtful = 0, _EXACT_US
    while doubtful < _HORIZON_US and outlook.quiet(moves, start, outlook.view((start_us + doubtful) / _US)):
        proven, doubtful = doubtful, doubtful * 4
    while doubtful - proven > (proven >> 8 if proven > _EXACT_US else 1):
        middle = (proven + doubtful) // 2
        if outlook.quiet(moves, start, outlook.view((start_us + middle) / _US)):
            proven = middle
        else:
            doubtful = middle
    return proven, doubtful
