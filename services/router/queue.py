"""deliveries as a queue, in SQL: claim, finish, fail, reap.

In: a connection inside a transaction. Out: claimed deliveries; whether an outcome still counted.
Refuses outcomes without the token of the present claim: whoever lost its lease has nothing to say.

Order (P5): a delivery can be claimed only when no older one of its lead and destination is pending or
claimed, also while that one waits for its next attempt. All times are Postgres's: routers' clocks differ.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.ids import DeliveryId, LeadId

_CLAIM: Final = """
WITH ready AS (
  SELECT delivery_id FROM deliveries AS d
  WHERE destination = $1 AND state = 'pending' AND next_at <= now()
    AND NOT EXISTS (
      SELECT 1 FROM deliveries AS older
      WHERE older.destination = d.destination AND older.lead_id = d.lead_id
        AND older.sequence < d.sequence AND older.state IN ('pending', 'claimed'))
  ORDER BY next_at
  LIMIT $2
  FOR NO KEY UPDATE SKIP LOCKED)
UPDATE deliveries AS d
SET state = 'claimed', claim = $3, lease_until = now() + make_interval(secs => $4), attempt = attempt + 1
FROM ready WHERE d.delivery_id = ready.delivery_id
RETURNING d.delivery_id, d.destination, d.lead_id, d.sequence, d.body, d.attempt, d.claim,
  d.event_received_at, d.traceparent
"""

# Of several that wait for one lead, only the newest says what is so now. One that is under way is left alone:
# whoever comes after it waits for its end, as always.
_SUPERSEDE: Final = """
WITH older AS (
  SELECT delivery_id FROM deliveries AS d
  WHERE destination = $1 AND state = 'pending' AND kind = 'latest'
    AND EXISTS (
      SELECT 1 FROM deliveries AS newer
      WHERE newer.destination = d.destination AND newer.lead_id = d.lead_id
        AND newer.sequence > d.sequence AND newer.state = 'pending')
  FOR NO KEY UPDATE SKIP LOCKED)
UPDATE deliveries AS d SET state = 'superseded', finished_at = now()
FROM older WHERE d.delivery_id = older.delivery_id
"""

_FINISH: Final = """
UPDATE deliveries
SET state = $3, claim = NULL, lease_until = NULL, last_status = $4, last_error = $5, finished_at = now()
WHERE delivery_id = $1 AND claim = $2
"""

OBJECTED: Final = "objected: the person objected, so it is not sent any more"
"""Why a delivery was given up that waited when a person objected; marks one that was under way then"""

_RETRY: Final = f"""
UPDATE deliveries
SET state = CASE last_error WHEN '{OBJECTED}' THEN 'superseded' ELSE 'pending' END,
  finished_at = CASE last_error WHEN '{OBJECTED}' THEN now() END,
  claim = NULL, lease_until = NULL, last_status = $4, next_at = $3,
  last_error = CASE last_error WHEN '{OBJECTED}' THEN last_error ELSE $5 END
WHERE delivery_id = $1 AND claim = $2
"""  # noqa: S608 - the only inserted text is a constant

_REAP: Final = f"""
WITH expired AS (
  SELECT delivery_id FROM deliveries WHERE state = 'claimed' AND lease_until < now()
  FOR NO KEY UPDATE SKIP LOCKED)
UPDATE deliveries AS d SET claim = NULL, lease_until = NULL, next_at = now(),
  state = CASE last_error WHEN '{OBJECTED}' THEN 'superseded' ELSE 'pending' END,
  finished_at = CASE last_error WHEN '{OBJECTED}' THEN now() END
FROM expired WHERE d.delivery_id = expired.delivery_id
"""  # noqa: S608 - the only inserted text is a constant

_NOW: Final = "SELECT now()"

_DEPTH: Final = """
SELECT destination, count(*) AS waiting, extract(epoch FROM now() - min(created_at))::float8 AS oldest_s
FROM deliveries WHERE state IN ('pending', 'claimed') GROUP BY destination
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery that is ours to send until its lease ends.

    attempt:  this one; 1 is the first
    claim:    the token that its outcome needs
    traceparent: what its request continues, if it is traced
    """

    delivery_id: DeliveryId
    destination: str
    lead_id: LeadId
    sequence: int
    body: bytes
    attempt: int
    claim: UUID
    event_received_at: datetime | None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much waits for a destination."""

    waiting: int
    oldest_s: float


async def claim(
    connection: Any, destination: str, *, limit: int, token: UUID, lease_s: float
) -> list[Delivery]:
    """Take up to `limit` deliveries that are due, at most one per lead."""
    rows = await connection.fetch(_CLAIM, destination, limit, token, lease_s)
    return [Delivery(**row) for row in rows]


async def supersede(connection: Any, destination: str) -> int:
    """Give up what waits where something newer of the same lead waits too; returns how many."""
    return _rows(await connection.execute(_SUPERSEDE, destination))


async def finish(connection: Any, delivery: Delivery, status: int | None) -> bool:
    """It arrived. False if the claim is not ours any more."""
    return await _changed(connection, _FINISH, delivery, "delivered", status, None)


async def mark_dead(connection: Any, delivery: Delivery, status: int | None, error: str) -> bool:
    """It is a dead letter now. False if the claim is not ours any more."""
    return await _changed(connection, _FINISH, delivery, "dead", status, error)


async def retry_at(connection: Any, delivery: Delivery, at: datetime, status: int | None, error: str) -> bool:
    """It waits for its next attempt. False if the claim is not ours any more."""
    return await _changed(connection, _RETRY, delivery, at, status, error)


async def reap(connection: Any) -> int:
    """Give back what was claimed by routers that did not finish in time; the attempts stay counted."""
    return _rows(await connection.execute(_REAP))


async def now(connection: Any) -> datetime:
    """The time by which everything in this transaction is judged."""
    return await connection.fetchval(_NOW)  # type: ignore[no-any-return]


async def depth(connection: Any) -> dict[str, Depth]:
    """What waits, per destination."""
    rows = await connection.fetch(_DEPTH)
    return {row["destination"]: Depth(waiting=row["waiting"], oldest_s=row["oldest_s"]) for row in rows}


async def _changed(connection: Any, statement: str, delivery: Delivery, *values: Any) -> bool:
    return _rows(await connection.execute(statement, delivery.delivery_id, delivery.claim, *values)) == 1


def _rows(tag: str) -> int:
    """The number in a command tag such as `UPDATE 1`."""
    return int(tag.rpartition(" ")[2])
