"""transitions → deliveries, in SQL: the outbox of the scorer.

In: a connection inside a transaction. Out: rows to plan, rows written. Refuses to decide anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.router.destination import Wants
from services.router.queue import OBJECTED
from shared.ids import DeliveryId, LeadId, TransitionId
from shared.leads.transition_row import ABOUT_OBJECTION, TransitionRow

# Only the oldest unplanned transition of a lead. SKIP LOCKED alone would let a second planner take
# number 2 of a lead while the first one still holds number 1, and commit it first.
# An objection may stand behind it already, of this lead or of the one that it was merged into.
_CLAIM: Final = f"""
SELECT {", ".join(TransitionRow.__struct_fields__)}, traceparent,
  CASE WHEN other_leads <> '{{}}' OR corrected <> '{{}}' THEN ARRAY(
    SELECT DISTINCT d.destination FROM transitions earlier JOIN deliveries d USING (transition_id)
    WHERE earlier.lead_id IN (
      SELECT t.lead_id UNION ALL
      SELECT l.lead_id FROM leads l WHERE l.merged_into = t.lead_id AND t.corrected <> '{{}}'
    )
  ) ELSE '{{}}' END AS had_it,
  EXISTS (
    SELECT FROM transitions o WHERE o.lead_id = t.lead_id AND o.sequence > t.sequence AND o.cause = 'objected'
  ) OR EXISTS (
    SELECT FROM leads l JOIN transitions o ON o.lead_id = l.merged_into
    WHERE l.lead_id = t.lead_id AND o.cause = 'objected'
  ) AS objected
FROM transitions AS t
WHERE planned_at IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM transitions AS older
    WHERE older.lead_id = t.lead_id AND older.sequence < t.sequence AND older.planned_at IS NULL)
ORDER BY recorded_at
LIMIT $1
FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - the names are our own fields

_WRITE: Final = """
INSERT INTO deliveries (
  delivery_id, destination, transition_id, lead_id, sequence, kind, body, state, last_error,
  event_received_at, finished_at, traceparent)
SELECT delivery_id, destination, transition_id, lead_id, sequence, kind, body,
  CASE WHEN error IS NULL THEN 'pending' ELSE 'dead' END, error,
  event_received_at, CASE WHEN error IS NULL THEN NULL ELSE now() END, traceparent
FROM unnest(
  $1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::int[], $6::bytea[], $7::text[], $8::timestamptz[],
  $9::text[], $10::text[]
) AS n (
  delivery_id, destination, transition_id, lead_id, sequence, body, error, event_received_at, kind,
  traceparent)
ON CONFLICT (delivery_id) DO UPDATE SET body = excluded.body, state = excluded.state,
  last_error = excluded.last_error, finished_at = excluded.finished_at, next_at = now()
WHERE deliveries.state = 'dead' AND deliveries.body = '' AND deliveries.retried_at IS NOT NULL
"""

# What waits of a lead whose person objected, and of leads merged into it. What is under way is only marked:
# should it fail, it is not tried again (queue.py).
_CANCEL: Final = f"""
WITH objected AS (SELECT * FROM unnest($1::uuid[], $2::int[]) AS n (lead_id, sequence)),
waiting AS (
  SELECT d.delivery_id FROM objected o
  CROSS JOIN LATERAL (
    SELECT o.lead_id UNION ALL SELECT l.lead_id FROM leads l WHERE l.merged_into = o.lead_id
  ) AS family
  JOIN transitions t ON t.lead_id = family.lead_id AND (t.lead_id <> o.lead_id OR t.sequence < o.sequence)
  JOIN deliveries d USING (transition_id)
  WHERE d.state IN ('pending', 'claimed') AND t.cause <> 'objected'
  FOR NO KEY UPDATE OF d)
UPDATE deliveries d SET last_error = '{OBJECTED}',
  state = CASE d.state WHEN 'pending' THEN 'superseded' ELSE d.state END,
  finished_at = CASE d.state WHEN 'pending' THEN now() END
FROM waiting WHERE d.delivery_id = waiting.delivery_id
RETURNING d.destination, d.state
"""  # noqa: S608 - the only inserted text is a constant

# Whoever was sent something of these leads, or is being sent it, whatever became of it.
_HAD_IT: Final = """
SELECT t.transition_id, ARRAY(
  SELECT DISTINCT d.destination FROM transitions earlier JOIN deliveries d USING (transition_id)
  WHERE earlier.lead_id IN (
    SELECT t.lead_id UNION ALL SELECT l.lead_id FROM leads l WHERE l.merged_into = t.lead_id
  ) AND d.attempt > 0
) AS had_it
FROM transitions t WHERE t.transition_id = ANY($1::uuid[])
"""

_MARK: Final = """
UPDATE transitions t SET planned_at = now(), planned_for = CASE
  WHEN t.planned_for IS NULL THEN string_to_array(n.planned_for, ',')
  ELSE ARRAY(SELECT DISTINCT unnest(t.planned_for || string_to_array(n.planned_for, ',')))
END
FROM unnest($1::uuid[], $2::text[]) AS n (transition_id, planned_for)
WHERE t.transition_id = n.transition_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One delivery to write.

    error:  why it can never be sent; it is written as a dead letter. None if it can
    traceparent: context of its planning, if that is traced
    """

    delivery_id: DeliveryId
    destination: str
    transition_id: TransitionId
    lead_id: LeadId
    sequence: int
    body: bytes
    error: str | None
    event_received_at: datetime | None
    wants: Wants = "every"
    traceparent: str | None = None


async def claim(connection: Any, limit: int) -> list[Mapping[str, Any]]:
    """Lock transitions that nobody has planned, oldest first, one per lead."""
    return list(await connection.fetch(_CLAIM, limit))


async def with_who_had_it(connection: Any, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows, those about objections with the destinations that have to hear of it.

    Asked after `cancel`: a delivery that is not under way by then never will be.
    """
    about = [row["transition_id"] for row in rows if row["cause"] in ABOUT_OBJECTION]
    if not about:
        return list(rows)
    had = {row["transition_id"]: row["had_it"] for row in await connection.fetch(_HAD_IT, about)}
    return [
        {**row, "had_it": had[row["transition_id"]]} if row["transition_id"] in had else row for row in rows
    ]


async def write(connection: Any, deliveries: Sequence[Planned]) -> None:
    """Write deliveries; one that exists already stays as it is.

    Unless it could not be written, and somebody has that tried again.
    """
    if not deliveries:
        return
    columns = zip(*(_row(one) for one in deliveries), strict=True)
    await connection.execute(_WRITE, *(list(column) for column in columns))


async def cancel(connection: Any, objected: Sequence[Mapping[str, Any]]) -> list[str]:
    """Send nothing more of what happened before these transitions, which tell of objections.

    Returns the destination of each delivery that was given up.
    """
    if not objected:
        return []
    leads, sequences = zip(*((row["lead_id"], row["sequence"]) for row in objected), strict=True)
    rows = await connection.fetch(_CANCEL, leads, sequences)
    return [row["destination"] for row in rows if row["state"] == "superseded"]


async def mark(connection: Any, planned_for: Mapping[TransitionId, Sequence[str]]) -> None:
    """Never plan these again.

    planned_for: transition → destinations that have a delivery for it, beside those of an earlier planning
    """
    if planned_for:
        names = [",".join(destinations) for destinations in planned_for.values()]
        await connection.execute(_MARK, list(planned_for), names)


def _row(one: Planned) -> tuple[Any, ...]:
    return (
        one.delivery_id,
        one.destination,
        one.transition_id,
        one.lead_id,
        one.sequence,
        one.body,
        one.error,
        one.event_received_at,
        one.wants,
        one.traceparent,
    )
