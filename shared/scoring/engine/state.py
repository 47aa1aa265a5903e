"""What is kept of a lead between events: profile, decayed sums, window counters.

In: nothing, or bytes from the leads table. Out: `LeadState`, immutable, and its bytes.
Refuses (`Invalid`) bytes of another layout: the caller refolds the lead from its stored events.

Size does not grow with history: at most 100 attributes, one entry per rule that was ever met, three
event ids per entry, eleven bytes for each value (200 at most) that the rule's limit tells apart, and one
entry per purpose of the model with at most 20 withdrawals. All times are seconds since 1970 as floats, which
are exact to the microsecond.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from shared.errors import Invalid
from shared.scoring.definition.conditions import as_profile

LAYOUT: Final = b"\x01"

Stamp = tuple[float, bytes]
"""When an event occurred (seconds since 1970) and its id: the order of everything."""


class Attribute(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was last said about one attribute, and the stamp of the event that said it."""

    value: Any
    stamp: Stamp


class ValueCounts(msgspec.Struct, frozen=True, gc=False):
    """What a limit with `for_each` counted in the newest window.

    index:   of the window
    paid:    hash of a value → events of this value that were paid in it, for at most `MOST_VALUES` values
    newest:  stamp of the newest of them all
    """

    index: int
    paid: dict[int, int]
    newest: Stamp


class RuleState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One rule's state of one lead.

    value, at_s:  points of the paid events, decayed to this moment
    matched:      events that met the rule; `raw` their points without limit and decay
    paid:         events that the limit let through; `limited` their points without decay
    newest:       stamps of the newest paid events, latest first
    last:         stamp of the newest event that met the rule
    window:       (index, paid events in it, stamp of the newest of those), for rules with a limit;
                  `ValueCounts` where the limit is one for each value of a field
    trail:        times of the newest occurrences, latest first, for rules that ask for repetition
    opened_s:     when the first half of a sequence last happened
    seen:         stamp of the newest event looked at, for rules where order matters
    """

    value: float
    at_s: float
    matched: int = 0
    raw: float = 0.0
    paid: int = 0
    limited: float = 0.0
    newest: tuple[Stamp, ...] = ()
    last: Stamp | None = None
    window: tuple[int, int, Stamp] | ValueCounts | None = None
    trail: tuple[float, ...] = ()
    opened_s: float | None = None
    seen: Stamp | None = None


StandingWithdrawal = tuple[float, tuple[int, ...]]
"""When somebody withdrew, and hashes of the identifiers that it came with."""


class PurposeState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one lead said about one purpose (shared/scoring/engine/consent.py).

    said:        stamp of the newest event that said something
    since:       stamp of the event since which the present answer holds; None: it always did
    withdrawals: those that stand
    counted:     events that rules for this purpose looked at; `left_out` those that they were not shown
    last:        stamp of the newest event left out
    newest:      stamp of the newest of both
    """

    said: Stamp | None = None
    since: Stamp | None = None
    withdrawals: tuple[StandingWithdrawal, ...] = ()
    counted: int = 0
    left_out: int = 0
    last: Stamp | None = None
    newest: Stamp | None = None


class LeadState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Everything the score of one lead depends on.

    fold_key:    the model's `fold_key` at the time of folding; empty while nothing was folded
    attributes:  name → last value, last writer by (occurred_at, event_id)
    rules:       rule id → rule_state
    events:      how many events were folded; `first_s`, `last_s` the earliest and the latest of them
    consent:     purpose → what was said about it; empty where no model and no objection asks for it
    """

    fold_key: str = ""
    attributes: dict[str, Attribute] = {}
    rules: dict[str, RuleState] = {}
    events: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    consent: dict[str, PurposeState] = {}

    @property
    def profile(self) -> Mapping[str, Any]:
        """The attributes as conditions see them, `email_domain` among them."""
        return profile_of(self.attributes)

    @property
    def first_at(self) -> datetime | None:
        """When the earliest event occurred; None while there is none."""
        return datetime.fromtimestamp(self.first_s, UTC) if self.events else None

    @property
    def last_at(self) -> datetime | None:
        """When the latest event occurred; None while there is none."""
        return datetime.fromtimestamp(self.last_s, UTC) if self.events else None

    def encode(self) -> bytes:
        """Compact bytes for the leads table: one byte of layout, then msgpack.

        Without consent they are those of before there was any.
        """
        if self.consent:
            return LAYOUT + _encoder.encode(self)
        shorter = (self.fold_key, self.attributes, self.rules, self.events, self.first_s, self.last_s)
        return LAYOUT + _encoder.encode(shorter)


def profile_of(attributes: Mapping[str, Attribute]) -> Mapping[str, Any]:
    """Attributes as conditions see them, `email_domain` among them."""
    return as_profile({name: attribute.value for name, attribute in attributes.items()})


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(LeadState)

EMPTY: Final = LeadState()


def empty() -> LeadState:
    """The state of a lead of whom nothing is known. It is current under every model."""
    return EMPTY


def decode(data: bytes) -> LeadState:
    """The state in these bytes.

    Raises Invalid (`state_unreadable`) if they are of another layout or damaged.
    """
    if data[:1] != LAYOUT:
        raise Invalid(
            "state_unreadable",
            f"state has layout {data[:1]!r}, expected {LAYOUT!r}. Refold the lead from its events",
        )
    try:
        return _decoder.decode(data[1:])
    except msgspec.MsgspecError as error:
        raise Invalid(
            "state_unreadable", f"state is damaged: {error}. Refold the lead from its events"
        ) from error
