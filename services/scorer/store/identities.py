"""identities: whose identifier is it.

In: hashed identifiers. Out: their leads. Refuses to overwrite: an identifier that somebody else attached
at the same moment makes the batch start again (`IdentityRace`).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from services.scorer.identify import Identifier, Merge
from shared.errors import LeadscoreError
from shared.ids import LeadId

_READ: Final = """
SELECT i.kind, i.value, i.lead_id
FROM unnest($1::text[], $2::bytea[]) AS wanted (kind, value)
JOIN identities i ON i.kind = wanted.kind AND i.value = wanted.value
"""

_ATTACH: Final = """
INSERT INTO identities (kind, value, lead_id, first_at)
SELECT kind, value, lead_id, $4 FROM unnest($1::text[], $2::bytea[], $3::uuid[]) AS n (kind, value, lead_id)
ON CONFLICT DO NOTHING
"""

_MOVE: Final = """
UPDATE identities i SET lead_id = n.lead_id
FROM unnest($1::text[], $2::bytea[], $3::uuid[]) AS n (kind, value, lead_id)
WHERE i.kind = n.kind AND i.value = n.value
"""

_OF_LOSER: Final = """
UPDATE identities SET lead_id = $1 WHERE lead_id = $2 RETURNING kind, encode(value, 'hex') AS value
"""


class IdentityRace(LeadscoreError):
    """Another transaction changed the same identities at the same moment: start the batch again."""


async def read(connection: Any, wanted: Iterable[Identifier]) -> dict[Identifier, LeadId]:
    """The leads of these identifiers, as far as they have one."""
    kinds, values = _columns(sorted(set(wanted)))
    rows = await connection.fetch(_READ, kinds, values)
    return {Identifier(row["kind"], row["value"]): LeadId(row["lead_id"]) for row in rows}


async def attach(connection: Any, new: Mapping[Identifier, LeadId], at: datetime) -> None:
    """Give identifiers that nobody had to their leads.

    Raises IdentityRace if somebody has one of them by now.
    """
    if not new:
        return
    ordered = sorted(new)
    kinds, values = _columns(ordered)
    status = await connection.execute(_ATTACH, kinds, values, [new[one] for one in ordered], at)
    if int(status.rsplit(" ", 1)[1]) < len(ordered):
        raise IdentityRace("an identifier was attached by another transaction")


async def move(connection: Any, moved: Mapping[Identifier, LeadId]) -> None:
    """Point shared cookies at the lead they serve now."""
    if not moved:
        return
    ordered = sorted(moved)
    kinds, values = _columns(ordered)
    await connection.execute(_MOVE, kinds, values, [moved[one] for one in ordered])


async def inherit(connection: Any, merge: Merge) -> list[dict[str, str]]:
    """Move all of a loser's identifiers to the winner; returns them, so that the merge can be undone."""
    rows = await connection.fetch(_OF_LOSER, merge.winner, merge.loser)
    return [dict(row) for row in rows]


def _columns(ordered: list[Identifier]) -> tuple[list[str], list[bytes]]:
    return [one.kind for one in ordered], [one.value for one in ordered]
