"""events: history and dedupe in one. An event is counted if and only if it has a row here.

In: events with their lead. Out: which ids are known already, and a lead's history.
Refuses nothing: the caller asks `known` first, holding the locks of the leads that the events belong to;
that order is what makes the answer final (docs/decisions/0003).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.codec import decode_all
from shared.events import Event
from shared.ids import EventId, LeadId

# Retries last hours, replays days; a copy of a message older than this counts as a new event.
_LOOK_BACK: Final = "35 days"

_KNOWN: Final = f"""
SELECT event_id FROM events
WHERE event_id = ANY($1::uuid[]) AND received_at > now() - interval '{_LOOK_BACK}'
"""  # noqa: S608 - the only inserted text is the constant above

_INSERT: Final = """
INSERT INTO events (event_id, received_at, occurred_at, lead_id, source, name, quarantine, body)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[],
                     $7::text[], $8::bytea[])
"""

# merged_into always names the last winner (merges compress the path), so one step finds the family.
_HISTORY: Final = """
WITH family AS (
  SELECT place, lead_id AS member FROM unnest($1::uuid[]) WITH ORDINALITY AS roots (lead_id, place)
  UNION ALL
  SELECT place, leads.lead_id FROM unnest($1::uuid[]) WITH ORDINALITY AS roots (lead_id, place)
  JOIN leads ON leads.merged_into = roots.lead_id
)
SELECT family.place, string_agg(e.body, ','::bytea ORDER BY e.occurred_at, e.event_id)
FROM family JOIN events e ON e.lead_id = family.member
WHERE e.quarantine IS NULL
GROUP BY family.place
"""


Histories = Mapping[LeadId, Sequence[Event]]
"""Lead → its counted events, in order of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event as it is stored."""

    event: Event
    lead: LeadId
    quarantine: str | None
    body: bytes


async def known(connection: Any, ids: Iterable[EventId]) -> set[EventId]:
    """Those of these ids that were counted (or quarantined) before."""
    rows = await connection.fetch(_KNOWN, list(ids))
    return {EventId(row["event_id"]) for row in rows}


async def insert(connection: Any, rows: Sequence[Row]) -> None:
    """Write new events."""
    if not rows:
        return
    await connection.execute(
        _INSERT,
        [row.event.event_id for row in rows],
        [row.event.received_at for row in rows],
        [row.event.occurred_at for row in rows],
        [row.lead for row in rows],
        [row.event.source for row in rows],
        [row.event.name for row in rows],
        [row.quarantine for row in rows],
        [row.body for row in rows],
    )


async def histories(connection: Any, leads: Sequence[LeadId]) -> Histories:
    """All counted events of each lead, of those merged into it too, in order of time."""
    stored = await stored_histories(connection, leads)
    return {lead: decode_all(bodies) for lead, bodies in stored.items()}


async def stored_histories(connection: Any, leads: Sequence[LeadId]) -> Mapping[LeadId, bytes]:
    """The same as `decode_all` reads it, for whoever looks at one lead after the other.

    Thousands of events, decoded before the first is looked at, are out of the processor's cache by then.
    """
    # One value for each lead, not for each event, and by its place: its id need not be made again.
    rows = await connection.fetch(_HISTORY, leads) if leads else ()
    found = dict(rows)
    return {lead: found.get(place, b"") for place, lead in enumerate(leads, start=1)}
