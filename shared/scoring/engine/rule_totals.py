"""What an event adds to the totals that are kept of a lead, rule by rule.

In: an event, what it pays and when it occurred, the rule_states of one lead. Out: the next rule_states, in
place.
Refuses (False) an event older than one that a limit, a repetition or a sequence has counted already: what it
pays cannot be told without the lead's other events.
"""

from math import exp2
from typing import Any, Final

from msgspec.structs import replace

from shared.events import Event
from shared.scoring.definition.rules import EngagementRule, Limit
from shared.scoring.engine.matching import Match
from shared.scoring.engine.state import RuleState, Stamp, ValueCounts
from shared.scoring.engine.value_limit import admit_value

NEWEST_KEPT: Final = 3

Rules = dict[str, RuleState]
"""Rule id → its rule_state"""
Counter = tuple[int, int, Stamp]
"""(index of the window, events paid in it, stamp of the newest of them)"""


def apply_match(rules: Rules, match: Match, event: Event, stamp: Stamp) -> bool:
    """Add an event to the rule_state of every rule it concerns; False if one of them cannot tell."""
    pays, opens, pays_value = match
    for rule, points in pays:
        if not _pay(rule, rules, points, stamp):
            return False
    if pays_value:  # most models have no such rule, and an empty loop costs more than this
        for rule, points, value_of in pays_value:
            if not _pay(rule, rules, points, stamp, value_of(event)):
                return False
    return not opens or all(_open(rule, rules, stamp) for rule in opens)


def _pay(rule: EngagementRule, rules: Rules, points: float, stamp: Stamp, value: int | None = None) -> bool:
    """Account for an event that met the rule; False if it came too late to tell what it pays.

    value:  the hash of its value, if the rule's limit is one for each value of a field
    """
    rule_state = rules.get(rule.id)
    if rule_state is None:
        rule_state = RuleState(0.0, stamp[0])
    if rule.repeat or rule.after:  # `needs_order`, without the cost of a call for every match
        if rule_state.seen is not None and stamp < rule_state.seen:
            return False
        qualifies = _qualifies(rule, rule_state, stamp[0])
        rule_state = _remember(rule, rule_state, stamp)
        if not qualifies:
            rules[rule.id] = rule_state
            return True
    if rule.limit is None:
        rules[rule.id] = _paid(rule, rule_state, points, stamp, rule_state.window)
        return True
    # Which of the two it is follows from the rule, as in every state of this fold_key: asking would cost.
    counted: Any = rule_state.window
    admitted: tuple[Counter | ValueCounts, bool] | None
    if value is None:
        admitted = _admit(rule.limit, counted, stamp)
    else:
        admitted = admit_value(rule.limit, counted, value, stamp)
    if admitted is None:
        return False
    window, pays = admitted
    rules[rule.id] = (
        _paid(rule, rule_state, points, stamp, window) if pays else _cut_off(rule_state, points, stamp)
    )
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


def _qualifies(rule: EngagementRule, rule_state: RuleState, at_s: float) -> bool:
    """Whether repetition and sequence let an event pay that occurs now, as the newest."""
    if rule.after and (rule_state.opened_s is None or at_s - rule_state.opened_s > rule.after.within_s):
        return False
    if rule.repeat:
        before = rule.repeat.times - 2
        if before >= 0 and (
            len(rule_state.trail) <= before or at_s - rule_state.trail[before] > rule.repeat.within_s
        ):
            return False
    return True


def _remember(rule: EngagementRule, rule_state: RuleState, stamp: Stamp) -> RuleState:
    """Note that an event met the rule, whether or not it pays."""
    trail = (stamp[0], *rule_state.trail)[: rule.repeat.times - 1] if rule.repeat else ()
    return replace(rule_state, trail=trail, seen=stamp)


def _open(rule: EngagementRule, rules: Rules, stamp: Stamp) -> bool:
    """Note the first half of a sequence; False if it came too late."""
    rule_state = rules.get(rule.id)
    if rule_state is None:
        rule_state = RuleState(0.0, stamp[0])
    if rule_state.seen is not None and stamp < rule_state.seen:
        return False
    rules[rule.id] = replace(rule_state, opened_s=stamp[0], seen=stamp)
    return True


def _paid(
    rule: EngagementRule,
    rule_state: RuleState,
    points: float,
    stamp: Stamp,
    window: Counter | ValueCounts | None,
) -> RuleState:
    """The rule_state after an event that met the rule and is paid."""
    value, at_s = rule_state.value, rule_state.at_s
    half_life_s = rule.half_life_s
    if half_life_s is None:
        value += points
    elif stamp[0] >= at_s:
        value = value * exp2((at_s - stamp[0]) / half_life_s) + points
        at_s = stamp[0]
    else:
        value += points * exp2((stamp[0] - at_s) / half_life_s)
    newest, last = rule_state.newest, rule_state.last
    if last is None or stamp > last:
        last, newest = stamp, (stamp, *newest[: NEWEST_KEPT - 1])
    else:
        newest = tuple(sorted((stamp, *newest), reverse=True))[:NEWEST_KEPT]
    return replace(
        rule_state,
        value=value,
        at_s=at_s,
        matched=rule_state.matched + 1,
        raw=rule_state.raw + points,
        paid=rule_state.paid + 1,
        limited=rule_state.limited + points,
        newest=newest,
        last=last,
        window=window,
    )


def _cut_off(rule_state: RuleState, points: float, stamp: Stamp) -> RuleState:
    """The rule_state after an event that met the rule but came after its limit was used up."""
    last = rule_state.last
    return replace(
        rule_state,
        matched=rule_state.matched + 1,
        raw=rule_state.raw + points,
        last=stamp if last is None or stamp > last else last,
    )
