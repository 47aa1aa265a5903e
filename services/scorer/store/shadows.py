"""shadow_leads: where leads would stand if the shadow model scored.

In: lead ids, or shadows as they should be now. Out: shadows. Refuses to reach anybody: no transition is
written from here, and nothing reads it but `leadscore model shadow`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from services.scorer.settle import Lead
from services.scorer.shadow import Shadow
from shared.ids import LeadId
from shared.leads.store.present import decode_ledger, decode_state, encode_ledger

_READ: Final = """
SELECT lead_id, model_version, state, ledger FROM shadow_leads WHERE lead_id = ANY($1::uuid[])
"""
_WRITE: Final = """
INSERT INTO shadow_leads (
  lead_id, model_version, state, ledger, stage, score, grade, dimensions, scored_at)
SELECT lead_id, model_version, state, ledger, stage, score, grade, dimensions::jsonb, scored_at
FROM unnest(
  $1::uuid[], $2::int[], $3::bytea[], $4::bytea[], $5::text[], $6::int[], $7::text[], $8::text[],
  $9::timestamptz[]
) AS n (lead_id, model_version, state, ledger, stage, score, grade, dimensions, scored_at)
ORDER BY lead_id
ON CONFLICT (lead_id) DO UPDATE SET
  model_version = EXCLUDED.model_version, state = EXCLUDED.state, ledger = EXCLUDED.ledger,
  stage = EXCLUDED.stage, score = EXCLUDED.score, grade = EXCLUDED.grade,
  dimensions = EXCLUDED.dimensions, scored_at = EXCLUDED.scored_at
"""
_REMOVE: Final = "DELETE FROM shadow_leads WHERE lead_id = ANY($1::uuid[])"
# Nobody writes here while versions change (models.hold), and a million rows are gone at once.
_CLEAR: Final = "TRUNCATE shadow_leads"


async def read(connection: Any, ids: Iterable[LeadId]) -> dict[LeadId, Shadow]:
    """The shadows of these leads, of those that have one."""
    return {
        LeadId(row["lead_id"]): Shadow(
            model_version=row["model_version"],
            state=decode_state(row["state"]),
            ledger=decode_ledger(row["ledger"]),
        )
        for row in await connection.fetch(_READ, list(ids))
    }


async def write(connection: Any, leads: Sequence[Lead]) -> None:
    """Insert or update shadows as they are now."""
    if leads:
        rows = [_row(lead) for lead in leads]
        await connection.execute(_WRITE, *(list(column) for column in zip(*rows, strict=True)))


async def remove(connection: Any, ids: Sequence[LeadId]) -> None:
    """Forget the shadows of leads that were merged away."""
    if ids:
        await connection.execute(_REMOVE, ids)


async def clear(connection: Any) -> None:
    """Forget all shadows. The caller holds the lock of models.hold."""
    await connection.execute(_CLEAR)


def _row(lead: Lead) -> tuple[Any, ...]:
    return (
        lead.lead_id,
        lead.model_version,
        lead.state.encode(),
        encode_ledger(lead.ledger),
        lead.ledger.stage,
        lead.score,
        lead.grade,
        msgspec.json.encode(lead.dimensions).decode(),
        lead.scored_at,
    )
