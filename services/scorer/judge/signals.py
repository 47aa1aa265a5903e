"""What can be held against an event, and the verdict that comes of it (pure).

Out: `Signal`, `Verdict`. The reasons are a closed set: metrics have them as a label, shared/leads/trouble.py
has a sentence for each.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

STRONG: Final = (
    *("trap_link", "own_network", "datacentre", "many_links", "several_clients", "burst"),
    *("other_client", "privacy_proxy"),
)
"""Held against an event whatever the person does later, the most telling first."""

NEIGHBOURS: Final = "neighbours"

WEAK: Final = ("quick_click", "before_open", NEIGHBOURS)
"""Lifted by a visit that follows, or by a later proof that a person was there."""

REASONS: Final = frozenset({*STRONG, *WEAK})
_ORDER: Final = {reason: place for place, reason in enumerate((*STRONG, *WEAK))}


class Signal(NamedTuple):
    """One thing that is held against an event. says: with its numbers, for whoever looks."""

    reason: str
    says: str


class Verdict(NamedTuple):
    """Why an event is no person's. signals: all that was found, the most telling first."""

    reason: str
    signals: tuple[str, ...]

    @property
    def weak(self) -> bool:
        return self.reason in WEAK


def verdict(found: Sequence[Signal]) -> Verdict | None:
    """What these signals come to; None without any. Beside a strong one, weak ones add nothing."""
    strong = [one for one in found if one.reason in STRONG]
    ordered = sorted(dict.fromkeys(strong or found), key=lambda one: (_ORDER[one.reason], one.says))
    return Verdict(ordered[0].reason, tuple(one.says for one in ordered)) if ordered else None
