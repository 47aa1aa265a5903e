"""All events of some leads with their rows, quarantined ones too; moving rows, and having them count or not.

In: leads with all that were merged into them. Out: events and the leads in their rows.
Refuses to change a quarantine silently: quarantine_changes has each change, so that the books can be checked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from services.scorer.identify.parties import StoredEvent
from shared.codec import decode
from shared.events import Event
from shared.ids import NOBODY, LeadId

_ROWS: Final = """
SELECT received_at, lead_id, quarantine, body FROM events WHERE lead_id = ANY($1::uuid[])
"""
_SET_ASIDE: Final = f"{_ROWS} AND quarantine = $2"
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM events WHERE lead_id = ANY($1::uuid[]) LIMIT $2) found"
_COUNTED: Final = "SELECT count(*) FROM events WHERE lead_id = ANY($1::uuid[]) AND quarantine IS NULL"
_MOVE: Final = """
UPDATE events e SET lead_id = n.lead_id
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) AS n (event_id, received_at, lead_id)
WHERE e.event_id = n.event_id AND e.received_at = n.received_at
"""
_SET_QUARANTINE: Final = """
WITH n AS (SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) AS n (event_id, received_at)),
before AS (SELECT event_id, received_at, e.quarantine FROM events e JOIN n USING (event_id, received_at)),
changed AS (
  UPDATE events e SET lead_id = coalesce($3::uuid, e.lead_id), quarantine = $4::text
  FROM n WHERE e.event_id = n.event_id AND e.received_at = n.received_at
  RETURNING e.event_id, e.received_at
)
INSERT INTO quarantine_changes (event_id, received_at, reason_before, reason, made_by, note)
SELECT event_id, received_at, before.quarantine, $4, $5, $6
FROM before JOIN changed USING (event_id, received_at)
"""


BY_JUDGE: Final = "the judge"
"""Who has events count or not, where no person decided."""

BY_HAND: Final = "by_hand"
"""Why an event does not count that a person quarantined."""


class Row(NamedTuple):
    """An event and what its row says."""

    event: Event
    lead: LeadId
    quarantine: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who has events count or not, and what they say about it."""

    name: str
    note: str = ""


async def rows(connection: Any, leads: Iterable[LeadId]) -> list[Row]:
    """Every event whose row has one of these leads."""
    return _read(await connection.fetch(_ROWS, sorted(leads)))


async def set_aside(connection: Any, leads: Iterable[LeadId], reason: str) -> list[Row]:
    """Every event whose row has one of these leads, and this reason not to count."""
    return _read(await connection.fetch(_SET_ASIDE, sorted(leads), reason))


def _read(found: Sequence[Any]) -> list[Row]:
    return [Row(decode(row["body"]), LeadId(row["lead_id"]), row["quarantine"]) for row in found]


async def at_least(connection: Any, leads: Iterable[LeadId], most: int) -> bool:
    """Whether these leads have so many events, or more."""
    number: int = await connection.fetchval(_COUNT, sorted(leads), most)
    return number >= most


async def counted(connection: Any, leads: Iterable[LeadId]) -> int:
    """How many events of these leads count."""
    number: int = await connection.fetchval(_COUNTED, sorted(leads))
    return number


async def move(connection: Any, moved: Sequence[tuple[StoredEvent, LeadId]]) -> None:
    """Write other leads into the rows of events."""
    if moved:
        await connection.execute(
            _MOVE,
            [each.event_id for each, _ in moved],
            [each.received_at for each, _ in moved],
            [lead for _, lead in moved],
        )


async def quarantine(
    connection: Any, events: Sequence[Event], reason: str, by: By, *, lead: LeadId | None = NOBODY
) -> None:
    """Have these events not count. lead: whose they are from now on, None for whose they were."""
    await connection.execute(_SET_QUARANTINE, *_keys(events), lead, reason, by.name, by.note)


async def release(connection: Any, events: Sequence[Event], lead: LeadId | None, by: By) -> None:
    """Have quarantined events count for this lead; None for whose they are."""
    await connection.execute(_SET_QUARANTINE, *_keys(events), lead, None, by.name, by.note)


def _keys(events: Sequence[Event]) -> tuple[list[Any], list[Any]]:
    return [one.event_id for one in events], [one.received_at for one in events]
