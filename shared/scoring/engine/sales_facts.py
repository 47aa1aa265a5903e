"""What sales said about a lead, as far as it is remembered, and what of it is no news.

In: events that may enter a stage by themselves. Out: `SalesFact`, one for each, with where the lead stood
before it; whether an event tells what was told before. shared/scoring/engine/rewind.py applies them in order.
Refuses to remember more than `MOST_FACTS` of one lead: the oldest are forgotten.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from shared.events import Event
from shared.ids import EventId
from shared.scoring.definition.stages import StageName

LEAD_MOVED: Final = "lead.moved"
DEAL_CREATED: Final = "deal.created"
DEAL_WON: Final = "deal.won"
DEAL_LOST: Final = "deal.lost"

FACTS_OF_EVERY_MODEL: Final = frozenset({LEAD_MOVED, DEAL_WON, DEAL_LOST})
"""From a CRM these are sales facts whatever the model names: they move by hand, or end a deal."""

MOST_FACTS: Final = 32
MAX_DEAL_ID_CHARS: Final = 100
_DEAL_IDS: Final = ("deal_id", "dealId", "opportunity_id")

Stamp = tuple[float, EventId]
"""When it happened, in seconds, and the event's id: the order of a lead's history."""


class SalesFact(msgspec.Struct, frozen=True, array_like=True):
    """One sales fact, and what it did to the lead.

    occurred_s: when it happened, in seconds since 1970
    judged_at:  when it was applied; one that happened before it and is told later is applied as of then
    stage, since, held_until: where the lead stood before it
    led_to:     the stage after it; the same stage if it moved nothing
    deal:       the deal's id; None if the event names none
    """

    occurred_s: float
    event_id: EventId
    name: str
    judged_at: datetime
    stage: StageName
    since: datetime
    held_until: datetime | None
    led_to: StageName
    deal: str | None = None

    @property
    def stamp(self) -> Stamp:
        """Its place in the order of time."""
        return self.occurred_s, self.event_id


def stamp_of(event: Event) -> Stamp:
    """The event's place in the order of time."""
    return event.occurred_at.timestamp(), event.event_id


def deal_of(event: Event) -> str | None:
    """The id of the deal that an event is about; 7 and "7" are the same deal.

    None for a move by hand, which may well be repeated, and for an id longer than `MAX_DEAL_ID_CHARS`.
    """
    if event.name == LEAD_MOVED:
        return None
    deal = event.properties.get("deal")
    given = [event.properties.get(name) for name in _DEAL_IDS]
    given.append(deal.get("id") if isinstance(deal, dict) else None)
    return next(filter(None, map(_id, given)), None)


def told_before(name: str, deal: str | None, earlier: Iterable[SalesFact]) -> bool:
    """Whether a fact is no news after these: the same of the same deal, or the beginning of a closed one.

    A deal that was lost may still be won; one that was won or lost is not opened again.
    """
    if deal is None:
        return False
    told = {fact.name for fact in earlier if fact.deal == deal}
    return name in told or (name == DEAL_CREATED and not told.isdisjoint({DEAL_WON, DEAL_LOST}))


def _id(value: Any) -> str | None:
    """An id as text; None if it is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    return text if 0 < len(text) <= MAX_DEAL_ID_CHARS else None
