"""Limits for each value of a field: one e-mail opened five times pays once, three e-mails pay three times.

In: what such a limit counted in the newest window, the hash of an event's value, when it occurred. Out: what
it has counted with this event, and whether the event is paid.
Refuses (None) an event older than one that was paid, where it might have to be paid in the place of another.

In each window the `MOST_VALUES` values whose first event came first are told apart, and of each of them the
`times` earliest events are paid; events of any further value are not. So nothing is ever forgotten that could
change an answer, and what is kept does not grow: whatever comes in order of time is told at once.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from shared.events import Event
from shared.scoring.definition.fields import event_getter
from shared.scoring.definition.rules import MOST_VALUES, EngagementRule, Limit, value_key
from shared.scoring.engine.memo import FieldResults
from shared.scoring.engine.state import RuleState, Stamp, ValueCounts

_HASH_BYTES: Final = 8


def admit_value(
    limit: Limit, counts: ValueCounts | None, value: int, stamp: Stamp
) -> tuple[ValueCounts, bool] | None:
    """What was counted with this event, and whether it is paid; None if it came too late to tell.

    value:  the hash of its value
    """
    index = limit.per.index(stamp[0])
    if counts is None or index > counts.index:
        return ValueCounts(index, {value: 1}, stamp), True
    if index < counts.index:
        return None
    before = counts.paid.get(value, 0)
    if before >= limit.times or (not before and len(counts.paid) >= MOST_VALUES):
        # Later than all that was paid, it displaces nothing; else it may be among the earliest.
        return (counts, False) if stamp > counts.newest else None
    return ValueCounts(index, {**counts.paid, value: before + 1}, max(counts.newest, stamp)), True


def room(limit: Limit, counts: ValueCounts, at_s: float) -> int:
    """How many more events of this moment it would pay, of whatever values."""
    used = sum(counts.paid.values()) if counts.index == limit.per.index(at_s) else 0
    return limit.most - used


def things_of(rule: EngagementRule, rule_state: RuleState) -> int:
    """How many different values a rule paid; 0 where its limit tells none apart, or anew in each window."""
    counts = rule_state.window
    if not isinstance(counts, ValueCounts) or rule.limit is None or rule.limit.per.unit != "ever":
        return 0
    return len(counts.paid)


def value_hasher(path: str) -> Callable[[Event], int]:
    """What fetches the hash of this field's value in an event; that of no value is one of its own."""
    get: Callable[[Event], Any] = event_getter(path) or (lambda _: None)
    known = FieldResults(_hash)
    return lambda event: int(known.of(get(event)))


def _hash(value: object) -> int:
    """The same number for values that count as the same, in every process."""
    text = value_key(value).encode(errors="surrogatepass")  # half an emoji is a value too
    return int.from_bytes(blake2b(text, digest_size=_HASH_BYTES).digest())
