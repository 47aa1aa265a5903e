"""events: history and dedupe in one. An event is counted if and only if it has a row here.

In: events with their lead. Out: which ids are known already. shared/leads/store/history.py reads them.
The caller asks `known` first, holding the locks of the leads that the events belong to;
that order is what makes the answer final (docs/decisions/0003).
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from shared.events import Event
from shared.ids import EventId, LeadId

# Retries last hours, replays days; a copy of a message older than this counts as a new event.
_LOOK_BACK: Final = "35 days"

_KNOWN: Final = f"""
SELECT event_id FROM events
WHERE event_id = ANY($1::uuid[]) AND received_at > least(now(), $2) - interval '{_LOOK_BACK}'
"""  # noqa: S608 - the only inserted text is the constant above

_COLUMNS: Final = (
    "event_id",
    "received_at",
    "occurred_at",
    "lead_id",
    "source",
    "name",
    "quarantine",
    "body",
)


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event as it is stored."""

    event: Event
    lead: LeadId
    quarantine: str | None
    body: bytes


async def known(connection: Any, some: Collection[Event]) -> set[EventId]:
    """The ids of those that were counted (or quarantined) before.

    Looked for from the oldest of them on: a record may have lain for months, in Kafka or as a dead letter,
    while its sender sent it again.
    """
    oldest = min(event.received_at for event in some)
    rows = await connection.fetch(_KNOWN, [event.event_id for event in some], oldest)
    return {EventId(row["event_id"]) for row in rows}


async def insert(connection: Any, rows: Sequence[Row]) -> None:
    """Write new events."""
    if not rows:
        return
    await connection.copy_records_to_table("events", records=map(_stored, rows), columns=_COLUMNS)


def _stored(row: Row) -> tuple[Any, ...]:
    event = row.event
    return (
        event.event_id,
        event.received_at,
        event.occurred_at,
        row.lead,
        event.source,
        event.name,
        row.quarantine,
        row.body,
    )
