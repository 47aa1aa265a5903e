"""account_queue: leads that changed, for their accounts to look at again.

In: notes of a batch. Out: the notes of some leads, to be removed when their accounts have looked.
Refuses to forget: a lead noted again while its account looks keeps its row, as `noted` is another number.
That is why a conflict updates the row: doing nothing would leave a number that is about to be removed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.scorer.accounts.notes import Note
from shared.ids import LeadId

# Whoever says nothing and belongs to no account changes none: most page views end here. The queue is asked
# too, because a lead whose account is being worked out has its row there until it is among the members.
# Not EXISTS: Postgres would make a hash table of all members first (measured: 110 ms a batch instead of 3).
_NOTE: Final = """
INSERT INTO account_queue AS held (lead_id, says, last_act_at)
SELECT lead_id, says, last_act_at
FROM unnest($1::uuid[], $2::boolean[], $3::timestamptz[]) AS n (lead_id, says, last_act_at)
WHERE says OR (SELECT true FROM account_members m WHERE m.lead_id = n.lead_id)
  OR (SELECT true FROM account_queue q WHERE q.lead_id = n.lead_id)
ORDER BY lead_id
ON CONFLICT (lead_id) DO UPDATE SET
  says = held.says OR EXCLUDED.says, last_act_at = greatest(held.last_act_at, EXCLUDED.last_act_at),
  noted = EXCLUDED.noted
"""
# In a circle by id, so that every lead has its turn and none is looked for among those that are gone.
_READ: Final = """
SELECT lead_id, says, last_act_at, noted FROM account_queue
WHERE lead_id > $1 AND lead_id <> ALL($2::uuid[]) ORDER BY lead_id LIMIT $3
"""
_REMOVE: Final = """
DELETE FROM account_queue WHERE lead_id IN (
  SELECT q.lead_id FROM account_queue q
  JOIN unnest($1::uuid[], $2::bigint[]) AS n (lead_id, noted) ON n.lead_id = q.lead_id AND n.noted = q.noted
  FOR UPDATE OF q SKIP LOCKED
)
"""
_WAITING: Final = "SELECT count(*) FROM (SELECT FROM account_queue LIMIT $1) AS counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A note as it was read; `noted` tells whether it is still the same."""

    note: Note
    noted: int


async def note(connection: Any, notes: Sequence[Note]) -> None:
    """Have the accounts of these leads look again, if they have some or an event says one."""
    if notes:
        await connection.execute(
            _NOTE,
            [one.lead_id for one in notes],
            [one.says for one in notes],
            [one.last_act_at for one in notes],
        )


async def read(connection: Any, after: LeadId, without: Collection[LeadId], most: int) -> list[Queued]:
    """The next notes in the order of ids; nothing is locked, so no batch waits for whoever reads."""
    return [
        Queued(
            note=Note(lead_id=LeadId(row["lead_id"]), says=row["says"], last_act_at=row["last_act_at"]),
            noted=row["noted"],
        )
        for row in await connection.fetch(_READ, after, list(without), most)
    ]


async def remove(connection: Any, done: Sequence[Queued]) -> None:
    """These are worked off; whatever was noted again meanwhile, or is being noted now, stays."""
    if done:
        await connection.execute(_REMOVE, [one.note.lead_id for one in done], [one.noted for one in done])


async def waiting(connection: Any, most: int) -> int:
    """How many leads wait, counted to this number."""
    number: int = await connection.fetchval(_WAITING, most)
    return number
