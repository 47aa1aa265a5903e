"""A lead's history, folded once: what is kept of the lead after each of its events.

In: the rule states to keep, as a `Chart`; a lead's events in order of time. Out: a `Timeline`; under each
model of the chart a `Track`: the state after any number of events, and what a rule is worth between two.
Refuses (ValueError) events that are not in order.

A life under a model asks for the state at many moments, and two models that differ in a few rules keep the
same rule_states for all others. So every rule_state is kept once, however many models and moments ask for it.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Final, Generic, TypeVar

from shared.events import Event
from shared.scoring.definition.digest import digest
from shared.scoring.definition.rules import EngagementRule
from shared.scoring.definition.stages import Shown
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import OBJECTION_EVENTS, Kept, consider
from shared.scoring.engine.fold import add_said, key_of, match_event, stamp_of
from shared.scoring.engine.matching import NOTHING, Match, event_matchers
from shared.scoring.engine.points import decayed
from shared.scoring.engine.rule_totals import Rules, apply_match
from shared.scoring.engine.state import EMPTY, Attribute, LeadState, RuleState, Stamp

Value = TypeVar("Value")
Attributes = dict[str, Attribute]

Stretch = tuple[int, int, float, float]
"""Positions of the first event and of the one after the last; the moments (seconds since 1970) around them"""

_BEFORE: Final[Stamp] = (float("-inf"), b"")
_NOTHING: Final[Attributes] = {}
_SAID_NOTHING: Final[Kept] = {}


class Chart:
    """The rule_states that some models keep: those of the first one, and what the others keep besides.

    event_matchers:  event name → what an event of this name pays into the rule_states
    asked:     each set of attributes that one of the models looks at
    models:    fold_key → model, those that fold differently
    """

    def __init__(self, first: Compiled, *others: Compiled) -> None:
        kept = {digest(rule.keeps): rule for rule in first.engagement}
        for number, model in enumerate(others):
            for rule in model.engagement:
                kept.setdefault(digest(rule.keeps), replace(rule, id=f"{rule.id} of {number}"))
        rules = tuple(kept.values())
        self.event_matchers = first.event_matchers if rules == first.engagement else event_matchers(rules)
        self.asked = {model.attributes for model in (first, *others)}
        self.models = {model.fold_key: model for model in reversed((first, *others))}
        self._needing = {
            key: {kept[digest(rule.keeps)].id: rule.purpose.id for rule in model.engagement if rule.purpose}
            for key, model in self.models.items()
        }
        self._rule_states = {
            model.fold_key: tuple((rule.id, kept[digest(rule.keeps)].id) for rule in model.engagement)
            for model in (first, *others)
        }

    def rule_states(self, model: Compiled) -> Sequence[tuple[str, str]]:
        """For each rule of this model its id, and the id of its rule_state."""
        return self._rule_states[model.fold_key]

    def needing(self, model: Compiled) -> Mapping[str, str]:
        """Id of a rule_state of this model → the purpose that it needs, if it needs one."""
        return self._needing[model.fold_key]


class Trail(Generic[Value]):
    """Something that is kept of a lead, after each event that changed it.

    positions:  those of the events
    """

    __slots__ = ("positions", "values")

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.values: list[Value] = []

    def add(self, position: int, value: Value) -> None:
        self.positions.append(position)
        self.values.append(value)

    def after(self, count: int) -> Value | None:
        """What is kept after the first `count` events; None if none of them concerned it."""
        place = bisect_left(self.positions, count)
        return self.values[place - 1] if place else None

    def between(self, begin: int, end: int) -> Iterator[tuple[int, Value]]:
        """Each change by the events from one position to another, the last one excluded."""
        first, last = bisect_left(self.positions, begin), bisect_left(self.positions, end)
        return zip(self.positions[first:last], self.values[first:last], strict=True)


RuleTrail = Trail[RuleState | None]
"""What was kept of one rule; None where all of it was taken back"""


class Timeline:
    """One lead's events, and what is kept of the lead after each of them.

    events:  in order of (occurred_at, event_id)
    at_s:    when each of them occurred, in seconds since 1970
    news:    positions of the events that tell something new about the person, or take something back
    """

    def __init__(self, chart: Chart, events: Sequence[Event]) -> None:
        self.events = events
        self.at_s: list[float] = []
        self.news: set[int] = set()
        self._chart = chart
        self._rule_states: defaultdict[str, RuleTrail] = defaultdict(Trail)
        self._left_out: set[str] = set()
        self._consents: Mapping[str, Trail[Kept]] = {key: Trail() for key in chart.models}
        self._said: Mapping[frozenset[str], Trail[Attributes]] = {asked: Trail() for asked in chart.asked}
        self._ranges: dict[tuple[int, Stretch], tuple[float, float]] = {}
        self._asks = any(model.purposes for model in chart.models.values())
        self._fold()

    def lacks(self, rule_states: frozenset[str]) -> bool:
        """Whether no event opened one of these rule_states, or would have with consent."""
        return rule_states.isdisjoint(self._rule_states) and rule_states.isdisjoint(self._left_out)

    def under(self, model: Compiled) -> "Track":
        """What is kept under this model, one of the chart's."""
        trails = self._rule_states
        rule_states = {rule: trails[id_] for rule, id_ in self._chart.rule_states(model) if id_ in trails}
        return Track(self, model, rule_states, self._said[model.attributes], self._consents[model.fold_key])

    def range(self, trail: RuleTrail, rule: EngagementRule, stretch: Stretch) -> tuple[float, float]:
        """The least and the most that a rule_state is worth; models that share it ask for the same."""
        key = (id(trail), stretch)
        if key not in self._ranges:
            self._ranges[key] = self._range(trail, rule, stretch)
        return self._ranges[key]

    def _range(self, trail: RuleTrail, rule: EngagementRule, stretch: Stretch) -> tuple[float, float]:
        # Between two events a value only shrinks towards nothing: extremes lie right before and after them.
        begin, end, since_s, until_s = stretch
        rule_state = trail.after(begin)
        values = [] if rule_state else [0.0]
        for position, changed in trail.between(begin, end):
            at_s = self.at_s[position]
            if rule_state:
                values += (decayed(rule, rule_state, since_s), decayed(rule, rule_state, at_s))
            rule_state, since_s = changed, at_s
            if rule_state is None:
                values.append(0.0)
        if rule_state:
            values += (decayed(rule, rule_state, since_s), decayed(rule, rule_state, until_s))
        return min(values), max(values)

    def _fold(self) -> None:
        """Fold all events, and note what each of them changes."""
        payments, rule_states = self._chart.event_matchers, self._rule_states
        rules: Rules = {}
        before = _BEFORE
        for position, event in enumerate(self.events):
            stamp = stamp_of(event)
            if stamp < before:
                raise ValueError(f"event {event.event_id} comes too late: a life is lived in order")
            before = stamp
            self.at_s.append(stamp[0])
            match, counts = match_event(payments, event), True
            if self._asks or event.name in OBJECTION_EVENTS:
                match, counts = self._consider(position, stamp, match, rules)
            apply_match(rules, match, event, stamp)
            for rule in match.rules():
                rule_states[rule.id].add(position, rules[rule.id])
            if counts and (event.traits or event.email):
                self._hear(position, stamp)

    def _consider(self, position: int, stamp: Stamp, match: Match, rules: Rules) -> tuple[Match, bool]:
        """What consent leaves of an event: for the rules, and whether the profile learns of it."""
        self._asks = True
        event, refused, counts = self.events[position], set[str](), True
        for key, model in self._chart.models.items():
            needing, trail = self._chart.needing(model), self._consents[key]
            kept = trail.after(position) or _SAID_NOTHING
            met = {needing[rule.id] for rule in match.rules() if rule.id in needing}
            verdict = consider(model.purposes, kept, (event, stamp), met)
            assert verdict is not None  # in order, nothing is late
            if verdict.kept is not kept:
                trail.add(position, verdict.kept)
            refused |= {id_ for id_, purpose in needing.items() if purpose in verdict.refused}
            emptied = {id_ for id_, purpose in needing.items() if purpose in verdict.emptied}
            self._take_back(position, rules, set(rules) if verdict.cleared else emptied)
            counts = verdict.counts
            cleared = verdict.cleared
        if cleared:
            for said in self._said.values():
                said.add(position, {})
        if event.name in OBJECTION_EVENTS:
            self.news.add(position)
        self._left_out |= {rule.id for rule in match.rules() if rule.id in refused}
        return (match.without(refused) if counts else NOTHING), counts

    def _take_back(self, position: int, rules: Rules, ids: Iterable[str]) -> None:
        """Keep nothing any more of these rules."""
        for id_ in ids:
            if rules.pop(id_, None):
                self._rule_states[id_].add(position, None)
                self.news.add(position)

    def _hear(self, position: int, stamp: Stamp) -> None:
        """Note what an event says about the person."""
        for asked, trail in self._said.items():
            known = trail.after(position) or _NOTHING
            said = known.copy()
            add_said(said, self.events[position], stamp, asked)
            trail.add(position, said)
            if _tells_more(known, said):
                self.news.add(position)


class Track:
    """A timeline as one model sees it.

    bounds:  the least and the most that is shown in a stretch, of those that were asked for (fast_replay.py)
    """

    def __init__(
        self,
        timeline: Timeline,
        model: Compiled,
        rule_states: Mapping[str, RuleTrail],
        said: Trail[Attributes],
        consents: Trail[Kept],
    ) -> None:
        self.timeline = timeline
        self.model = model
        self._rule_states = rule_states
        self._said = said
        self._consents = consents
        self._states = {0: EMPTY}
        self.bounds: dict[Stretch, tuple[Shown, Shown]] = {}

    def staged_as(self, model: Compiled) -> "Track":
        """The same track for a model that differs in its stages only: what one finds out, both know."""
        same = copy(self)
        same.model = model
        return same

    def state(self, count: int) -> LeadState:
        """What is kept after the first `count` events: what folding them gives."""
        if count not in self._states:
            self._states[count] = self._state(count)
        return self._states[count]

    def range(self, rule: EngagementRule, stretch: Stretch) -> tuple[float, float]:
        """The least and the most that a rule's state is worth at any moment of this stretch."""
        return self.timeline.range(self._rule_states[rule.id], rule, stretch)

    def _state(self, count: int) -> LeadState:
        rules = {}
        for rule, trail in self._rule_states.items():
            if rule_state := trail.after(count):
                rules[rule] = rule_state
        said = self._said.after(count) or _NOTHING
        moments = self.timeline.at_s
        kept = dict(self._consents.after(count) or _SAID_NOTHING)
        return LeadState(key_of(self.model, said), said, rules, count, moments[0], moments[count - 1], kept)


def _tells_more(known: Attributes, said: Attributes) -> bool:
    """Whether these attributes are other ones than those known before, or have other values."""
    if known.keys() != said.keys():
        return True
    for name, attribute in said.items():
        value, before = attribute.value, known[name].value
        # repr: 1, 1.0 and True are equal, and different to conditions; also deep inside.
        if value is not before and repr(value) != repr(before):
            return True
    return False
