"""Leads and their histories, in pieces that fit into memory.

In: a connection pool. Out: how many leads there are; ranges of lead ids; for a range its known leads, each
with its history as it is stored. Refuses to write, and to hold more than a few thousand events at a time.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.model.plan.replay import Known
from shared.database import transaction
from shared.ids import LeadId
from shared.leads.store import history, present

RANGE_LEADS: Final = 1_000
_SLICE_EVENTS: Final = 5_000
_FIRST: Final = UUID(int=0)
_LAST: Final = UUID(int=2**128 - 1)

_COUNT: Final = """
SELECT count(*) FILTER (WHERE known) AS known, count(*) FILTER (WHERE NOT known) AS anonymous, now() AS now
FROM leads WHERE merged_into IS NULL
"""
_BORDER: Final = "SELECT lead_id FROM leads WHERE lead_id > $1 ORDER BY lead_id OFFSET $2 LIMIT 1"
_MEMBERS: Final = """
SELECT lead_id, event_count FROM leads
WHERE lead_id > $1 AND lead_id <= $2 AND known AND merged_into IS NULL ORDER BY lead_id
"""
# What a lead is and what happened to it must be of one moment, or an event is seen before the move it caused.
_ONE_MOMENT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
# There is a worker for each core already: Postgres starting more for each slice only costs time.
_ONE_CORE: Final = "SET LOCAL max_parallel_workers_per_gather = 0"

Range = tuple[UUID, UUID]
"""Lead ids after the first one, up to the second one."""


async def count(connection: Any) -> dict[str, Any]:
    """`known` and `anonymous` leads, and `now`, the database's time."""
    return dict(await connection.fetchrow(_COUNT))


async def ranges(pool: AsyncEngine) -> AsyncIterator[Range]:
    """All lead ids, a thousand leads at a time: ids are no measure of how many lie between them."""
    after = _FIRST
    while after != _LAST:
        async with transaction(pool) as connection:
            border = await connection.fetchval(_BORDER, after, RANGE_LEADS - 1)
        up_to = _LAST if border is None else UUID(int=border.int)
        yield after, up_to
        after = up_to


async def known_leads(pool: AsyncEngine, between: Range) -> AsyncIterator[list[tuple[Known, bytes]]]:
    """The known leads of a range, each with its history for `decode_all`, some thousand events at a time."""
    async with transaction(pool) as connection:
        members = await connection.fetch(_MEMBERS, *between)
    for ids in _slices([(LeadId(row["lead_id"]), row["event_count"]) for row in members]):
        async with transaction(pool) as connection:
            await connection.execute(_ONE_MOMENT)
            await connection.execute(_ONE_CORE)
            ledgers = await present.ledgers(connection, ids)
            histories = await history.stored_histories(connection, ids)
        yield [(Known(lead_id=lead, ledger=ledgers[lead]), histories[lead]) for lead in ids]


def _slices(members: Sequence[tuple[LeadId, int]]) -> Iterator[list[LeadId]]:
    """Leads whose events together are few enough; one with more stands alone."""
    piece: list[LeadId] = []
    size = 0
    for lead, number in members:
        if piece and size + number > _SLICE_EVENTS:
            yield piece
            piece, size = [], 0
        piece.append(lead)
        size += number
    if piece:
        yield piece
