"""identity_conflicts and regroups: what was refused about people, and what has to be looked at again.

In: conflicts of a batch, leads to regroup. Out: which conflicts are news; requests, each taken once.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from services.scorer.identify.facts import Conflict
from services.scorer.store.identities import stored
from shared.ids import LeadId
from shared.leads.identifiers import Identifier

# A conflict that is known is not written again, unless an earlier event says so: that may decide otherwise.
_NOTE: Final = """
INSERT INTO identity_conflicts AS held (one_kind, one_value, one_namespace, other_kind, other_value,
  other_namespace, reason, event_id, at)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[],
  $8::uuid[], $9::timestamptz[])
ON CONFLICT (one_kind, one_value, other_kind, other_value) DO UPDATE
  SET at = EXCLUDED.at, event_id = EXCLUDED.event_id, reason = EXCLUDED.reason WHERE held.at > EXCLUDED.at
RETURNING one_kind, one_value, one_namespace, other_kind, other_value, other_namespace
"""
_TOUCHING: Final = """
SELECT one_kind, one_value, one_namespace, other_kind, other_value, other_namespace
FROM identity_conflicts c JOIN unnest($1::text[], $2::bytea[]) AS n (kind, value)
  ON (c.one_kind = n.kind AND c.one_value = n.value)
UNION
SELECT one_kind, one_value, one_namespace, other_kind, other_value, other_namespace
FROM identity_conflicts c JOIN unnest($1::text[], $2::bytea[]) AS n (kind, value)
  ON (c.other_kind = n.kind AND c.other_value = n.value)
"""
_FORGET: Final = """
DELETE FROM identity_conflicts c USING unnest($1::text[], $2::bytea[]) AS n (kind, value)
WHERE (c.one_kind = n.kind AND c.one_value = n.value) OR (c.other_kind = n.kind AND c.other_value = n.value)
"""
_REQUEST: Final = "INSERT INTO regroups (leads) VALUES ($1::uuid[])"
_TAKE: Final = """
DELETE FROM regroups WHERE regroup_id IN (
  SELECT regroup_id FROM regroups WHERE requested_at <= now()
  ORDER BY regroup_id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING regroup_id, leads
"""
# One that another scorer works on is left to it: doing it twice changes nothing, waiting would hold locks.
_DONE: Final = """
DELETE FROM regroups WHERE regroup_id IN (
  SELECT regroup_id FROM regroups WHERE leads <@ $1::uuid[] AND requested_at <= now()
  FOR UPDATE SKIP LOCKED
)
"""
_PUT_OFF: Final = "UPDATE regroups SET requested_at = now() + $2::interval WHERE regroup_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Leads to be grouped anew."""

    number: int
    leads: Sequence[LeadId]


async def note(connection: Any, conflicts: Sequence[Conflict]) -> list[tuple[Identifier, Identifier]]:
    """Keep conflicts; returns the identifiers of those that are news, or older than was known."""
    if not conflicts:
        return []
    ordered = sorted(conflicts, key=lambda one: (one.one, one.other))
    rows = await connection.fetch(
        _NOTE,
        [one.one.kind for one in ordered],
        [one.one.value for one in ordered],
        [one.one.namespace for one in ordered],
        [one.other.kind for one in ordered],
        [one.other.value for one in ordered],
        [one.other.namespace for one in ordered],
        [one.reason for one in ordered],
        [one.event for one in ordered],
        [one.at for one in ordered],
    )
    return [_sides(row) for row in rows]


async def partners(connection: Any, identifiers: Iterable[Identifier]) -> set[Identifier]:
    """All identifiers of conflicts in which one of these is."""
    ordered = sorted(identifiers)
    rows = await connection.fetch(_TOUCHING, [one.kind for one in ordered], [one.value for one in ordered])
    return {side for row in rows for side in _sides(row)}


async def replace(connection: Any, of: Iterable[Identifier], conflicts: Sequence[Conflict]) -> None:
    """Have these be the only conflicts in which one of these identifiers is."""
    ordered = sorted(of)
    await connection.execute(_FORGET, [one.kind for one in ordered], [one.value for one in ordered])
    await note(connection, conflicts)


async def request(connection: Any, wanted: Iterable[Collection[LeadId]]) -> int:
    """Have each of these sets of leads regrouped; returns how many there are."""
    distinct = sorted({tuple(sorted(leads)) for leads in wanted})
    if distinct:
        await connection.executemany(_REQUEST, [(list(leads),) for leads in distinct])
    return len(distinct)


async def take(connection: Any) -> Request | None:
    """The oldest request that nobody works on; None if there is none."""
    row = await connection.fetchrow(_TAKE)
    return row and Request(number=row["regroup_id"], leads=row["leads"])


async def done(connection: Any, leads: Iterable[LeadId]) -> None:
    """Forget requests about nobody but these leads, which the caller has locked and groups anew."""
    await connection.execute(_DONE, sorted(leads))


async def put_off(connection: Any, request: Request, wait: timedelta) -> None:
    """Have this request taken after so long, and others before it."""
    await connection.execute(_PUT_OFF, request.number, wait)


def _sides(row: Any) -> tuple[Identifier, Identifier]:
    one, other = (
        stored(row[f"{side}_kind"], row[f"{side}_value"], row[f"{side}_namespace"])
        for side in ("one", "other")
    )
    return one, other
