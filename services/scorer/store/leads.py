"""leads and lead_due: the present of every lead, one hot row each.

In: lead ids, or leads as they should be now. Out: leads, locked. Refuses to be indexed: no column that
changes per event has an index, so that updates stay on their page (measured: 100 % HOT).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import asyncpg
import msgspec

from services.scorer.identify.facts import Facts
from services.scorer.settle import Lead
from shared.events import OWN_NAMESPACE
from shared.ids import LeadId
from shared.leads.store.present import decode_ledger, decode_state, encode_ledger

_COLUMNS: Final = (
    "lead_id, merged_into, known, first_seen_at, last_seen_at, event_count, user_ids, emails, anonymous_ids, "
    "namespaces, marks, state, ledger, stage, stage_since, score, grade, dimensions, scored_at, due_at, "
    "model_version"
)

# NO KEY UPDATE, in the order of ids: two batches that share leads wait for each other, never in a cycle.
_LOCK: Final = f"""
SELECT {_COLUMNS} FROM leads WHERE lead_id = ANY($1::uuid[]) ORDER BY lead_id FOR NO KEY UPDATE
"""  # noqa: S608 - only constants are inserted

_READ: Final = f"SELECT {_COLUMNS} FROM leads WHERE lead_id = ANY($1::uuid[])"  # noqa: S608 - as above


_WRITE: Final = f"""
INSERT INTO leads ({_COLUMNS})
SELECT lead_id, NULL, known, first_seen_at, last_seen_at, event_count, user_ids, emails, anonymous_ids,
       namespaces, marks, state, ledger, stage, stage_since, score, grade, dimensions::jsonb, scored_at,
       due_at, model_version
FROM unnest($1::lead_row[])
ORDER BY lead_id
ON CONFLICT (lead_id) DO UPDATE SET
  known = EXCLUDED.known, first_seen_at = EXCLUDED.first_seen_at, last_seen_at = EXCLUDED.last_seen_at,
  event_count = EXCLUDED.event_count, user_ids = EXCLUDED.user_ids, emails = EXCLUDED.emails,
  anonymous_ids = EXCLUDED.anonymous_ids, namespaces = EXCLUDED.namespaces, marks = EXCLUDED.marks,
  state = EXCLUDED.state, ledger = EXCLUDED.ledger,
  stage = EXCLUDED.stage, stage_since = EXCLUDED.stage_since, score = EXCLUDED.score, grade = EXCLUDED.grade,
  dimensions = EXCLUDED.dimensions, scored_at = EXCLUDED.scored_at, due_at = EXCLUDED.due_at,
  model_version = EXCLUDED.model_version
"""  # noqa: S608 - only constants are inserted

# A later time than the stored one is not written: waking up early costs one look, and no write per event.
_DUE: Final = """
INSERT INTO lead_due AS held (lead_id, due_at)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) AS n (lead_id, due_at) ORDER BY lead_id
ON CONFLICT (lead_id) DO UPDATE SET due_at = EXCLUDED.due_at WHERE held.due_at > EXCLUDED.due_at
"""

_TAKE_DUE: Final = """
DELETE FROM lead_due WHERE lead_id IN (
  SELECT lead_id FROM lead_due WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
) RETURNING lead_id
"""

_OWN: Final = frozenset({OWN_NAMESPACE})
_NONE: Final[frozenset[str]] = frozenset()


async def lock(connection: Any, ids: Iterable[LeadId]) -> tuple[dict[LeadId, Lead], bool]:
    """These leads, locked until the transaction ends; and whether one of them was merged away meanwhile."""
    rows = await connection.fetch(_LOCK, sorted(ids))
    live = {LeadId(row["lead_id"]): _lead(row) for row in rows if row["merged_into"] is None}
    return live, len(live) < len(rows)


async def lock_all(connection: Any, ids: Iterable[LeadId]) -> dict[LeadId, Lead]:
    """These leads, locked until the transaction ends, those merged away too."""
    rows = await connection.fetch(_LOCK, sorted(ids))
    return {LeadId(row["lead_id"]): _lead(row) for row in rows}


async def read(connection: Any, ids: Iterable[LeadId]) -> dict[LeadId, Lead]:
    """These leads as they are, without a lock."""
    return {LeadId(row["lead_id"]): _lead(row) for row in await connection.fetch(_READ, list(ids))}


async def write(connection: Any, leads: Sequence[Lead]) -> None:
    """Insert or update leads as they are now, and wake the sweep in time for each."""
    if not leads:
        return
    await connection.execute(_WRITE, [_row(lead) for lead in leads])


async def wake(connection: Any, due: Sequence[tuple[LeadId, datetime]]) -> None:
    """Have the sweep look at these leads at these times, or earlier."""
    if due:
        await connection.execute(_DUE, [lead for lead, _ in due], [at for _, at in due])


async def take_due(connection: Any, most: int) -> list[LeadId]:
    """Leads whose time has come; another sweeper does not get them."""
    return [LeadId(row["lead_id"]) for row in await connection.fetch(_TAKE_DUE, most)]


def _lead(row: "asyncpg.Record") -> Lead:
    return Lead(
        lead_id=LeadId(row["lead_id"]),
        facts=Facts(
            known=row["known"],
            first_seen_at=row["first_seen_at"],
            namespaces=_namespaces(row["namespaces"], row["user_ids"]),
            addresses=row["emails"],
            anonymous_ids=row["anonymous_ids"],
            apart=_words(row["marks"]),
        ),
        last_seen_at=row["last_seen_at"],
        event_count=row["event_count"],
        state=decode_state(row["state"]),
        ledger=decode_ledger(row["ledger"]),
        score=row["score"],
        grade=row["grade"],
        dimensions=row["dimensions"],
        scored_at=row["scored_at"],
        due_at=row["due_at"],
        model_version=row["model_version"],
    )


def _row(lead: Lead) -> tuple[Any, ...]:
    """The lead as the database's type `lead_row` has it."""
    facts = lead.facts
    return (
        lead.lead_id,
        facts.known,
        facts.first_seen_at,
        lead.last_seen_at,
        lead.event_count,
        len(facts.namespaces),
        facts.addresses,
        facts.anonymous_ids,
        ",".join(sorted(facts.namespaces)) if facts.namespaces else "",
        ",".join(sorted(facts.apart)) if facts.apart else "",
        lead.state.encode(),
        encode_ledger(lead.ledger),
        lead.ledger.stage,
        lead.ledger.since,
        lead.score,
        lead.grade,
        msgspec.json.encode(lead.dimensions).decode(),
        lead.scored_at,
        lead.due_at,
        lead.model_version,
    )


@lru_cache
def _namespaces(text: str, user_ids: int) -> frozenset[str]:
    """Where the lead has a user id; one of before namespaces is taken for the product's own."""
    return _words(text) if text or not user_ids else _OWN


@lru_cache
def _words(text: str) -> frozenset[str]:
    return frozenset(text.split(",")) if text else _NONE
