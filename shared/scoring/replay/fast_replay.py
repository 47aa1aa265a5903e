"""A lead's history under one model, replayed only where a stage could change.

In: a model, a lead's timeline (shared/scoring/replay/timeline.py), a moment. Out: the same `Life` that
shared/scoring/replay/life.py gives event by event.
Refuses to guess: a stretch is skipped only if it is proven that nothing moves in it.

Living looks at every event, and most events move nobody. But what each rule's state came to on the timeline
bounds its points at every moment of a stretch: between events it only decays. If those bounds keep every line
of the present stage on its side, the whole stretch is quiet, however many events it holds; if not, half of it
is tried. A life of n events with few moves costs a few looks instead of n (docs/benchmarks.md, `make
bench-plan`).
"""

from bisect import bisect_right
from datetime import datetime
from typing import Final

from shared.events import Event
from shared.scoring.definition.stages import Shown
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected
from shared.scoring.engine.points import LazyShown, Terms, shown_of, sums_of, terms_with
from shared.scoring.engine.state import LeadState
from shared.scoring.engine.transitions import LineFacts, holds
from shared.scoring.replay.life import Life
from shared.scoring.replay.timeline import Stretch, Track

# Sums of floats in another order differ in their last bits; a bound must not.
_SLACK: Final = 1e-5


def fast_replay(track: Track, until: datetime) -> Life:
    """The life that these events make under this model, until this moment; equal to what `live` gives."""
    count = bisect_right(track.timeline.events, until, key=_occurred_at)
    if not count:
        return Life.begin(track.model, until)
    return _FastReplay(track, count, until).life()


def _occurred_at(event: Event) -> datetime:
    return event.occurred_at


class _FastReplay:
    """Takes somebody from the first event to the end of the life.

    count:  events until then, at least one
    """

    def __init__(self, track: Track, count: int, until: datetime) -> None:
        self._track = track
        self._events = track.timeline.events
        self._life = Life.begin(track.model, self._events[0].occurred_at)
        self._count = count
        self._until = until
        self._is_over = False

    def life(self) -> Life:
        """The whole life, from the first event to the end."""
        events, count = self._events, self._count
        position = next((n for n in range(count) if events[n].email or events[n].user_id), count)
        if position < count:
            self._live_on(self._become_known(position))
        else:
            self._pass_over(self._track.state(count), count)
        if not self._is_over:
            self._life.wait(self._until)
        return self._life

    def _become_known(self, position: int) -> int:
        """Live the event that tells who it is, and what is quiet after it; the position of the next one."""
        event = self._events[position]
        state = self._track.state(position + 1)
        if not (self._moves_by_itself(event) or has_objected(state)):
            lead = self._life.knowing(event, state)
            end = self._next_mark(position + 1, self._count)
            if quiet := self._quiet(lead, position + 1, end):
                self._life = lead
                self._pass_over(quiet, end)
                return end
        if position:
            # Nobody moves while nobody knows who it is.
            self._pass_over(self._track.state(position), position)
        self._life.meet(event)
        return position + 1

    def _live_on(self, position: int) -> None:
        """Live all events from this position on."""
        stride = self._count
        while position < self._count:
            end = self._next_mark(position, min(position + stride, self._count))
            if end > position and (state := self._quiet(self._life, position, end)):
                self._pass_over(state, end)
                position, stride = end, 2 * (end - position)
            elif end - position > 1:
                stride = (end - position) // 2
            else:
                self._life.meet(self._events[position])
                position, stride = position + 1, 2

    def _pass_over(self, state: LeadState, end: int) -> None:
        self._life.pass_over(state, self._last(end))
        self._is_over = end == self._count

    def _last(self, end: int) -> datetime:
        """The moment until which a stretch lasts: its last event, or where the life is to end."""
        return self._until if end == self._count else self._events[end - 1].occurred_at

    def _next_mark(self, position: int, end: int) -> int:
        """The next event that has to be met: it may move the stage by itself, or has something new to say."""
        events, news = self._events, self._track.timeline.news
        for mark in range(position, end):
            if mark in news or self._moves_by_itself(events[mark]):
                return mark
        return end

    def _moves_by_itself(self, event: Event) -> bool:
        """Whether an event may move somebody whatever the score: it is remembered even if it does not."""
        return event.name in self._track.model.sales_facts

    def _quiet(self, life: Life, position: int, end: int) -> LeadState | None:
        """The state after these events, if nothing can move from where the life stands until after them."""
        model, ledger, last = life.model, life.ledger, self._last(end)
        state = self._track.state(end)
        ways = [move for move in model.ways[ledger.stage] if ledger.since + move.wait <= last]
        if not ways or has_objected(life.state):
            return state
        bounds = _bounds(life, self._track, (position, end), last)
        facts = LineFacts(bounds=bounds, profile=model.person.of(life.state.attributes).profile)
        return state if all(holds(model, move, facts) is False for move in ways) else None


def _bounds(life: Life, track: Track, positions: tuple[int, int], last: datetime) -> tuple[Shown, Shown]:
    """The least and the most that is shown at any moment from where the life stands until the last one.

    positions:  those of the events until then, the last one excluded; none tells who the person is
    """
    stretch = (*positions, life.at.timestamp(), last.timestamp())
    if stretch not in track.bounds:
        track.bounds[stretch] = _find_bounds(life, track, stretch)
    return track.bounds[stretch]


def _find_bounds(life: Life, track: Track, stretch: Stretch) -> tuple[Shown, Shown]:
    model, before = life.model, life.state.rules
    _, end, _, _ = stretch
    terms = terms_with(model, track.state(end).rules, model.person.of(life.state.attributes).fits)
    ranges = []
    for term, _ in terms.met:
        lowest, highest = track.range(term.rule, stretch)
        lowest, highest = term.rule.between.of(lowest), term.rule.between.of(highest)
        # A rule that was never met is worth nothing, whatever its bounds.
        met = term.rule.id in before
        ranges.append((lowest, highest) if met else (min(lowest, 0.0), max(highest, 0.0)))
    return (
        _Bound(model, terms, [lowest - _SLACK for lowest, _ in ranges]),
        _Bound(model, terms, [highest + _SLACK for _, highest in ranges]),
    )


class _Bound(LazyShown):
    """What is shown if each rule is worth this."""

    __slots__ = ("_exact", "_model", "_terms")

    def __init__(self, model: Compiled, terms: Terms, exact: list[float]) -> None:
        self._model = model
        self._terms = terms
        self._exact = exact

    def _find(self) -> Shown:
        return shown_of(self._model, sums_of(self._model, self._terms, self._exact))
