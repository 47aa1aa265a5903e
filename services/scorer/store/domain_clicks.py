"""domain_clicks: who of a company clicked when, by keyed hashes; kept for days, to see several at once.

In: clicks. Out: which were crowded, and whose they are. Refuses to grow: `clean` forgets what is too old to
have neighbours that come late, and what was crowded with the look-back of duplicates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.scorer.judge.thresholds import NEIGHBOUR_S
from shared.ids import EventId, LeadId

_LOCK_KEY: Final = 4_951_760_159  # any number that no other advisory lock has
_LOCK: Final = f"SELECT pg_try_advisory_xact_lock({_LOCK_KEY})"

_NOTE: Final = """
INSERT INTO domain_clicks (event_id, domain, recipient, lead_id, at)
SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::uuid[], $5::timestamptz[])
ON CONFLICT (event_id) DO NOTHING
"""
_NEIGHBOURS: Final = f"""(
  SELECT count(DISTINCT n.recipient) FROM domain_clicks n WHERE n.domain = c.domain
    AND n.at BETWEEN c.at - interval '{NEIGHBOUR_S} s' AND c.at + interval '{NEIGHBOUR_S} s')"""  # noqa: S608 - only constants are inserted
_CROWD_OWN: Final = f"""
UPDATE domain_clicks c SET crowded = true WHERE event_id = ANY($1::uuid[]) AND {_NEIGHBOURS} >= $2
"""  # noqa: S608 - only constants are inserted
_TAKE: Final = """
UPDATE domain_clicks SET looked = true WHERE event_id IN (
  SELECT event_id FROM domain_clicks WHERE NOT looked ORDER BY noted_at LIMIT $1
) RETURNING domain, at
"""
_CROWD_AROUND: Final = f"""
UPDATE domain_clicks c SET crowded = true
FROM (
  SELECT DISTINCT c.event_id FROM unnest($1::bytea[], $2::timestamptz[]) AS n (domain, at)
  JOIN domain_clicks c ON c.domain = n.domain
    AND c.at BETWEEN n.at - interval '{NEIGHBOUR_S} s' AND n.at + interval '{NEIGHBOUR_S} s'
  WHERE {_NEIGHBOURS} >= $3
) AS found
WHERE c.event_id = found.event_id
RETURNING c.lead_id, c.at
"""  # noqa: S608 - only constants are inserted
_CROWDED: Final = "SELECT event_id FROM domain_clicks WHERE event_id = ANY($1::uuid[]) AND crowded"
_CLEAN: Final = """
DELETE FROM domain_clicks WHERE noted_at < now() - CASE WHEN crowded THEN interval '100 days'
  ELSE interval '3 days' END
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A click of somebody at a company. domain, recipient: keyed hashes."""

    event_id: EventId
    domain: bytes
    recipient: bytes
    lead: LeadId
    at: datetime


async def note(connection: Any, clicks: Sequence[Click], recipients: int) -> None:
    """Note these, and which of them have neighbours that are known already."""
    if clicks:
        ids = [one.event_id for one in clicks]
        await connection.execute(
            _NOTE,
            ids,
            [one.domain for one in clicks],
            [one.recipient for one in clicks],
            [one.lead for one in clicks],
            [one.at for one in clicks],
        )
        await connection.execute(_CROWD_OWN, ids, recipients)


async def crowded(connection: Any, clicks: Iterable[EventId]) -> set[EventId]:
    """Those of these clicks that had neighbours."""
    wanted = list(clicks)
    rows = await connection.fetch(_CROWDED, wanted) if wanted else ()
    return {EventId(row["event_id"]) for row in rows}


async def look(connection: Any, most: int, recipients: int) -> list[tuple[LeadId, datetime]] | None:
    """Take clicks whose neighbours nobody has looked at; whose are crowded, and when.

    None if there are none, or another scorer is looking.
    """
    if not await connection.fetchval(_LOCK):
        return None
    taken = await connection.fetch(_TAKE, most)
    if not taken:
        return None
    found = await connection.fetch(
        _CROWD_AROUND, [row["domain"] for row in taken], [row["at"] for row in taken], recipients
    )
    return [(LeadId(row["lead_id"]), row["at"]) for row in found]


async def clean(connection: Any) -> None:
    """Forget what is too old."""
    await connection.execute(_CLEAN)
