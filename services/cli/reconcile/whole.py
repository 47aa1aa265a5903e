"""What only the whole database can tell: event ids, the books, and what hangs on no lead.

In: a database. Out: findings. Each check is one statement, or a few as of one moment; Postgres does
the counting.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.reconcile.findings import MOST_EXAMPLES, Fault, Findings
from shared.database import snapshot

# A copy that comes later than the scorer looks back is a new event (services/scorer/store/events.py).
_TWICE: Final = """
SELECT event_id::text AS subject, count(*) || ' rows' AS seen FROM events
WHERE event_id >= $1 AND event_id <= $2
GROUP BY event_id HAVING count(*) > 1 AND max(received_at) - min(received_at) < interval '35 days'
"""
_PARTS: Final = 64

_ORPHANS: Final[Mapping[str, str]] = {
    "event_of_no_lead": """
SELECT e.lead_id::text AS subject, e.number || ' events' AS seen FROM (
  SELECT lead_id, count(*) AS number, count(*) FILTER (WHERE quarantine IS NULL) AS counted
  FROM events GROUP BY lead_id
) e LEFT JOIN leads l USING (lead_id)
WHERE l.lead_id IS NULL AND (e.counted > 0 OR e.lead_id <> '00000000-0000-0000-0000-000000000000')
""",
    "identifier_owner": """
SELECT i.kind || ' ' || left(encode(i.value, 'hex'), 16) AS subject,
  CASE WHEN l.lead_id IS NULL THEN 'no lead ' || i.lead_id
       ELSE 'lead ' || i.lead_id || ', merged into ' || l.merged_into END AS seen
FROM identities i LEFT JOIN leads l USING (lead_id) WHERE l.lead_id IS NULL OR l.merged_into IS NOT NULL
""",
    # Those of leads that wait to be grouped anew are looked at when that is done.
    "conflict_sides": """
SELECT a.lead_id::text AS subject,
  left(encode(c.one_value, 'hex'), 16) || ' and ' || left(encode(c.other_value, 'hex'), 16) AS seen
FROM identity_conflicts c
JOIN identities a ON (a.kind, a.value) = (c.one_kind, c.one_value)
JOIN identities b ON (b.kind, b.value) = (c.other_kind, c.other_value)
WHERE a.lead_id = b.lead_id AND NOT EXISTS (SELECT FROM regroups r WHERE a.lead_id = ANY(r.leads))
""",
    "delivery_unplanned": """
SELECT d.delivery_id::text AS subject, d.destination || ': there is no such transition' AS seen
FROM deliveries d LEFT JOIN transitions t USING (transition_id)
WHERE t.transition_id IS NULL OR (t.lead_id, t.sequence) <> (d.lead_id, d.sequence)
""",
    "ledger": """
SELECT t.lead_id::text AS subject, 'transitions of a lead that does not exist' AS seen
FROM (SELECT DISTINCT lead_id FROM transitions) t LEFT JOIN leads l USING (lead_id) WHERE l.lead_id IS NULL
""",
    "books": """
SELECT consumer_group || '/' || topic || '/' || partition AS subject,
  next_offset - started_at_offset || ' records, ' || counted || ' counted, ' || duplicate || ' duplicate, '
  || quarantined || ' quarantined, ' || dead_lettered || ' dead-lettered' AS seen
FROM partition_offsets
WHERE next_offset - started_at_offset <> counted + duplicate + quarantined + dead_lettered
""",
    # Where two consumer groups read one topic, both found the same records unreadable.
    "books_dead_letters": """
SELECT topic || '/' || partition AS subject, said || ' dead-lettered, kept ' || coalesce(kept, 0) AS seen
FROM (SELECT topic, partition, sum(dead_lettered) AS said FROM partition_offsets
      GROUP BY 1, 2 HAVING count(*) = 1) books
FULL JOIN (SELECT topic, partition, count(*) AS kept FROM dead_letters GROUP BY 1, 2) letters
USING (topic, partition)
WHERE said IS NOT NULL AND said <> coalesce(kept, 0)
""",
}
_SOME: Final = "SELECT *, count(*) OVER () AS number FROM ({sql}) found ORDER BY subject LIMIT {most}"

_ROWS: Final = """
SELECT count(*) FILTER (WHERE quarantine IS NULL) AS counted,
  count(*) FILTER (WHERE quarantine IS NOT NULL) AS quarantined FROM events
"""
# Without what was forgotten since (docs/decisions/0011).
_BOOKS: Final = """
SELECT coalesce(sum(counted), 0)::bigint AS counted, coalesce(sum(quarantined), 0)::bigint AS quarantined
FROM (
  SELECT counted, quarantined FROM partition_offsets
  UNION ALL SELECT -counted, -quarantined FROM forgotten_months
) books
"""
# What was quarantined, and released, after it was taken: the books do not know of it.
_CHANGED: Final = """
SELECT (count(*) FILTER (WHERE reason_before IS NULL AND reason IS NOT NULL)
  - count(*) FILTER (WHERE reason_before IS NOT NULL AND reason IS NULL))::bigint FROM quarantine_changes
"""


async def check(database: AsyncEngine, findings: Findings, tell: Callable[[str], None]) -> None:
    """Check the whole database, and tell what is being looked at."""
    for check_name, sql in _ORPHANS.items():
        tell(check_name)
        async with snapshot(database) as connection:
            _note(findings, check_name, await connection.fetch(_SOME.format(sql=sql, most=MOST_EXAMPLES)))
    tell("books_events")
    async with snapshot(database) as connection:
        findings.add(await _events(connection))
    for part in range(_PARTS):
        tell(f"event_twice {part + 1}/{_PARTS}")
        async with snapshot(database) as connection:
            sql = _SOME.format(sql=_TWICE, most=MOST_EXAMPLES)
            _note(findings, "event_twice", await connection.fetch(sql, *_bounds(part)))
    findings.whole = True


def _bounds(part: int) -> tuple[UUID, UUID]:
    """The first and the last id of one of the parts in which all ids lie."""
    width = 2**128 // _PARTS
    return UUID(int=part * width), UUID(int=(part + 1) * width - 1)


async def _events(connection: Any) -> list[Fault]:
    """The books against the rows of events, as of one moment."""
    rows, books = await connection.fetchrow(_ROWS), await connection.fetchrow(_BOOKS)
    return event_books(dict(rows), dict(books), await connection.fetchval(_CHANGED))


def event_books(rows: Mapping[str, int], books: Mapping[str, int], quarantined_since: int) -> list[Fault]:
    """What was counted and quarantined, by the books, against the rows that there are (pure).

    quarantined_since: how many more events were quarantined since they were taken than released
    """
    expected = {
        "counted": books["counted"] - quarantined_since,
        "quarantined": books["quarantined"] + quarantined_since,
    }
    return [
        Fault("books_events", what, f"by the books {number}, rows {rows[what]}")
        for what, number in expected.items()
        if rows[what] != number
    ]


def _note(findings: Findings, check_name: str, rows: Sequence[Any]) -> None:
    if rows:
        findings.add_many(
            check_name, rows[0]["number"], [Fault(check_name, row["subject"], row["seen"]) for row in rows]
        )
