"""What is stored of some leads, as of one moment: rows, identifiers, transitions, deliveries, events.

In: a snapshot (shared/database.py) and lead ids. Out: `Stored`. Refuses to compare: compare.py does.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.ids import LeadId
from shared.leads.store.history import stored_histories

MOST_LEADS: Final = 1_000
MOST_EVENTS: Final = 20_000

_NEXT: Final = "SELECT lead_id, event_count FROM leads WHERE lead_id > $1 ORDER BY lead_id LIMIT $2"
_SAMPLE: Final = """
SELECT lead_id, event_count FROM (
  SELECT lead_id, event_count FROM leads WHERE merged_into IS NULL ORDER BY random() LIMIT $1
) drawn ORDER BY lead_id
"""
_LEADS: Final = """
SELECT l.lead_id, l.merged_into,
  coalesce(w.merged_into IS NULL AND w.lead_id IS NOT NULL, false) AS winner_lives,
  l.known, l.event_count, l.emails, l.anonymous_ids, l.user_ids, l.namespaces, l.state, l.ledger, l.stage,
  l.score, l.grade, l.dimensions, l.scored_at, l.model_version
FROM leads l LEFT JOIN leads w ON w.lead_id = l.merged_into
WHERE l.lead_id = ANY($1::uuid[]) ORDER BY l.lead_id
"""
_IDENTIFIERS: Final = """
SELECT lead_id, kind, status,
  coalesce(namespace, CASE kind WHEN 'user_id' THEN 'product' ELSE '' END) AS namespace,
  count(*)::int AS number
FROM identities WHERE lead_id = ANY($1::uuid[]) GROUP BY 1, 2, 3, 4
"""
_TRANSITIONS: Final = """
SELECT lead_id, transition_id, sequence, stage, score, silent, planned_at IS NOT NULL AS planned, planned_for,
  CASE jsonb_typeof(receipts) WHEN 'array' THEN
    (SELECT coalesce(sum((line ->> 'points')::numeric), 0)::float8
     FROM jsonb_array_elements(receipts) AS line)
  END AS points
FROM transitions WHERE lead_id = ANY($1::uuid[]) ORDER BY lead_id, sequence
"""
_DELIVERIES: Final = """
SELECT t.lead_id, d.delivery_id, d.destination, d.sequence, d.state, d.finished_at, d.transition_id,
  d.retried_at IS NOT NULL AS retried
FROM transitions t JOIN deliveries d USING (transition_id)
WHERE t.lead_id = ANY($1::uuid[]) ORDER BY t.lead_id, d.destination, d.sequence
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """So many identifiers of one sort that a lead has."""

    kind: str
    status: str
    namespace: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTransition:
    """A row of transitions. points: what its receipts add up to, None if they are no list."""

    transition_id: Any
    sequence: int
    stage: str
    score: int
    silent: bool
    planned: bool
    planned_for: Sequence[str] | None
    points: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDelivery:
    """A row of deliveries.

    retried: it was given up, and somebody had it sent again
    """

    delivery_id: Any
    transition_id: Any
    destination: str
    sequence: int
    state: str
    finished_at: datetime | None
    retried: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One lead and what hangs on it.

    row:    its columns in `leads`, and whether the lead it is merged into lives (`winner_lives`)
    events: as shared.codec.decode_all reads them, those of leads merged into it too
    """

    lead: LeadId
    row: Any
    identifiers: Sequence[Identifiers]
    transitions: Sequence[StoredTransition]
    deliveries: Sequence[StoredDelivery]
    events: bytes


async def next_leads(connection: Any, after: LeadId) -> list[LeadId]:
    """The leads after this one, as many as one look takes; empty at the end."""
    return first_cut(await connection.fetch(_NEXT, after, MOST_LEADS))


async def sample(connection: Any, number: int) -> list[list[LeadId]]:
    """So many living leads, drawn by chance, in portions of one look each."""
    rows = list(await connection.fetch(_SAMPLE, number))
    portions = []
    while rows:
        portions.append(first_cut(rows[:MOST_LEADS]))
        rows = rows[len(portions[-1]) :]
    return portions


def first_cut(rows: Sequence[Any]) -> list[LeadId]:
    """The first leads that have no more than MOST_EVENTS events together; at least one."""
    events = 0
    taken: list[LeadId] = []
    for row in rows:
        events += row["event_count"]
        if taken and events > MOST_EVENTS:
            break
        taken.append(LeadId(row["lead_id"]))
    return taken


async def read(connection: Any, leads: Sequence[LeadId]) -> list[Stored]:
    """All that is stored of these leads; of one that is gone meanwhile, nothing."""
    rows = await connection.fetch(_LEADS, leads)
    living = [LeadId(row["lead_id"]) for row in rows if row["merged_into"] is None]
    events = await stored_histories(connection, living)
    identifiers = await _by_lead(connection, _IDENTIFIERS, leads, Identifiers)
    transitions = await _by_lead(connection, _TRANSITIONS, leads, StoredTransition)
    deliveries = await _by_lead(connection, _DELIVERIES, leads, StoredDelivery)
    return [
        Stored(
            lead=LeadId(row["lead_id"]),
            row=row,
            identifiers=identifiers[row["lead_id"]],
            transitions=transitions[row["lead_id"]],
            deliveries=deliveries[row["lead_id"]],
            events=events.get(LeadId(row["lead_id"]), b""),
        )
        for row in rows
    ]


async def _by_lead(connection: Any, sql: str, leads: Sequence[LeadId], kind: Any) -> dict[Any, list[Any]]:
    found: defaultdict[Any, list[Any]] = defaultdict(list)
    for row in await connection.fetch(sql, leads):
        values = dict(row)
        found[values.pop("lead_id")].append(kind(**values))
    return found
