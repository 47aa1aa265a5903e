"""The same life as shared/scoring/life.py lives, looking only where a stage could change.

In: a model, a lead's events with the state after each, a moment. Out: the same `Life`, step by step.
Refuses to guess: a stretch is skipped only if it is proven that nothing moves in it.

Living looks at every event, and most events move nobody. But folding is cheap, and the states before and
after a stretch bound every rule's points within it: what was there only decays, and what came on top is no
more than was paid. If those bounds keep every line of the present stage on its side, the whole stretch is
quiet, however many events it holds; if not, half of it is tried. A life of n events with few moves costs n
folds and a few looks, instead of n folds and n looks (measured: docs/benchmarks.md, `make bench-plan`).
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.events import Event
from shared.scoring.fold import fold_several
from shared.scoring.life import Life
from shared.scoring.model import EngagementRule, Fits, Model
from shared.scoring.moves import Move, Shown
from shared.scoring.points import decayed, shown_of, sums_of
from shared.scoring.stages import LEAD_MOVED, Situation, StageState, holds
from shared.scoring.state import EMPTY, Attribute, LeadState, RuleState

# Sums of floats in another order differ in their last bits; a bound must not.
_SLACK: Final = 1e-5


class Chain:
    """A lead's events until a moment, and the state after so many of them, folded when it is asked for.

    events:  in order of (occurred_at, event_id)
    """

    def __init__(self, model: Model, events: Sequence[Event], until: datetime) -> None:
        self.events = events[: bisect_right(events, until, key=_occurred_at)]
        self._model = model
        self._states = {0: EMPTY}
        self._counts = [0]

    def after(self, count: int) -> LeadState:
        """The state after the first `count` events.

        Raises ValueError if they are not in order.
        """
        found = self._states.get(count)
        if found is not None:
            return found
        nearest = self._counts[bisect_right(self._counts, count) - 1]
        folded = fold_several(self._model, self._states[nearest], self.events[nearest:count])
        if folded is None:
            raise ValueError("an event comes too late: a life is lived in order")
        self._states[count] = folded
        insort(self._counts, count)
        return folded


def skim(model: Model, lived: Chain, until: datetime) -> Life:
    """The life that these events make under this model, until this moment: equal to what `live` gives.

    lived:  until the same moment, under this model or one with the same `fold_key`

    Raises ValueError if the events are not in order.
    """
    events = lived.events
    if not events:
        return Life.begin(model, until)
    life = Life.begin(model, events[0].occurred_at)
    position = next((n for n, event in enumerate(events) if event.email or event.user_id), len(events))
    if position:
        # Nobody moves while nobody knows who it is.
        life.state, life.at = lived.after(position), events[position - 1].occurred_at
    if position < len(events):
        life.meet(events[position], lived.after(position + 1))
    if not _Skimmer(life, lived, until).reaches_the_end(position + 1):
        life.wait(until)
    life.at = until
    return life


def _occurred_at(event: Event) -> datetime:
    return event.occurred_at


class _Skimmer:
    """Takes a known lead through the rest of its events."""

    def __init__(self, life: Life, lived: Chain, until: datetime) -> None:
        self._life = life
        self._lived = lived
        self._events = lived.events
        self._until = until

    def reaches_the_end(self, position: int) -> bool:
        """Live all events from this position on; whether it is proven that nothing moves after them."""
        life, count = self._life, len(self._events)
        stride = count
        while position < count:
            end = self._next_mark(position, min(position + stride, count))
            if end > position and self._quiet(end):
                life.state = self._lived.after(end)
                if end == count:
                    return True
                life.at = self._events[end - 1].occurred_at
                position, stride = end, 2 * (end - position)
            elif end - position > 1:
                stride = (end - position) // 2
            else:
                life.meet(self._events[position], self._lived.after(position + 1))
                position, stride = position + 1, 2
        return False

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

    def _quiet(self, end: int) -> bool:
        """Whether nothing can move from where the life stands until after the event before `end`."""
        life = self._life
        last = self._until if end == len(self._events) else self._events[end - 1].occurred_at
        ways = [move for move in life.model.ways[life.ledger.stage] if _opens(move, life.ledger) <= last]
        if not ways:
            return True
        person = life.model.person.of(life.state.attributes)
        states = (life.state, self._lived.after(end))
        bounds = _bounds(life.model, person.fits, states, (life.at.timestamp(), last.timestamp()))
        situation = Situation(bounds=bounds, profile=person.profile)
        return all(holds(life.model, move, situation) is False for move in ways)


def _is_news(event: Event, known: Mapping[str, Attribute]) -> bool:
    """Whether the event says something about the person that was not known."""
    said = {**event.traits, "email": event.email} if event.email else event.traits
    for name, value in said.items():
        attribute = known.get(name)
        # repr: 1, 1.0 and True are equal, and different to conditions; also deep inside.
        if attribute is None or (value is not attribute.value and repr(value) != repr(attribute.value)):
            return True
    return False


def _opens(move: Move, ledger: StageState) -> datetime:
    """When the wait for this move is over."""
    opens = ledger.since + timedelta(seconds=move.after_s)
    return max(opens, ledger.held_until) if ledger.held_until else opens


def _bounds(
    model: Model, fits: Fits, states: tuple[LeadState, LeadState], span_s: tuple[float, float]
) -> tuple[Shown, Shown]:
    """The least and the most that is shown at any moment of the span.

    fits:    the fit rules that hold throughout
    states:  before and after the span's events
    """
    before, after = states[0].rules, states[1].rules
    rooms: list[int] = []
    low: list[float] = []
    high: list[float] = []
    for name, account in after.items():
        rank = model.ranks.get(name)
        if rank is not None:
            lowest, highest = _range(model.engagement[rank], before.get(name), account, span_s)
            rooms.append(model.rooms[rank])
            low.append(lowest - _SLACK)
            high.append(highest + _SLACK)
    rooms += fits.rooms
    low += fits.points
    high += fits.points
    return shown_of(model, sums_of(model, rooms, low)), shown_of(model, sums_of(model, rooms, high))


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
