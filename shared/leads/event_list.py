"""Stored events, one by one: which count, why others do not, and who said so.

In: a lead, or nobody. Out: `ListedEvent`s, the newest first. Refuses to say more than source and
name: what an event holds is personal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.ids import NOBODY, EventId, LeadId

# One look at the index for each lead of the family, and no look at the events of others.
_LISTED: Final = """
SELECT e.event_id, e.occurred_at AS at, e.source, e.name, e.quarantine, said.made_by, said.note,
  coalesce(v.signals, '{}') AS signals
FROM events e
LEFT JOIN LATERAL (
  SELECT made_by, note FROM quarantine_changes c WHERE c.event_id = e.event_id ORDER BY change_id DESC LIMIT 1
) AS said ON true
LEFT JOIN event_verdicts v ON v.event_id = e.event_id AND v.reason = e.quarantine
WHERE e.lead_id = ANY(ARRAY(SELECT lead_id FROM leads WHERE merged_into = $1) || $1::uuid)
  AND ($2 OR e.quarantine IS NOT NULL)
ORDER BY e.occurred_at DESC, e.event_id LIMIT $3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvent:
    """One stored event.

    quarantine: why it does not count, None if it does
    made_by, note: of whoever changed that last; None if nobody did
    signals: what the judge found, empty if it found nothing
    """

    event_id: EventId
    at: datetime
    source: str
    name: str
    quarantine: str | None
    made_by: str | None
    note: str | None
    signals: Sequence[str] = ()


async def listed(
    connection: Any, lead: LeadId | None, *, counting: bool = True, most: int = 50
) -> list[ListedEvent]:
    """Events of this lead, None for those that belong to nobody. counting: those that count, too."""
    rows = await connection.fetch(_LISTED, lead or NOBODY, counting, most)
    return [ListedEvent(**dict(row)) for row in rows]
