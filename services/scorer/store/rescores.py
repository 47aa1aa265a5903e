"""rescores: walks through all leads, because a version was published or put in the shadow.

In: a version to walk with. Out: the next leads of the walk, its progress.
Refuses to walk twice: the row is locked while a scorer takes a stretch, and others find nothing to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from shared.ids import LeadId

Purpose = Literal["active", "shadow"]

_BEGIN: Final = "INSERT INTO rescores (version, purpose) VALUES ($1, $2) RETURNING rescore_id"
_END_OTHERS: Final = "UPDATE rescores SET finished_at = now() WHERE purpose = $1 AND finished_at IS NULL"
_TAKE: Final = """
SELECT rescore_id, version, purpose, reached FROM rescores WHERE finished_at IS NULL
ORDER BY rescore_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_NEXT: Final = "SELECT lead_id FROM leads WHERE lead_id > $1 ORDER BY lead_id LIMIT $2"
_ADVANCE: Final = """
UPDATE rescores SET reached = $2, leads = leads + $3, moved = moved + $4 WHERE rescore_id = $1
"""
_FINISH: Final = "UPDATE rescores SET finished_at = now() WHERE rescore_id = $1"
_PROGRESS: Final = """
SELECT version, purpose, leads, moved, started_at, finished_at FROM rescores WHERE rescore_id = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A rescore that is ours until the transaction ends; `reached` is the last lead that is done."""

    rescore_id: int
    version: int
    purpose: Purpose
    reached: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a rescore is: leads looked at, transitions made."""

    version: int
    purpose: Purpose
    leads: int
    moved: int
    started_at: datetime
    finished_at: datetime | None


async def begin(connection: Any, version: int, purpose: Purpose) -> int:
    """Have every lead scored under this version; what was walked for the same purpose before ends here."""
    await end(connection, purpose)
    number: int = await connection.fetchval(_BEGIN, version, purpose)
    return number


async def end(connection: Any, purpose: Purpose) -> None:
    """Walk no further for this purpose."""
    await connection.execute(_END_OTHERS, purpose)


async def take(connection: Any) -> Walk | None:
    """The oldest rescore that nobody works on, None if there is none."""
    row = await connection.fetchrow(_TAKE)
    return row and Walk(**dict(row))


async def next_leads(connection: Any, walk: Walk, most: int) -> list[LeadId]:
    """The leads after those that are done; empty at the end."""
    return [LeadId(row["lead_id"]) for row in await connection.fetch(_NEXT, walk.reached, most)]


async def advance(connection: Any, walk: Walk, done: Sequence[LeadId], moved: int) -> None:
    """These leads are done; without any, the walk is over."""
    if done:
        await connection.execute(_ADVANCE, walk.rescore_id, done[-1], len(done), moved)
    else:
        await connection.execute(_FINISH, walk.rescore_id)


async def progress(connection: Any, rescore_id: int) -> Progress:
    """How far this rescore is."""
    return Progress(**dict(await connection.fetchrow(_PROGRESS, rescore_id)))
