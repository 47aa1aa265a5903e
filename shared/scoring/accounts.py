"""An event that rules are met by → the accounts of these rules.

In: what the event pays, when it occurred, the accounts of one lead. Out: the next accounts, in place.
Refuses (False) an event older than one that a limit, a repetition or a sequence has counted already: what it
pays cannot be told without the lead's other events.
"""

from math import exp2
from typing import Final

from shared.scoring.answers import Payment
from shared.scoring.rules import EngagementRule, Limit
from shared.scoring.state import RuleState, Stamp

NEWEST_KEPT: Final = 3

Rules = dict[str, RuleState]
"""Rule id → its account"""
Counter = tuple[int, int, Stamp]
"""(index of the window, events paid in it, stamp of the newest of them)"""


def account_for(rules: Rules, payment: Payment, stamp: Stamp) -> bool:
    """Add an event to the account of every rule it concerns; False if one of them cannot tell."""
    pays, opens = payment
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
