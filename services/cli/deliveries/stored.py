"""Deliveries and destinations as they are stored: read, sent again, given up.

In: ids, names. Out: rows. Refuses to send what nobody may hear any more: of who objected since, or
what a newer state of a lead has replaced where only the latest counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

STATES: Final = ("pending", "claimed", "delivered", "dead", "superseded")
OPEN: Final = ("pending", "claimed", "dead")

_COLUMNS: Final = (
    "delivery_id, destination, lead_id, sequence, kind, state, attempt, next_at, last_status, last_error, "
    "created_at, finished_at, retried_at"
)
_LISTED: Final = f"""
SELECT {_COLUMNS} FROM deliveries
WHERE ($1 = '' OR destination = $1) AND state = ANY ($2::text[])
ORDER BY coalesce(finished_at, created_at) DESC, delivery_id LIMIT $3
"""  # noqa: S608 - only constants are inserted
_ONE: Final = f"SELECT {_COLUMNS}, body FROM deliveries WHERE delivery_id = $1"  # noqa: S608 - as above

# The newest first would overtake: of a lead, what happened first is told first.
_DEAD: Final = """
SELECT d.delivery_id, d.transition_id, d.body = '' AS never_written,
  EXISTS (
    SELECT FROM transitions o WHERE o.cause = 'objected' AND d.transition_id <> o.transition_id
      AND (o.lead_id = d.lead_id AND o.sequence > d.sequence
        OR o.lead_id = (SELECT l.merged_into FROM leads l WHERE l.lead_id = d.lead_id))
  ) AS objected,
  -- By way of transitions: what was delivered is in no index of a lead's deliveries.
  d.kind = 'latest' AND EXISTS (
    SELECT FROM transitions t JOIN deliveries newer USING (transition_id)
    WHERE t.lead_id = d.lead_id AND t.sequence > d.sequence AND newer.destination = d.destination
      AND newer.state IN ('pending', 'claimed', 'delivered')
  ) AS replaced
FROM deliveries d
WHERE d.state = 'dead' AND ($1::uuid IS NULL OR d.delivery_id = $1) AND ($2 = '' OR d.destination = $2)
ORDER BY d.created_at, d.sequence LIMIT $3
FOR NO KEY UPDATE OF d
"""
_SEND: Final = """
UPDATE deliveries SET state = 'pending', attempt = 0, next_at = now(), finished_at = NULL, retried_at = now()
WHERE delivery_id = ANY ($1::uuid[])
"""
_SUPERSEDE: Final = """
UPDATE deliveries SET state = 'superseded', last_error = $2, finished_at = now()
WHERE delivery_id = ANY ($1::uuid[])
"""
# It was never written, because it could not be: the router writes it anew, or says again why not.
_WRITE_ANEW: Final = "UPDATE deliveries SET retried_at = now() WHERE delivery_id = ANY ($1::uuid[])"
_PLAN: Final = "UPDATE transitions SET planned_at = NULL WHERE transition_id = ANY ($1::uuid[])"
_NUMBER: Final = "SELECT count(*)::int FROM deliveries WHERE state = 'dead' AND destination = $1"

_DESTINATIONS: Final = """
SELECT coalesce(known.destination, queue.destination) AS destination,
  CASE WHEN disabled_at IS NOT NULL THEN 'disabled' ELSE coalesce(breaker, 'closed') END AS state,
  coalesce(failures, 0) AS failures, failing_since, open_until, disabled_at, disabled_why,
  coalesce(waiting, 0)::int AS waiting, oldest_at, coalesce(dead, 0)::int AS dead
FROM destinations known
FULL JOIN (
  SELECT destination, count(*) FILTER (WHERE state <> 'dead') AS waiting,
    min(created_at) FILTER (WHERE state <> 'dead') AS oldest_at,
    count(*) FILTER (WHERE state = 'dead') AS dead
  FROM deliveries WHERE state IN ('pending', 'claimed') OR state = 'dead' GROUP BY destination
) queue USING (destination)
ORDER BY 1
"""
_GIVE_UP: Final = """
UPDATE deliveries SET state = 'superseded', last_error = $2, finished_at = now()
WHERE delivery_id IN (
  SELECT delivery_id FROM deliveries WHERE destination = $1 AND state = 'pending'
  LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
)
"""
_UNDER_WAY: Final = "SELECT count(*)::int FROM deliveries WHERE destination = $1 AND state = 'claimed'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A transition on its way to a destination.

    retried_at: when somebody last had it sent again
    """

    delivery_id: UUID
    destination: str
    lead_id: UUID
    sequence: int
    kind: Literal["every", "latest"]
    state: str
    attempt: int
    next_at: datetime
    last_status: int | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None
    retried_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where deliveries go, if it has failed or has something to do: no others are known to the database.

    state: closed, half_open, open (its circuit breaker), or disabled
    """

    destination: str
    state: str
    failures: int
    failing_since: datetime | None
    open_until: datetime | None
    disabled_at: datetime | None
    disabled_why: str | None
    waiting: int
    oldest_at: datetime | None
    dead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What became of dead deliveries that were to be sent again."""

    sent: int = 0
    planned_anew: int = 0
    objected: int = 0
    replaced: int = 0


async def listed(connection: Any, destination: str, states: Sequence[str], most: int) -> list[Delivery]:
    """Deliveries in these states, the newest first. destination: empty for all."""
    rows = await connection.fetch(_LISTED, destination, list(states), most)
    return [Delivery(**row) for row in rows]


async def one(connection: Any, delivery: UUID) -> tuple[Delivery, bytes] | None:
    """A delivery and its body."""
    if row := await connection.fetchrow(_ONE, delivery):
        values = dict(row)
        body = values.pop("body")
        return Delivery(**values), body
    return None


async def retry(connection: Any, *, delivery: UUID | None, destination: str, most: int) -> Retried:
    """Have dead deliveries sent again, the oldest first."""
    rows = await connection.fetch(_DEAD, delivery, destination, most)
    objected = [row for row in rows if row["objected"]]
    replaced = [row for row in rows if row["replaced"] and not row["objected"]]
    left = [row for row in rows if not (row["objected"] or row["replaced"])]
    unwritten = [row for row in left if row["never_written"]]
    await connection.execute(_SUPERSEDE, _ids(objected), "objected: the person objected since")
    await connection.execute(_SUPERSEDE, _ids(replaced), "superseded: a newer state was told")
    await connection.execute(_WRITE_ANEW, _ids(unwritten))
    await connection.execute(_PLAN, [row["transition_id"] for row in unwritten])
    await connection.execute(_SEND, _ids(row for row in left if not row["never_written"]))
    return Retried(
        sent=len(left) - len(unwritten),
        planned_anew=len(unwritten),
        objected=len(objected),
        replaced=len(replaced),
    )


async def number_dead(connection: Any, destination: str) -> int:
    """How many dead deliveries a destination has."""
    number: int = await connection.fetchval(_NUMBER, destination)
    return number


async def destinations(connection: Any) -> list[Destination]:
    """Every destination that has a state or something to do."""
    return [Destination(**row) for row in await connection.fetch(_DESTINATIONS)]


async def give_up(connection: Any, destination: str, why: str, most: int) -> int:
    """Never send some of what waits for this destination; returns how many deliveries that were."""
    return int((await connection.execute(_GIVE_UP, destination, why, most)).rpartition(" ")[2])


async def under_way(connection: Any, destination: str) -> int:
    """How many deliveries to this destination a router has taken at this moment."""
    number: int = await connection.fetchval(_UNDER_WAY, destination)
    return number


def _ids(rows: Any) -> list[UUID]:
    return [row["delivery_id"] for row in rows]
