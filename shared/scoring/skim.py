"""The same life as shared/scoring/life.py lives, looking only where a stage could change.

In: a model, a lead's events with the state after each, a moment. Out: the same `Life`, step by step.
Refuses to guess: a stretch is skipped only if it is proven that nothing moves in it.

Living looks at every event, and most events move nobody. But folding is cheap, and the states before and
after a stretch bound every rule's points within it: what was there only decays, and what came on top is no
more than was paid. If those bounds keep every line of the present stage on its side, the whole stretch is
quiet, however many events it holds; if not, half of it is tried. A life of n events with few moves costs n
folds and a few looks, instead of n folds and n looks (measured: docs/benchmarks.md, `make bench-plan`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.events import Event
from shared.scoring.fold import fold
from shared.scoring.life import Life
from shared.scoring.model import EngagementRule, FitRule, Model
from shared.scoring.moves import Move, Shown
from shared.scoring.points import decayed, shown_of, sums_of
from shared.scoring.stages import LEAD_MOVED, Situation, StageState, holds
from shared.scoring.state import EMPTY, Attribute, LeadState, RuleState

# Sums of floats in another order differ in their last bits; a bound must not.
_SLACK: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Chain:
    """A lead's events, in order of (occurred_at, event_id), and the state after each."""

    events: Sequence[Event]
    states: Sequence[LeadState]


def fold_along(model: Model, events: Sequence[Event], until: datetime) -> Chain:
    """The events that occurred until this moment, with the states that they make under this model.

    Raises ValueError if they are not in order.
    """
    states: list[LeadState] = []
    state = EMPTY
    for event in events:
        if event.occurred_at > until:
            break
        folded = fold(model, state, event)
        if folded is None:
            raise ValueError(f"event {event.event_id} comes too late: a life is lived in order")
        state = folded
        states.append(state)
    return Chain(events[: len(states)], states)


def skim(model: Model, lived: Chain, until: datetime) -> Life:
    """The life that these events make under this model, until this moment: equal to what `live` gives.

    lived:  made by `fold_along` until the same moment, under this model or one with the same `fold_key`
    """
    events, states = lived.events, lived.states
    if not events:
        return Life.begin(model, until)
    life = Life.begin(model, events[0].occurred_at)
    position = next((n for n, event in enumerate(events) if event.email or event.user_id), len(events))
    if position:
        # Nobody moves while nobody knows who it is.
        life.state, life.at = states[position - 1], events[position - 1].occurred_at
    if position < len(events):
        life.meet(events[position], states[position])
    if not _Skimmer(life, lived, until).reaches_the_end(position + 1):
        life.wait(until)
    life.at = until
    return life


class _Skimmer:
    """Takes a known lead through the rest of its events."""

    def __init__(self, life: Life, lived: Chain, until: datetime) -> None:
        self._life = life
        self._events = lived.events
        self._states = lived.states
        self._until = until
        self._person: tuple[Mapping[str, Attribute], Mapping[str, Any], list[FitRule]] | None = None

    def reaches_the_end(self, position: int) -> bool:
        """Live all events from this position on; whether it is proven that nothing moves after them."""
        life, count = self._life, len(self._events)
        stride = count
        while position < count:
            end = self._next_mark(position, min(position + stride, count))
            if end > position and self._quiet(end):
                life.state = self._states[end - 1]
                if end == count:
                    return True
                life.at = self._events[end - 1].occurred_at
                position, stride = end, 2 * (end - position)
            elif end - position > 1:
                stride = (end - position) // 2
            else:
                life.meet(self._events[position], self._states[position])
                position, stride = position + 1, 2
        return False

    def _next_mark(self, position: int, end: int) -> int:
        """The next event that has to be met: it may move the stage by itself, or tells who the person is."""
        life = self._life
        causes = {LEAD_MOVED}.union(*(move.event for move in life.model.moves[life.ledger.stage]))
        known = life.state.attributes
        for mark in range(position, end):
            said = self._states[mark].attributes
            if self._events[mark].name in causes or not (said is known or _same(said, known)):
                return mark
        return end

    def _quiet(self, end: int) -> bool:
        """Whether nothing can move from where the life stands until after the event before `end`."""
        life = self._life
        last = self._until if end == len(self._events) else self._events[end - 1].occurred_at
        ways = [
            move
            for move in life.model.moves[life.ledger.stage]
            if not move.event and _opens(move, life.ledger) <= last
        ]
        if not ways:
            return True
        profile, fits = self._who()
        states = (life.state, self._states[end - 1])
        bounds = _bounds(life.model, fits, states, (life.at.timestamp(), last.timestamp()))
        situation = Situation(bounds=bounds, profile=profile)
        return all(holds(life.model, move, situation) is False for move in ways)

    def _who(self) -> tuple[Mapping[str, Any], list[FitRule]]:
        """The profile and the fit rules that hold, found once for as long as nothing new is said."""
        attributes = self._life.state.attributes
        if self._person is None or self._person[0] is not attributes:
            profile = self._life.state.profile
            fits = [rule for rule in self._life.model.fit if rule.holds(profile)]
            self._person = (attributes, profile, fits)
        return self._person[1:]


def _same(said: Mapping[str, Attribute], known: Mapping[str, Attribute]) -> bool:
    """Whether these attributes have the same values, whoever said them last."""
    return said.keys() == known.keys() and all(
        type(said[name].value) is type(known[name].value) and said[name].value == known[name].value
        for name in said
    )


def _opens(move: Move, ledger: StageState) -> datetime:
    """When the wait for this move is over."""
    opens = ledger.since + timedelta(seconds=move.after_s)
    return max(opens, ledger.held_until) if ledger.held_until else opens


def _bounds(
    model: Model, fits: list[FitRule], states: tuple[LeadState, LeadState], span_s: tuple[float, float]
) -> tuple[Shown, Shown]:
    """The least and the most that is shown at any moment of the span.

    fits:    the fit rules that hold throughout
    states:  before and after the span's events
    """
    before, after = states[0].rules, states[1].rules
    rooms: list[int] = []
    low: list[float] = []
    high: list[float] = []
    for rule in model.engagement:
        if (account := after.get(rule.id)) is not None:
            lowest, highest = _range(rule, before.get(rule.id), account, span_s)
            rooms.append(model.room_of[rule.group])
            low.append(lowest - _SLACK)
            high.append(highest + _SLACK)
    rooms += [model.room_of[rule.group] for rule in fits]
    points = [rule.points for rule in fits]
    return shown_of(model, sums_of(model, rooms, low + points)), shown_of(
        model, sums_of(model, rooms, high + points)
    )


def _range(
    rule: EngagementRule, before: RuleState | None, after: RuleState, span_s: tuple[float, float]
) -> tuple[float, float]:
    """The least and the most that a rule is worth at any moment of the span."""
    begin, end = (decayed(rule, before, at_s) for at_s in span_s) if before else (0.0, 0.0)
    lowest, highest = min(begin, end), max(begin, end)
    if before is None or after.paid > before.paid:
        paid = after.paid - (before.paid if before else 0)
        least, most = rule.points.range()
        lowest += paid * min(least, 0.0)
        highest += paid * max(most, 0.0)
    lowest, highest = rule.between.of(lowest), rule.between.of(highest)
    # A rule that was never met is worth nothing, whatever its bounds.
    return (lowest, highest) if before else (min(lowest, 0.0), max(highest, 0.0))
