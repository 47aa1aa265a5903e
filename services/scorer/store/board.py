"""lead_board and lead_grams: what lists and searches read. One writer at a time.

In: leads to be shown as they are now. Out: rows. Refuses to trust whoever names them: what is shown is read
from `leads` in the same statement, so that a lead named twice, late or for nothing does no harm.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.ids import LeadId
from shared.leads.names import Names, grams, searched

_LOCK_KEY: Final = 4_951_760_160  # any number that no other advisory lock has
# A statement of its own: what is read after it is younger than what the writer before wrote.
_LOCK: Final = f"SELECT pg_advisory_xact_lock({_LOCK_KEY})"

SHOWN: Final = "l.merged_into IS NULL AND (l.known OR l.stage <> 'visitor')"
"""A lead that has something to show: somebody, or one that has come further than a visitor."""

_WRITE: Final = f"""
INSERT INTO lead_board AS held (lead_id, stage, score, grade, dimensions, last_seen_at, scored_at)
SELECT l.lead_id, l.stage, l.score, l.grade, l.dimensions, l.last_seen_at, l.scored_at
FROM leads l WHERE l.lead_id = ANY($1::uuid[]) AND {SHOWN} ORDER BY l.lead_id
ON CONFLICT (lead_id) DO UPDATE SET stage = EXCLUDED.stage, score = EXCLUDED.score, grade = EXCLUDED.grade,
  dimensions = EXCLUDED.dimensions, last_seen_at = EXCLUDED.last_seen_at, scored_at = EXCLUDED.scored_at
RETURNING lead_id, scored_at, named, email, name, company, first_source, last_source, ids
"""  # noqa: S608 - only constants are inserted
_RENAME: Final = """
UPDATE lead_board b SET named = true, email = n.email, name = n.name, company = n.company,
  first_source = n.first_source, last_source = n.last_source, ids = string_to_array(n.ids, E'\\n'),
  words = n.words
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
  AS n (lead_id, email, name, company, first_source, last_source, ids, words)
WHERE b.lead_id = n.lead_id
"""
_GRAMS: Final = """
INSERT INTO lead_grams AS held (lead_id, grams)
SELECT lead_id, string_to_array(grams, ',')::int[]
FROM unnest($1::uuid[], $2::text[]) AS n (lead_id, grams) ORDER BY lead_id
ON CONFLICT (lead_id) DO UPDATE SET grams = EXCLUDED.grams WHERE held.grams <> EXCLUDED.grams
"""
_REMOVE: Final = "DELETE FROM lead_board WHERE lead_id = ANY($1::uuid[])"
_REMOVE_GRAMS: Final = "DELETE FROM lead_grams WHERE lead_id = ANY($1::uuid[])"

_WALK: Final = "SELECT reached FROM board_walk WHERE reached IS NOT NULL FOR UPDATE SKIP LOCKED"
_ADVANCE: Final = "UPDATE board_walk SET reached = $1"
_BEGIN: Final = "UPDATE board_walk SET reached = '00000000-0000-0000-0000-000000000000'"
_STRETCH: Final = f"""
SELECT l.lead_id, CASE WHEN {SHOWN} THEN b.scored_at IS DISTINCT FROM l.scored_at OR NOT b.named
  ELSE b.lead_id IS NOT NULL END AS differs
FROM leads l LEFT JOIN lead_board b USING (lead_id)
WHERE l.lead_id > $1 ORDER BY l.lead_id LIMIT $2
"""  # noqa: S608 - as above
_GONE: Final = """
SELECT b.lead_id FROM lead_board b
WHERE b.lead_id > $1 AND b.lead_id <= coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
  AND NOT EXISTS (SELECT FROM leads l WHERE l.lead_id = b.lead_id)
"""

Shown = Mapping[LeadId, tuple[datetime, Names | None]]
"""Lead → when it was scored, and its names as they are on the board; None: it has none yet."""


async def alone(connection: Any) -> None:
    """Be the only one who writes the board, until the transaction ends."""
    await connection.execute(_LOCK)


async def write(connection: Any, leads: Collection[LeadId]) -> Shown:
    """Show these leads as they are; those that have nothing to show are removed."""
    rows = await connection.fetch(_WRITE, list(leads))
    shown = {
        LeadId(row["lead_id"]): (row["scored_at"], _names(row) if row["named"] else None) for row in rows
    }
    if removed := [lead for lead in leads if lead not in shown]:
        await connection.execute(_REMOVE, removed)
        await connection.execute(_REMOVE_GRAMS, removed)
    return shown


async def rename(connection: Any, named: Mapping[LeadId, Names]) -> None:
    """Give these leads their names, and have them found by them."""
    if not named:
        return
    texts = [searched(one) for one in named.values()]
    await connection.execute(
        _RENAME,
        list(named),
        [one.email for one in named.values()],
        [one.name for one in named.values()],
        [one.company for one in named.values()],
        [one.first_source for one in named.values()],
        [one.last_source for one in named.values()],
        ["\n".join(one.ids) for one in named.values()],
        texts,
    )
    await connection.execute(_GRAMS, list(named), [",".join(map(str, grams(text))) for text in texts])


async def begin_walk(connection: Any) -> None:
    """Have all leads be compared with the board, from the first on."""
    await connection.execute(_BEGIN)


async def walk(connection: Any, most: int, looked_at: int) -> list[LeadId] | None:
    """The next leads that the board shows otherwise than they are; None if no walk is to be made now.

        most, looked_at:  so many at most, of so many leads that are compared

    The walk is ours until the transaction ends, and has advanced over them when it commits.
    """
    reached: UUID | None = await connection.fetchval(_WALK)
    if reached is None:
        return None
    rows = await connection.fetch(_STRETCH, reached, looked_at)
    differing = [LeadId(row["lead_id"]) for row in rows if row["differs"]][:most]
    end = differing[-1] if len(differing) == most else rows[-1]["lead_id"] if rows else None
    gone = await connection.fetch(_GONE, reached, end)
    await connection.execute(_ADVANCE, end)
    return [*differing, *(LeadId(row["lead_id"]) for row in gone)]


def _names(row: Any) -> Names:
    return Names(
        email=row["email"],
        name=row["name"],
        company=row["company"],
        first_source=row["first_source"],
        last_source=row["last_source"],
        ids=tuple(row["ids"]),
    )
