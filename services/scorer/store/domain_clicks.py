"""domain_clicks: who of a company clicked when, by keyed hashes; kept for days, to see several at once.

In: clicks. Out: which were crowded, and whose they are. Refuses to grow: `clean` forgets what is too old to
have neighbours that come late, and what was crowded with the look-back of duplicates. Refuses to take longer
than its number of clicks asks for: a gateway that scans a whole company must not hold up all others.
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
# Near the clicks of ($1, $2): of each click not known to be crowded, how many recipients clicked around it.
# A running count over moments: a recipient is there from a while before to a while after a click of theirs
# (turns 0 and 2). Counting around each click anew took 20 s for 300 clicks within three seconds.
_COUNTED: Final = f"""
WITH near AS (
  SELECT domain, unnest(range_agg(tstzrange(
      at - 2 * interval '{NEIGHBOUR_S} s', at + 2 * interval '{NEIGHBOUR_S} s', '[]'))) AS span
  FROM unnest($1::bytea[], $2::timestamptz[]) AS n (domain, at) GROUP BY domain
), clicks AS MATERIALIZED (
  SELECT found.* FROM near CROSS JOIN LATERAL (
    SELECT c.* FROM domain_clicks c
    WHERE c.domain = near.domain AND c.at BETWEEN lower(near.span) AND upper(near.span)
    OFFSET 0 -- by the index, whatever the planner thinks of the number of spans
  ) AS found
), there AS (
  SELECT domain, unnest(range_agg(tstzrange(
      at - interval '{NEIGHBOUR_S} s', at + interval '{NEIGHBOUR_S} s', '[]'))) AS span
  FROM clicks GROUP BY domain, recipient
), moments AS (
  SELECT domain, lower(span) AS at, 0 AS turn, 1 AS change, NULL::uuid AS event_id FROM there
  UNION ALL SELECT domain, at, 1, 0, event_id FROM clicks WHERE NOT crowded
  UNION ALL SELECT domain, upper(span), 2, -1, NULL FROM there
), counted AS (
  SELECT event_id, sum(change) OVER (PARTITION BY domain ORDER BY at, turn) AS recipients FROM moments
)"""  # noqa: S608 - only constants are inserted
_CROWD: Final = f"""{_COUNTED}
UPDATE domain_clicks c SET crowded = true
WHERE c.event_id = ANY(ARRAY(SELECT event_id FROM counted WHERE recipients >= $3))"""  # noqa: S608 - as above
_CROWD_OWN: Final = f"{_CROWD} AND c.event_id = ANY($4::uuid[])"
_TAKE: Final = """
UPDATE domain_clicks SET looked = true WHERE event_id IN (
  SELECT event_id FROM domain_clicks WHERE NOT looked ORDER BY noted_at LIMIT $1
) RETURNING domain, at
"""
_CROWD_AROUND: Final = f"{_CROWD} RETURNING c.lead_id, c.at"
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
        domains, times = [one.domain for one in clicks], [one.at for one in clicks]
        names, leads = [one.recipient for one in clicks], [one.lead for one in clicks]
        await connection.execute(_NOTE, ids, domains, names, leads, times)
        await connection.execute(_CROWD_OWN, domains, times, recipients, ids)


async def crowded(connection: Any, clicks: Iterable[EventId]) -> set[EventId]:
    """Those of these clicks that had neighbours."""
    wanted = list(clicks)
    rows = await connection.fetch(_CROWDED, wanted) if wanted else ()
    return {EventId(row["event_id"]) for row in rows}


async def look(connection: Any, most: int, recipients: int) -> list[tuple[LeadId, datetime]] | None:
    """Take clicks whose neighbours nobody has looked at; whose are found crowded now, and when.

    What was known to be crowded has been judged so, by its own batch or after an earlier look. None if there
    is nothing to look at, or another scorer is looking.
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
