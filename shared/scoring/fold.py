"""Events → state, one at a time or all at once.

In: a model, a state, an event (or all of a lead's events). Out: the next state; None from `fold` where
the event cannot be added without knowing the others: the caller then calls `refold`.
Refuses to judge: the caller leaves out duplicates, quarantined events and those without consent.

The result does not depend on the order of events. What is cheap to keep in any order (sums, counts,
newest, last writer) is folded in any order; what is not (an event older than one already counted by a
limit, a repetition or a sequence) is given back as None. Both routes end in the same numbers.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import exp2, inf
from operator import itemgetter
from typing import Any, Final

import msgspec

from shared.events import Event
from shared.scoring.answers import Payment
from shared.scoring.model import Model
from shared.scoring.rules import EngagementRule, Limit
from shared.scoring.state import EMPTY, Attribute, LeadState, RuleState, Stamp

MAX_ATTRIBUTES: Final = 100
MAX_TEXT_CHARS: Final = 500
MAX_VALUE_BYTES: Final = 2_000
NEWEST_KEPT: Final = 3
_STILL: Final = (False, False, inf, -inf)

Rules = dict[str, RuleState]
Paying = tuple[tuple[EngagementRule, float], ...]
Opening = tuple[EngagementRule, ...]
Swing = tuple[bool, bool, float, float]
"""Whether events were worth points, or cost some; the lowest and the highest value right after an event."""
Counter = tuple[int, int, Stamp]
"""(index of the window, events paid in it, stamp of the newest of them)"""


def fold(model: Model, state: LeadState, event: Event) -> LeadState | None:
    """The state after one more event.

        event:  not folded into this state before

    Returns None if this needs the lead's other events (use `refold`), which is also so for a state
    that was folded under a model whose rules were different.
    """
    if not is_current(model, state):
        return None
    stamp = at_s, _ = _stamp(event)
    rules, attributes = state.rules, state.attributes
    pays, opens = _payment(model, event)
    if pays or opens:
        rules = rules.copy()
        if not _fold_rules(rules, pays, opens, stamp):
            return None
    if event.traits or event.email:
        attributes = attributes.copy()
        _fold_attributes(model, attributes, event, stamp)
    if not state.events:
        return LeadState(model.fold_key, attributes, rules, 1, at_s, at_s)
    first_s, last_s = state.first_s, state.last_s
    if at_s > last_s:
        last_s = at_s
    elif at_s < first_s:
        first_s = at_s
    return LeadState(model.fold_key, attributes, rules, state.events + 1, first_s, last_s)


def fold_along(
    model: Model, state: LeadState, events: Sequence[Event]
) -> tuple[LeadState, dict[str, Swing]] | None:
    """The state after several more events, and how each rule's account swung on the way.

    It is what folding them one after the other gives, at a third of the cost. Returns None where `fold` does.
    """
    if not is_current(model, state):
        return None
    rules, attributes = state.rules.copy(), state.attributes
    swings: dict[str, Swing] = {}
    first_s, last_s = (state.first_s, state.last_s) if state.events else (inf, -inf)
    for event in events:
        stamp = at_s, _ = _stamp(event)
        pays, opens = _payment(model, event)
        if not _fold_rules(rules, pays, opens, stamp):
            return None
        for rule, points in pays:
            swings[rule.id] = _swung(swings.get(rule.id, _STILL), points, rules[rule.id].value)
        if event.traits or event.email:
            if attributes is state.attributes:
                attributes = attributes.copy()
            _fold_attributes(model, attributes, event, stamp)
        first_s, last_s = min(first_s, at_s), max(last_s, at_s)
    if not events:
        return state, swings
    count = state.events + len(events)
    return LeadState(model.fold_key, attributes, rules, count, first_s, last_s), swings


def _swung(swing: Swing, points: float, value: float) -> Swing:
    """The swing after one more event that met the rule."""
    rose, fell, lowest, highest = swing
    return (
        rose or points > 0,
        fell or points < 0,
        min(lowest, value),
        max(highest, value),
    )


def refold(model: Model, events: Iterable[Event], *, until: datetime | None = None) -> LeadState:
    """The state after all these events, from nothing.

    events:  every counting event of the lead, each once, in any order
    until:   leave out what occurred later; this is how a past score is derived
    """
    ordered = _ordered(events, until)
    if not ordered:
        return EMPTY
    rules: Rules = {}
    attributes: dict[str, Attribute] = {}
    for stamp, event in ordered:
        pays, opens = _payment(model, event)
        _fold_rules(rules, pays, opens, stamp)
        if event.traits or event.email:
            _fold_attributes(model, attributes, event, stamp)
    return LeadState(model.fold_key, attributes, rules, len(ordered), ordered[0][0][0], ordered[-1][0][0])


def is_current(model: Model, state: LeadState) -> bool:
    """Whether this state was folded under rules like this model's; if not, refold before scoring."""
    return state.fold_key == model.fold_key or not state.fold_key


def _ordered(events: Iterable[Event], until: datetime | None) -> list[tuple[Stamp, Event]]:
    stamped = [(_stamp(event), event) for event in events if until is None or event.occurred_at <= until]
    stamped.sort(key=itemgetter(0))
    return stamped


def _stamp(event: Event) -> Stamp:
    """When it occurred, and its id: `UUID.bytes` would do the same in twice the time."""
    return event.occurred_at.timestamp(), event.event_id.int.to_bytes(16, "big")


def _payment(model: Model, event: Event) -> Payment:
    """What the event does to the rules, whoever's it is."""
    payments = model.payments
    return (payments.get(event.name) or payments[""]).of(event)


def _fold_rules(rules: Rules, pays: Paying, opens: Opening, stamp: Stamp) -> bool:
    """Add an event to every rule it concerns; False if one of them cannot tell."""
    for rule, points in pays:
        if not _pay(rule, rules, points, stamp):
            return False
    return not opens or all(_open(rule, rules, stamp) for rule in opens)


def _pay(rule: EngagementRule, rules: Rules, points: float, stamp: Stamp) -> bool:
    """Account for an event that met the rule; False if it came too late to tell what it pays."""
    account = rules.get(rule.id)
    if account is None:
        account = RuleState(0.0, stamp[0])
    if rule.repeat or rule.after:
        if account.seen is not None and stamp < account.seen:
            return False
        qualifies = _qualifies(rule, account, stamp[0])
        account = _remember(rule, account, stamp)
        if not qualifies:
            rules[rule.id] = account
            return True
    if rule.limit is None:
        rules[rule.id] = _paid(rule, account, points, stamp, account.window)
        return True
    admitted = _admit(rule.limit, account.window, stamp)
    if admitted is None:
        return False
    window, pays = admitted
    rules[rule.id] = _paid(rule, account, points, stamp, window) if pays else _cut_off(account, points, stamp)
    return True


def _admit(limit: Limit, window: Counter | None, stamp: Stamp) -> tuple[Counter, bool] | None:
    """The window's counter after this event, and whether the limit lets it pay; None if it came too late."""
    index = limit.per.index(stamp[0])
    if window is None or index > window[0]:
        return (index, 1, stamp), True
    if index < window[0]:
        return None
    if window[1] < limit.times:
        return (index, window[1] + 1, max(window[2], stamp)), True
    return (window, False) if stamp > window[2] else None


def _qualifies(rule: EngagementRule, account: RuleState, at_s: float) -> bool:
    """Whether repetition and sequence let an event pay that occurs now, as the newest."""
    if rule.after and (account.opened_s is None or at_s - account.opened_s > rule.after.within_s):
        return False
    if rule.repeat:
        before = rule.repeat.times - 2
        if before >= 0 and (
            len(account.trail) <= before or at_s - account.trail[before] > rule.repeat.within_s
        ):
            return False
    return True


def _remember(rule: EngagementRule, account: RuleState, stamp: Stamp) -> RuleState:
    """Note that an event met the rule, whether or not it pays."""
    trail = (stamp[0], *account.trail)[: rule.repeat.times - 1] if rule.repeat else ()
    return _looked_at(account, stamp, trail, account.opened_s)


def _open(rule: EngagementRule, rules: Rules, stamp: Stamp) -> bool:
    """Note the first half of a sequence; False if it came too late."""
    account = rules.get(rule.id)
    if account is None:
        account = RuleState(0.0, stamp[0])
    if account.seen is not None and stamp < account.seen:
        return False
    rules[rule.id] = _looked_at(account, stamp, account.trail, stamp[0])
    return True


def _looked_at(
    account: RuleState, stamp: Stamp, trail: tuple[float, ...], opened_s: float | None
) -> RuleState:
    """The account after an event was looked at, before anything is paid."""
    return RuleState(
        account.value,
        account.at_s,
        account.matched,
        account.raw,
        account.paid,
        account.limited,
        account.newest,
        account.last,
        account.window,
        trail,
        opened_s,
        stamp,
    )


def _paid(
    rule: EngagementRule, account: RuleState, points: float, stamp: Stamp, window: Counter | None
) -> RuleState:
    """The account after an event that met the rule and is paid."""
    value, at_s = account.value, account.at_s
    half_life_s = rule.half_life_s
    if half_life_s is None:
        value += points
    elif stamp[0] >= at_s:
        value = value * exp2((at_s - stamp[0]) / half_life_s) + points
        at_s = stamp[0]
    else:
        value += points * exp2((stamp[0] - at_s) / half_life_s)
    newest, last = account.newest, account.last
    if last is None or stamp > last:
        last, newest = stamp, (stamp, *newest[: NEWEST_KEPT - 1])
    else:
        newest = tuple(sorted((stamp, *newest), reverse=True))[:NEWEST_KEPT]
    return RuleState(
        value,
        at_s,
        account.matched + 1,
        account.raw + points,
        account.paid + 1,
        account.limited + points,
        newest,
        last,
        window,
        account.trail,
        account.opened_s,
        account.seen,
    )


def _cut_off(account: RuleState, points: float, stamp: Stamp) -> RuleState:
    """The account after an event that met the rule but came after its limit was used up."""
    last = account.last
    return RuleState(
        account.value,
        account.at_s,
        account.matched + 1,
        account.raw + points,
        account.paid,
        account.limited,
        account.newest,
        stamp if last is None or stamp > last else last,
        account.window,
        account.trail,
        account.opened_s,
        account.seen,
    )


def _fold_attributes(model: Model, attributes: dict[str, Attribute], event: Event, stamp: Stamp) -> None:
    """Last writer wins, per attribute."""
    said = {**event.traits, "email": event.email} if event.email else event.traits
    for name, value in said.items():
        known = attributes.get(name)
        if (known is None or stamp > known.stamp) and _keepable(value):
            attributes[name] = Attribute(value[:MAX_TEXT_CHARS] if isinstance(value, str) else value, stamp)
    if len(attributes) > MAX_ATTRIBUTES:
        # The smallest by a fixed order, so that what is kept does not depend on the order of events.
        kept = sorted(attributes, key=lambda name: (name not in model.attributes, name))[:MAX_ATTRIBUTES]
        for name in attributes.keys() - set(kept):
            del attributes[name]


def _keepable(value: Any) -> bool:
    """Whether a value is small and plain enough to be kept with the lead."""
    if value is None or isinstance(value, str | bool):
        return True
    try:
        return len(msgspec.msgpack.encode(value)) <= MAX_VALUE_BYTES
    except (OverflowError, TypeError, ValueError, RecursionError):
        return False
