"""All events of some leads with their rows, quarantined ones too; and moving rows to another lead.

In: leads with all that were merged into them. Out: events and the leads in their rows.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from services.scorer.identify.facts import NOBODY
from services.scorer.identify.parties import StoredEvent
from shared.codec import decode
from shared.events import Event
from shared.ids import LeadId

_ROWS: Final = """
SELECT received_at, lead_id, quarantine, body FROM events WHERE lead_id = ANY($1::uuid[])
"""
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM events WHERE lead_id = ANY($1::uuid[]) LIMIT $2) found"
_MOVE: Final = """
UPDATE events e SET lead_id = n.lead_id
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) AS n (event_id, received_at, lead_id)
WHERE e.event_id = n.event_id AND e.received_at = n.received_at
"""
_SET_QUARANTINE: Final = """
UPDATE events e SET lead_id = n.lead_id, quarantine = $4
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) AS n (event_id, received_at, lead_id)
WHERE e.event_id = n.event_id AND e.received_at = n.received_at
"""


class Row(NamedTuple):
    """An event and what its row says."""

    event: Event
    lead: LeadId
    quarantine: str | None


async def rows(connection: Any, leads: Iterable[LeadId]) -> list[Row]:
    """Every event whose row has one of these leads."""
    found = await connection.fetch(_ROWS, sorted(leads))
    return [Row(decode(row["body"]), LeadId(row["lead_id"]), row["quarantine"]) for row in found]


async def at_least(connection: Any, leads: Iterable[LeadId], most: int) -> bool:
    """Whether these leads have so many events, or more."""
    number: int = await connection.fetchval(_COUNT, sorted(leads), most)
    return number >= most


async def move(connection: Any, moved: Sequence[tuple[StoredEvent, LeadId]]) -> None:
    """Write other leads into the rows of events."""
    if moved:
        await connection.execute(
            _MOVE,
            [each.event_id for each, _ in moved],
            [each.received_at for each, _ in moved],
            [lead for _, lead in moved],
        )


async def quarantine(connection: Any, events: Sequence[Event], reason: str) -> None:
    """Have these events belong to nobody."""
    await connection.execute(
        _SET_QUARANTINE,
        [one.event_id for one in events],
        [one.received_at for one in events],
        [NOBODY] * len(events),
        reason,
    )


async def release(connection: Any, events: Sequence[Event], lead: LeadId) -> None:
    """Have events of nobody count for this lead."""
    await connection.execute(
        _SET_QUARANTINE,
        [one.event_id for one in events],
        [one.received_at for one in events],
        [lead] * len(events),
        None,
    )
