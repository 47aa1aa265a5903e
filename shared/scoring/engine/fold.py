"""Folds events into what is kept of a lead, one at a time or all at once.

In: a model, a state, an event (or all of a lead's events). Out: the next state; None from `fold` where
the event cannot be added without knowing the others: the caller then calls `refold`.
Refuses to judge: the caller leaves out duplicates and quarantined events.

The result does not depend on the order of events. What is cheap to keep in any order (sums, counts,
newest, last writer) is folded in any order; what is not (an event older than one already counted by a
limit, a repetition or a sequence) is given back as None. Both routes end in the same numbers.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

import msgspec

from shared.events import Event
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import OBJECTION_EVENTS, consider
from shared.scoring.engine.matching import NOTHING, EventMatcher, Match
from shared.scoring.engine.rule_totals import Rules, apply_match
from shared.scoring.engine.state import EMPTY, Attribute, LeadState, Stamp

MAX_ATTRIBUTES: Final = 100
MAX_TEXT_CHARS: Final = 500
MAX_VALUE_BYTES: Final = 2_000
_BEFORE_S: Final = float("-inf")
_PLAIN: Final = frozenset({str, bool, float})


def fold(model: Compiled, state: LeadState, event: Event, *, in_order: bool = False) -> LeadState | None:
    """The state after one more event.

        event:     not folded into this state before
        in_order:  the caller knows that it comes after all that were, by (occurred_at, event_id)

    Returns None if this needs the lead's other events (use `refold`), which is also so for a state
    that was folded under a model whose rules were different.
    """
    if not is_current(model, state):
        return None
    stamp = at_s, _ = stamp_of(event)
    if model.purposes or state.consent or event.name in OBJECTION_EVENTS:  # hardly ever
        return _fold_by_consent(model, state, event, _BEFORE_S if in_order else state.last_s)
    rules, attributes = state.rules, state.attributes
    match = match_event(model.event_matchers, event)
    if match is not NOTHING:
        rules = rules.copy()
        if not apply_match(rules, match, event, stamp):
            return None
    if event.traits or event.email:
        attributes = attributes.copy()
        add_said(attributes, event, stamp, model.attributes)
    if not state.events:
        return LeadState(key_of(model, attributes), attributes, rules, 1, at_s, at_s, state.consent)
    first_s, last_s = state.first_s, state.last_s
    if at_s > last_s:
        last_s = at_s
    elif at_s < first_s:
        first_s = at_s
    # The empty one as it is: making another costs.
    return LeadState(
        key_of(model, attributes), attributes, rules, state.events + 1, first_s, last_s, state.consent
    )


def refold(model: Compiled, events: Iterable[Event], *, until: datetime | None = None) -> LeadState:
    """The state after all these events, from nothing.

    events:  every counting event of the lead, each once, in any order
    until:   leave out what occurred later; this is how a past score is derived
    """
    ordered = _ordered(events, until)
    if not ordered:
        return EMPTY
    if model.purposes or any(event.name in OBJECTION_EVENTS for _, event in ordered):
        return _refold_by_consent(model, ordered)
    rules: Rules = {}
    attributes: dict[str, Attribute] = {}
    for stamp, event in ordered:
        apply_match(rules, match_event(model.event_matchers, event), event, stamp)
        if event.traits or event.email:
            add_said(attributes, event, stamp, model.attributes)
    return LeadState(
        key_of(model, attributes), attributes, rules, len(ordered), ordered[0][0][0], ordered[-1][0][0]
    )


def _fold_by_consent(model: Compiled, state: LeadState, event: Event, newest_s: float) -> LeadState | None:
    """`fold` for a model or a person that asks for consent.

    newest_s:  when the newest event known so far occurred; before all time if they come in order
    """
    newest_s = newest_s if state.events else _BEFORE_S
    stamp, match = stamp_of(event), match_event(model.event_matchers, event)
    met = {rule.purpose.id for rule in match.rules() if rule.purpose}
    verdict = consider(model.purposes, state.consent, (event, stamp), met, newest_s)
    if verdict is None:
        return None
    rules, attributes = ({}, {}) if verdict.cleared else (state.rules.copy(), state.attributes)
    if verdict.emptied:
        for rule in model.engagement:
            if rule.purpose and rule.purpose.id in verdict.emptied:
                rules.pop(rule.id, None)
    if verdict.counts:
        if verdict.refused:
            match = match.without(_needing(match, verdict.refused))
        if not apply_match(rules, match, event, stamp):
            return None
        if event.traits or event.email:
            attributes = attributes.copy()
            add_said(attributes, event, stamp, model.attributes)
    first_s, last_s = (state.first_s, state.last_s) if state.events else (stamp[0], stamp[0])
    return LeadState(
        key_of(model, attributes),
        attributes,
        rules,
        state.events + 1,
        min(first_s, stamp[0]),
        max(last_s, stamp[0]),
        dict(verdict.kept),
    )


def _refold_by_consent(model: Compiled, ordered: Iterable[tuple[Stamp, Event]]) -> LeadState:
    """`refold` for a model or a person that asks for consent: events in order are never too late."""
    state = EMPTY
    for _, event in ordered:
        folded = _fold_by_consent(model, state, event, _BEFORE_S)
        if folded is None:
            raise ValueError(f"event {event.event_id} came in order and was found late")
        state = folded
    return state


def _needing(match: Match, refused: Collection[str]) -> frozenset[str]:
    """The rules of this match that need one of these purposes."""
    return frozenset(rule.id for rule in match.rules() if rule.purpose and rule.purpose.id in refused)


def is_current(model: Compiled, state: LeadState) -> bool:
    """Whether this state was folded under rules like this model's; if not, refold before scoring."""
    return not state.fold_key or state.fold_key == key_of(model, state.attributes)


def key_of(model: Compiled, attributes: Mapping[str, Attribute]) -> str:
    """Under what a state with these attributes is folded: what is asked for, where some may be left out."""
    return model.fold_key if len(attributes) < MAX_ATTRIBUTES else model.full_key


def stamp_of(event: Event) -> Stamp:
    """When it occurred, and its id: `UUID.bytes` would do the same in twice the time."""
    return event.occurred_at.timestamp(), event.event_id.int.to_bytes(16, "big")


def match_event(event_matchers: Mapping[str, EventMatcher], event: Event) -> Match:
    """What the event does to the rules, whoever's it is; see `Compiled.event_matchers`."""
    return (event_matchers.get(event.name) or event_matchers[""]).of(event)


def add_said(attributes: dict[str, Attribute], event: Event, stamp: Stamp, asked: Collection[str]) -> None:
    """Add what an event says about the person: the last writer wins, per attribute.

    asked:  the attributes that a model looks at, which are kept whatever else is said
    """
    said = {**event.traits, "email": event.email} if event.email else event.traits
    for name, value in said.items():
        known = attributes.get(name)
        if (known is None or stamp > known.stamp) and _keepable(value):
            attributes[name] = Attribute(value[:MAX_TEXT_CHARS] if isinstance(value, str) else value, stamp)
    if len(attributes) > MAX_ATTRIBUTES:
        # The smallest by a fixed order, so that what is kept does not depend on the order of events.
        kept = sorted(attributes, key=lambda name: (name not in asked, name))[:MAX_ATTRIBUTES]
        for name in attributes.keys() - set(kept):
            del attributes[name]


def _ordered(events: Iterable[Event], until: datetime | None) -> list[tuple[Stamp, Event]]:
    stamped = [(stamp_of(event), event) for event in events if until is None or event.occurred_at <= until]
    stamped.sort(key=itemgetter(0))
    return stamped


def _keepable(value: Any) -> bool:
    """Whether a value is small and plain enough to be kept with the lead."""
    if value is None or type(value) in _PLAIN:
        return True
    try:
        return len(msgspec.msgpack.encode(value)) <= MAX_VALUE_BYTES
    except (OverflowError, TypeError, ValueError, RecursionError):
        return False
