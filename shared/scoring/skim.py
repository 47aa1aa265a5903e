"""The same life as shared/scoring/life.py lives, looking only where a stage could change.

In: a model, a lead's events in order of time, a moment. Out: the same `Life`, step by step.
Refuses to guess: a stretch is skipped only if it is proven that nothing moves in it.

Living looks at every event, and most events move nobody. But folding is cheap, and what each rule's account
came to on the way bounds its points at every moment of a stretch: between events it only decays. If those
bounds keep every line of the present stage on its side, the whole stretch is quiet, however many events it
holds; if not, half of it is tried. A life of n events with few moves costs n folds and a few looks, instead
of n folds and n looks (measured: docs/benchmarks.md, `make bench-plan`).
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from shared.events import Event
from shared.scoring.fold import Swing, fold_along
from shared.scoring.life import Life
from shared.scoring.model import Model
from shared.scoring.moves import Shown
from shared.scoring.points import decayed, shown_of, sums_of, terms_with
from shared.scoring.rules import EngagementRule
from shared.scoring.stages import LEAD_MOVED, Situation, holds
from shared.scoring.state import Attribute, LeadState, RuleState

# Sums of floats in another order differ in their last bits; a bound must not.
_SLACK: Final = 1e-5


def skim(model: Model, events: Sequence[Event], until: datetime) -> Life:
    """The life that these events make (each once, in order of (occurred_at, event_id)), until this moment.

    Equal to what `live` gives. Raises ValueError if the events are not in order.
    """
    lived = events[: bisect_right(events, until, key=_occurred_at)]
    if not lived:
        return Life.begin(model, until)
    life = Life.begin(model, lived[0].occurred_at)
    position = next((n for n, event in enumerate(lived) if event.email or event.user_id), len(lived))
    if position:
        # Nobody moves while nobody knows who it is.
        state, _ = _folded(model, life.state, lived[:position])
        life.pass_over(state, lived[position - 1].occurred_at)
    if position < len(lived):
        life.meet(lived[position])
    if not _Skimmer(life, lived, until).reaches_the_end(position + 1):
        life.wait(until)
    return life


def _occurred_at(event: Event) -> datetime:
    return event.occurred_at


def _folded(model: Model, state: LeadState, events: Sequence[Event]) -> tuple[LeadState, Mapping[str, Swing]]:
    found = fold_along(model, state, events)
    if found is None:
        raise ValueError("an event comes too late: a life is lived in order")
    return found


class _Skimmer:
    """Takes a known lead through the rest of its events."""

    def __init__(self, life: Life, events: Sequence[Event], until: datetime) -> None:
        self._life = life
        self._events = events
        self._until = until

    def reaches_the_end(self, position: int) -> bool:
        """Live all events from this position on; whether it is proven that nothing moves after them."""
        life, count = self._life, len(self._events)
        stride = count
        while position < count:
            end = self._next_mark(position, min(position + stride, count))
            if end > position and (state := self._quiet(position, end)):
                life.pass_over(state, self._last(end))
                if end == count:
                    return True
                position, stride = end, 2 * (end - position)
            elif end - position > 1:
                stride = (end - position) // 2
            else:
                life.meet(self._events[position])
                position, stride = position + 1, 2
        return False

    def _last(self, end: int) -> datetime:
        """The moment until which a stretch lasts: its last event, or where the life is to end."""
        return self._until if end == len(self._events) else self._events[end - 1].occurred_at

    def _next_mark(self, position: int, end: int) -> int:
        """The next event that has to be met: it may move the stage by itself, or tells who the person is."""
        life = self._life
        causes, known = life.model.causes[life.ledger.stage], life.state.attributes
        for mark in range(position, end):
            event = self._events[mark]
            if event.name in causes or event.name == LEAD_MOVED:
                return mark
            if (event.traits or event.email) and _is_news(event, known):
                return mark
        return end

    def _quiet(self, position: int, end: int) -> LeadState | None:
        """The state after these events, if nothing can move from where the life stands until after them."""
        life = self._life
        last = self._last(end)
        state, swings = _folded(life.model, life.state, self._events[position:end])
        ways = [move for move in life.model.ways[life.ledger.stage] if life.ledger.since + move.wait <= last]
        if not ways:
            return state
        bounds = _bounds(life, state, swings, last)
        profile = life.model.person.of(life.state.attributes).profile
        situation = Situation(bounds=bounds, profile=profile)
        return state if all(holds(life.model, move, situation) is False for move in ways) else None


def _is_news(event: Event, known: Mapping[str, Attribute]) -> bool:
    """Whether the event says something about the person that was not known."""
    said = {**event.traits, "email": event.email} if event.email else event.traits
    for name, value in said.items():
        attribute = known.get(name)
        # repr: 1, 1.0 and True are equal, and different to conditions; also deep inside.
        if attribute is None or (value is not attribute.value and repr(value) != repr(attribute.value)):
            return True
    return False


def _bounds(life: Life, after: LeadState, swings: Mapping[str, Swing], last: datetime) -> tuple[Shown, Shown]:
    """The least and the most that is shown at any moment from where the life stands until the last one.

    after, swings:  what folding the events until then gives; who the person is stays the same
    """
    model, before = life.model, life.state.rules
    span_s = (life.at.timestamp(), last.timestamp())
    terms = terms_with(model, after.rules, model.person.of(life.state.attributes).fits)
    low: list[float] = []
    high: list[float] = []
    for rule in (slope.rule for slope, _ in terms.met):
        lowest, highest = _range(rule, before.get(rule.id), swings.get(rule.id), span_s)
        low.append(lowest - _SLACK)
        high.append(highest + _SLACK)
    return shown_of(model, sums_of(model, terms, low)), shown_of(model, sums_of(model, terms, high))


def _range(
    rule: EngagementRule, before: RuleState | None, swing: Swing | None, span_s: tuple[float, float]
) -> tuple[float, float]:
    """The least and the most that a rule is worth at any moment of the span."""
    begin, end = (decayed(rule, before, at_s) for at_s in span_s) if before else (0.0, 0.0)
    lowest, highest = min(begin, end), max(begin, end)
    if swing is not None:
        # Between events a value only shrinks towards nothing, so the extremes lie at events, or there.
        rose, fell, least, most = swing
        if rose:
            highest = max(0.0, begin, most)
        if fell:
            lowest = min(0.0, begin, least)
    lowest, highest = rule.between.of(lowest), rule.between.of(highest)
    # A rule that was never met is worth nothing, whatever its bounds.
    return (lowest, highest) if before else (min(lowest, 0.0), max(highest, 0.0))
