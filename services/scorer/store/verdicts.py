"""event_verdicts, and the events that the judge reads.

In: leads and times, verdicts. Out: stored events, what is held against whom, what somebody released.
Refuses to read all of a lead for one event of it: a look at the index for each lead and time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from services.scorer.judge.acts import NAMES
from services.scorer.judge.news import Span
from services.scorer.judge.signals import Verdict
from services.scorer.store.histories import BY_JUDGE, Row
from shared.codec import decode
from shared.ids import EventId, LeadId

_MOST_EVENTS: Final = 2_000
"""Of one lead, the newest: who has more is no case for a judge of mails."""

_READ: Final = """
SELECT wanted.lead_id AS living, found.received_at, found.lead_id, found.quarantine, found.body
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS wanted (lead_id, first, last)
CROSS JOIN LATERAL (
  SELECT e.received_at, e.occurred_at, e.event_id, e.lead_id, e.quarantine, e.body
  FROM events e
  WHERE e.lead_id = ANY(
      ARRAY(SELECT l.lead_id FROM leads l WHERE l.merged_into = wanted.lead_id) || wanted.lead_id)
    AND e.occurred_at BETWEEN wanted.first AND wanted.last AND e.name = ANY($4::text[])
  ORDER BY e.occurred_at DESC, e.event_id DESC LIMIT $5
) AS found
"""
_CLICKED: Final = """
SELECT wanted.lead_id FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[])
  AS wanted (lead_id, first, last)
WHERE EXISTS (
  SELECT FROM events e
  WHERE e.lead_id = ANY(
      ARRAY(SELECT l.lead_id FROM leads l WHERE l.merged_into = wanted.lead_id) || wanted.lead_id)
    AND e.occurred_at BETWEEN wanted.first AND wanted.last AND e.name = 'email.clicked'
)
"""
_HELD: Final = """
SELECT lead_id, min(occurred_at) AS first, max(occurred_at) AS last FROM event_verdicts
WHERE lead_id = ANY($1::uuid[]) GROUP BY lead_id
"""
_FOLLOW: Final = """
UPDATE event_verdicts v SET lead_id = n.winner FROM unnest($1::uuid[], $2::uuid[]) AS n (loser, winner)
WHERE v.lead_id = n.loser
"""
# The newest word about each is a person's. That a device is believed again says nothing of one event.
_RELEASED: Final = """
SELECT event_id FROM (
  SELECT DISTINCT ON (event_id) event_id, reason_before, reason, made_by FROM quarantine_changes
  WHERE event_id = ANY($1::uuid[]) ORDER BY event_id, change_id DESC
) newest
WHERE reason IS NULL AND made_by <> $2 AND reason_before <> 'shared_device'
"""
_KEEP: Final = """
INSERT INTO event_verdicts AS held (event_id, lead_id, occurred_at, reason, signals)
SELECT event_id, lead_id, occurred_at, reason, string_to_array(signals, E'\\n')
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[])
  AS n (event_id, lead_id, occurred_at, reason, signals)
ORDER BY event_id
ON CONFLICT (event_id) DO UPDATE
  SET lead_id = EXCLUDED.lead_id, reason = EXCLUDED.reason, signals = EXCLUDED.signals, judged_at = now()
  WHERE (held.lead_id, held.reason, held.signals)
    IS DISTINCT FROM (EXCLUDED.lead_id, EXCLUDED.reason, EXCLUDED.signals)
"""
_FORGET: Final = "DELETE FROM event_verdicts WHERE event_id = ANY($1::uuid[])"


async def read(connection: Any, spans: Mapping[LeadId, Span]) -> dict[LeadId, list[Row]]:
    """The mails, visits and forms of each lead within its span, those of leads merged into it too."""
    found: dict[LeadId, list[Row]] = {lead: [] for lead in spans}
    if spans:
        for row in await connection.fetch(_READ, *_columns(spans), NAMES, _MOST_EVENTS):
            found[LeadId(row["living"])].append(
                Row(decode(row["body"]), LeadId(row["lead_id"]), row["quarantine"])
            )
    return found


async def clicked(connection: Any, spans: Mapping[LeadId, Span]) -> list[LeadId]:
    """Those of these leads who clicked within their span."""
    rows = await connection.fetch(_CLICKED, *_columns(spans)) if spans else ()
    return [LeadId(row["lead_id"]) for row in rows]


async def held(connection: Any, leads: Iterable[LeadId]) -> dict[LeadId, Span]:
    """From when to when something is held against each of these leads, of those where anything is."""
    rows = await connection.fetch(_HELD, sorted(leads))
    return {LeadId(row["lead_id"]): Span(row["first"], row["last"]) for row in rows}


async def follow(connection: Any, merged: Mapping[LeadId, LeadId]) -> None:
    """Have what is held against leads that were merged away be held against the one that is left."""
    if merged:
        await connection.execute(_FOLLOW, list(merged), list(merged.values()))


async def released_by_hand(connection: Any, events: Collection[EventId]) -> set[EventId]:
    """Those of these events that somebody released."""
    if not events:
        return set()
    rows = await connection.fetch(_RELEASED, list(events), BY_JUDGE)
    return {EventId(row["event_id"]) for row in rows}


async def keep(connection: Any, upheld: Sequence[tuple[Row, Verdict]]) -> None:
    """Keep verdicts, each with its signals. The lead in each row: whose the event is, merges followed."""
    if upheld:
        await connection.execute(
            _KEEP,
            [row.event.event_id for row, _ in upheld],
            [row.lead for row, _ in upheld],
            [row.event.occurred_at for row, _ in upheld],
            [verdict.reason for _, verdict in upheld],
            ["\n".join(verdict.signals) for _, verdict in upheld],
        )


async def forget(connection: Any, events: Collection[EventId]) -> None:
    """Forget verdicts that hold no longer."""
    if events:
        await connection.execute(_FORGET, list(events))


def _columns(spans: Mapping[LeadId, Span]) -> tuple[list[Any], ...]:
    ordered = sorted(spans)
    return ordered, [spans[lead].first for lead in ordered], [spans[lead].last for lead in ordered]
