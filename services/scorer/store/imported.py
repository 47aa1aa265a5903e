"""Imported events that were counted before, however long ago.

In: events. Out: ids. Live copies of a message come within days, so that events.py looks back 35 of them; the
same history may be imported again after a year. Asks nothing unless something is imported.
"""

from collections.abc import Iterable
from typing import Any, Final

from shared.events import Event
from shared.ids import EventId

_KNOWN: Final = "SELECT event_id FROM events WHERE event_id = ANY($1::uuid[])"


async def known(connection: Any, events: Iterable[Event]) -> set[EventId]:
    """Those of the imported ones among these that have a row. Asked under the leads' locks, as all are."""
    wanted = [event.event_id for event in events if event.imported]
    if not wanted:
        return set()
    return {EventId(row["event_id"]) for row in await connection.fetch(_KNOWN, wanted)}
