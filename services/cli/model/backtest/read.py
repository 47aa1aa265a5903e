"""Postgres → the histories of all leads, a chunk of leads at a time.

In: a database, whether anonymous visitors take part. Out: chunks of histories, merged leads as one lead.
Refuses to hold a transaction open while the caller computes: each chunk is read in one of its own, in the
order of lead ids. So memory and statements stay small however long history is, and what arrives meanwhile is
kept out by its time (`Question.as_of_s`).
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.ids import LeadId
from shared.leads.store.history import Histories, histories

_CHUNK_LEADS: Final = 1_000
_CHUNK_EVENTS: Final = 20_000

# leads.event_count of a winner has the events of those merged into it.
_NEXT: Final = """
SELECT lead_id, event_count FROM leads
WHERE lead_id > $1 AND merged_into IS NULL AND (known OR $2)
ORDER BY lead_id LIMIT $3
"""
# What the planner believes: counting them would take as long as reading them.
_ABOUT: Final = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'leads'::regclass"


async def about(database: AsyncEngine) -> int:
    """How many leads there are, roughly; 0 if nobody has counted yet."""
    async with transaction(database) as connection:
        count: int = await connection.fetchval(_ABOUT)
        return count


async def chunks(database: AsyncEngine, *, visitors: bool) -> AsyncIterator[Histories]:
    """The histories of all leads, in the order of their ids."""
    last = UUID(int=0)
    while True:
        async with transaction(database) as connection:
            chosen = _first(await connection.fetch(_NEXT, last, visitors, _CHUNK_LEADS))
            if not chosen:
                return
            found = await histories(connection, chosen)
        yield found
        last = chosen[-1]


def _first(rows: Iterable[Any]) -> list[LeadId]:
    """As many leads as fit into one chunk; one at least."""
    chosen: list[LeadId] = []
    events = 0
    for row in rows:
        events += row["event_count"]
        if chosen and events > _CHUNK_EVENTS:
            break
        chosen.append(LeadId(row["lead_id"]))
    return chosen
