"""Leads that turned out to be one person: the loser points at its winner, and what it brought is remembered.

In: merges, each loser once. Out: rows. All merges of a batch are written at once, however many there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.scorer.identify.facts import Merge
from services.scorer.store.identities import stored
from shared.ids import LeadId
from shared.leads.identifiers import Identifier

# What each loser had is kept in the log, so that a merge can be undone.
_INHERIT: Final = """
WITH n AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n (winner, loser, cause)),
moved AS (
  UPDATE identities i SET lead_id = n.winner FROM n WHERE i.lead_id = n.loser
  RETURNING n.loser, i.kind, encode(i.value, 'hex') AS value, i.namespace
),
retired AS (
  UPDATE leads l SET merged_into = n.winner, state = ''::bytea, score = 0, dimensions = '{}'::jsonb,
    due_at = NULL, user_ids = 0, emails = 0, anonymous_ids = 0, namespaces = '', marks = ''
  FROM n WHERE l.lead_id = n.loser
  RETURNING l.lead_id, to_jsonb(l) - 'state' - 'ledger' AS row
)
INSERT INTO lead_merges (winner, loser, cause_event, loser_row, moved_identities)
SELECT n.winner, n.loser, n.cause, retired.row, coalesce(
  (SELECT jsonb_agg(jsonb_build_object('kind', kind, 'value', value, 'namespace', namespace))
   FROM moved WHERE moved.loser = n.loser), '[]'::jsonb)
FROM n JOIN retired ON retired.lead_id = n.loser
"""
# Those merged into a loser before point at its winner now: one step always finds the living.
_COMPRESS: Final = """
UPDATE leads l SET merged_into = n.winner FROM unnest($1::uuid[], $2::uuid[]) AS n (winner, loser)
WHERE l.merged_into = n.loser
"""


_FAMILY: Final = """
SELECT lead_id, merged_into FROM leads WHERE lead_id = ANY($1::uuid[]) OR merged_into = ANY($1::uuid[])
"""
_BROUGHT: Final = """
SELECT loser, moved_identities FROM lead_merges WHERE loser = ANY($1::uuid[]) AND undone_at IS NULL
ORDER BY merge_id
"""
_POINT: Final = """
UPDATE leads l SET merged_into = n.winner FROM unnest($1::uuid[], $2::uuid[]) AS n (lead, winner)
WHERE l.lead_id = n.lead
"""
_REVIVE: Final = "UPDATE leads SET merged_into = NULL WHERE lead_id = ANY($1::uuid[])"
_UNDO: Final = """
UPDATE lead_merges SET undone_at = now() WHERE loser = ANY($1::uuid[]) AND undone_at IS NULL
"""


async def write(connection: Any, merges: Sequence[Merge]) -> None:
    """Merge these leads. `winner`: the lead that is left when all of them are done."""
    if not merges:
        return
    winners = [one.winner for one in merges]
    losers = [one.loser for one in merges]
    await connection.execute(_INHERIT, winners, losers, [one.cause for one in merges])
    await connection.execute(_COMPRESS, winners, losers)


async def families(connection: Any, leads: Iterable[LeadId]) -> dict[LeadId, LeadId | None]:
    """These leads and those merged into them, each with the lead it is merged into, None for the living."""
    rows = await connection.fetch(_FAMILY, sorted(leads))
    return {LeadId(row["lead_id"]): row["merged_into"] for row in rows}


async def ends(connection: Any, leads: Iterable[LeadId]) -> dict[LeadId, LeadId]:
    """Those of these leads that are merged away, each with the living one."""
    wanted = frozenset(leads)
    if not wanted:
        return {}
    found = await families(connection, wanted)
    return {lead: LeadId(into) for lead, into in found.items() if into and lead in wanted}


async def brought(connection: Any, losers: Iterable[LeadId]) -> dict[LeadId, frozenset[Identifier]]:
    """The identifiers that each of these leads had when it was merged away."""
    rows = await connection.fetch(_BROUGHT, sorted(losers))
    return {
        LeadId(row["loser"]): frozenset(
            stored(one["kind"], bytes.fromhex(one["value"]), one.get("namespace"))
            for one in row["moved_identities"]
        )
        for row in rows
    }


async def undo(connection: Any, leads: Sequence[LeadId]) -> None:
    """Have leads that were merged away be their own again; what they own is written elsewhere."""
    if leads:
        await connection.execute(_REVIVE, leads)
        await connection.execute(_UNDO, leads)


async def point(connection: Any, into: Mapping[LeadId, LeadId]) -> None:
    """Have leads that were merged away before point at another winner."""
    if into:
        await connection.execute(_POINT, list(into), list(into.values()))
