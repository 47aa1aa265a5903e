"""Visitors whom nobody knows and who have gone: forgotten whole, a portion at a time.

In: a month of `events` that is old enough. Out: leads, identifiers and events that are gone; how many, in
`forgotten_months`. Refuses to forget a part of anybody: who sent something later keeps all of it, and so does
whoever is known, was merged, moved from stage to stage, or was decided about (docs/decisions/0011).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from services.scorer.retention.months import end_of, partition_of
from shared.ids import NOBODY, LeadId

PORTION: Final = 200
_EVENTS_AT_ONCE: Final = 20_000

_BEGIN: Final = "INSERT INTO forgotten_months (month) VALUES ($1) ON CONFLICT DO NOTHING"
# What kept somebody may have ended: a merge undone, a device that is believed again, accounts worked off.
_AGAIN: Final = """
UPDATE forgotten_months SET reached = '00000000-0000-0000-0000-000000000000', finished_at = NULL
WHERE month = $1 AND finished_at < now() - interval '30 days'
"""
# The row is the lock as well: another scorer finds it taken, and leaves this month alone.
_TAKE: Final = """
SELECT reached FROM forgotten_months WHERE month = $1 AND finished_at IS NULL FOR UPDATE SKIP LOCKED
"""
# Not those that were taken from somebody: a device or identifier that is believed again brings them back.
_OF_NOBODY: Final = """
WITH gone AS (
  DELETE FROM {partition} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {partition}
    WHERE lead_id = $1 AND quarantine NOT IN ('shared_device', 'suspended_identifier') LIMIT $2
  )) RETURNING 1
)
SELECT count(*) FROM gone
"""
_NEXT: Final = """
SELECT lead_id, count(*) AS events FROM {partition} WHERE lead_id > $1
GROUP BY lead_id ORDER BY lead_id LIMIT $2
"""

# What makes a lead more than a device that visited.
_UNKNOWN: Final = """
NOT l.known AND l.merged_into IS NULL AND l.marks = ''
AND NOT EXISTS (SELECT FROM leads loser WHERE loser.merged_into = l.lead_id)
AND NOT EXISTS (SELECT FROM lead_merges m WHERE m.winner = l.lead_id)
AND NOT EXISTS (SELECT FROM lead_merges m WHERE m.loser = l.lead_id)
AND NOT EXISTS (SELECT FROM transitions t WHERE t.lead_id = l.lead_id)
AND NOT EXISTS (SELECT FROM account_members a WHERE a.lead_id = l.lead_id)
AND NOT EXISTS (SELECT FROM account_queue q WHERE q.lead_id = l.lead_id)
AND NOT EXISTS (SELECT FROM regroups r WHERE l.lead_id = ANY (r.leads))
AND NOT EXISTS (
  SELECT FROM identities i WHERE i.lead_id = l.lead_id AND (i.status <> 'in_use' OR i.kind <> 'anonymous_id'))
AND NOT EXISTS (
  SELECT FROM identities i JOIN identity_conflicts c
    ON (c.one_kind, c.one_value) = (i.kind, i.value) OR (c.other_kind, c.other_value) = (i.kind, i.value)
  WHERE i.lead_id = l.lead_id)
"""
_LOCK: Final = """
SELECT lead_id FROM leads WHERE lead_id = ANY ($1::uuid[]) AND NOT known AND merged_into IS NULL
ORDER BY lead_id FOR UPDATE
"""
# Asked under the lock, by statements that begin after it: whoever has a lead move, or writes an event of it,
# has locked it first.
_LOCKED: Final = f"""
SELECT l.lead_id FROM leads l WHERE l.lead_id = ANY ($1::uuid[]) AND {_UNKNOWN}
"""  # noqa: S608 - only constants are inserted
_CAME_BACK: Final = """
SELECT DISTINCT lead_id FROM events WHERE lead_id = ANY ($1::uuid[]) AND received_at >= $2
"""
_EVENTS: Final = """
WITH gone AS (
  DELETE FROM events WHERE lead_id = ANY ($1::uuid[]) AND received_at < $2 RETURNING quarantine
)
SELECT count(*) FILTER (WHERE quarantine IS NULL) AS counted,
  count(*) FILTER (WHERE quarantine IS NOT NULL) AS quarantined FROM gone
"""
_TABLES: Final = (
    *("identities", "event_verdicts", "shadow_leads", "lead_board", "lead_grams", "lead_due", "leads"),
)
_NOTE: Final = """
UPDATE forgotten_months SET reached = $2, leads = leads + $3, counted = counted + $4,
  quarantined = quarantined + $5, finished_at = CASE WHEN $6 THEN now() END
WHERE month = $1
"""
_GONE: Final = f"""
SELECT count(*)::bigint FROM leads l WHERE {_UNKNOWN}
AND EXISTS (SELECT FROM events e WHERE e.lead_id = l.lead_id AND e.received_at < $1)
AND NOT EXISTS (SELECT FROM events e WHERE e.lead_id = l.lead_id AND e.received_at >= $1)
"""  # noqa: S608 - only constants are inserted


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What one portion came to.

    counted, quarantined: events that are gone
    finished: nobody of this month is left to look at
    """

    leads: int = 0
    counted: int = 0
    quarantined: int = 0
    finished: bool = False


async def forget(connection: Any, month: date, most: int = PORTION) -> Forgotten | None:
    """Forget some of a month's visitors, in a transaction of the caller.

    None if all of them have been looked at, or another scorer is at it.
    """
    # A history is gone whole or not at all: that of one visitor may be long.
    await connection.execute("SET LOCAL statement_timeout = '10min'")
    await connection.execute(_BEGIN, month)
    await connection.execute(_AGAIN, month)
    reached = await connection.fetchval(_TAKE, month)
    if reached is None:
        return None
    partition = partition_of(month)
    gone = await connection.fetchval(_OF_NOBODY.format(partition=partition), NOBODY, most * 10)
    if gone:
        return await _noted(connection, month, reached, Forgotten(quarantined=gone))
    rows = await connection.fetch(_NEXT.format(partition=partition), reached, most)
    seen = _at_once(rows)
    finished = len(seen) == len(rows) < most
    leads = await _lapsed(connection, seen, month) if seen else []
    if leads:
        events = await _delete(connection, leads, month)
        done = Forgotten(leads=len(leads), **events, finished=finished)
    else:
        done = Forgotten(finished=finished)
    return await _noted(connection, month, seen[-1] if seen else reached, done)


def _at_once(rows: Sequence[Any]) -> list[LeadId]:
    """The first of these leads, as many as one transaction should delete with their events; one at least."""
    total = 0
    taken: list[LeadId] = []
    for row in rows:
        total += row["events"]
        if taken and total > _EVENTS_AT_ONCE:
            break
        taken.append(LeadId(row["lead_id"]))
    return taken


async def would_go(connection: Any, month: date) -> int:
    """How many leads would be forgotten if this and all earlier months were done; looks at all leads."""
    number: int = await connection.fetchval(_GONE, end_of(month))
    return number


async def _lapsed(connection: Any, seen: Sequence[Any], month: date) -> list[LeadId]:
    """Those of these leads that nobody knows and that sent nothing after the month, locked."""
    await connection.fetch(_LOCK, seen)
    locked = [row["lead_id"] for row in await connection.fetch(_LOCKED, seen)]
    came_back = {row["lead_id"] for row in await connection.fetch(_CAME_BACK, locked, end_of(month))}
    return [LeadId(lead) for lead in locked if lead not in came_back]


async def _delete(connection: Any, leads: Sequence[LeadId], month: date) -> dict[str, int]:
    """Delete all that hangs on these leads; returns how many events that counted, and that did not."""
    gone: dict[str, int] = dict(await connection.fetchrow(_EVENTS, leads, end_of(month)))
    for table in _TABLES:
        await connection.execute(f"DELETE FROM {table} WHERE lead_id = ANY ($1::uuid[])", leads)  # noqa: S608 - our own names
    return gone


async def _noted(connection: Any, month: date, reached: Any, done: Forgotten) -> Forgotten:
    """Keep how far the month is, and what the books have to know."""
    await connection.execute(_NOTE, month, reached, done.leads, done.counted, done.quarantined, done.finished)
    return done
