"""A database that is full before the first event: millions of leads, identities and events, made by SQL.

In: a migrated database, how many leads, the leads that a backlog will touch. Out: rows; the leads to be
touched lie apart from each other, so that each is on a page of its own.
Refuses to be read: events filled in belong to nobody, because a lead's history would have to be real.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from benchmarks.past import Crowd, past
from benchmarks.populate import as_scored, publish
from benchmarks.stage import ROOT
from services.scorer.models import model_source
from services.scorer.store import leads
from shared.ids import LeadId, SystemIds
from shared.leads.identifiers import IdentityRules
from shared.scoring.replay.timeline import Chart, Timeline

_MODEL: Final = ROOT / "deploy" / "config" / "scoring.yaml"
_PERSON: Final = Crowd(people=1, events=5, known=0.0)

# Every column but the id: the leads are copies of one.
_COLUMNS: Final = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = 'leads'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'lead_id'
"""
# Ids of leads go up, as those of the product do. Ids of events and hashes are in no order: they are sorted
# first, so that every insert writes at the end of its index; otherwise ten million leads take half an hour.
_FILL: Final = """
INSERT INTO leads (lead_id, {columns})
SELECT lpad(to_hex(number), 32, '0')::uuid, {columns}
FROM (SELECT * FROM leads LIMIT 1) AS template, generate_series(2, {number}) AS number;
INSERT INTO identities (kind, value, lead_id, first_at, status, namespace)
SELECT 'anonymous_id', decode(md5(lead_id::text), 'hex'), lead_id, now(), 'in_use', '' FROM leads ORDER BY 2;
INSERT INTO events (event_id, received_at, occurred_at, lead_id, source, name, body)
SELECT md5(number::text)::uuid, now(), now() - random() * interval '20 days',
       lpad(to_hex({number} + number), 32, '0')::uuid, 'product', 'page.viewed', '{{}}'
FROM generate_series(1, {number}) AS number ORDER BY 1;
"""
_COUNT_READS: Final = """
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET track_io_timing = on', current_database()); END $$;
SELECT pg_stat_reset();
"""
_SPREAD: Final = """
SELECT lead_id FROM (SELECT lead_id, row_number() OVER () AS number FROM leads) AS numbered
WHERE number % $1 = 0 LIMIT $2
"""


async def fill(url: str, number: int, touched: list[str], key: str) -> None:
    """So many leads, each with an identity and an event.

    touched:  anonymous ids of leads that will get events
    key:      the installation's identity key
    """
    connection = await asyncpg.connect(url, timeout=30)
    try:
        await connection.execute("SET synchronous_commit = off")
        await _one_lead(connection)
        # The publish asks to score every lead anew, which is done: they are copies of one that is.
        await connection.execute("UPDATE rescores SET finished_at = now()")
        await connection.execute(
            _FILL.format(number=number, columns=await connection.fetchval(_COLUMNS)), timeout=3600
        )
        spread = await connection.fetch(_SPREAD, max(1, number // len(touched)), len(touched), timeout=600)
        rules = IdentityRules(key=key.encode())
        await connection.copy_records_to_table(
            "identities",
            records=[
                ("anonymous_id", _hashed(rules, one), row["lead_id"], datetime.now(UTC), "in_use", "")
                for one, row in zip(touched, spread, strict=True)
            ],
            columns=("kind", "value", "lead_id", "first_at", "status", "namespace"),
        )
        await connection.execute("VACUUM ANALYZE", timeout=3600)
        # What the filling read, and left to be written, is not the work that is measured.
        await connection.execute("CHECKPOINT", timeout=3600)
        await connection.execute(_COUNT_READS)
    finally:
        await connection.close()


async def _one_lead(connection: Any) -> None:
    """The lead that all others are copies of."""
    version = await publish(connection, _MODEL)
    model = model_source.read(_MODEL).model
    now = datetime.now(UTC) - timedelta(days=1)
    timeline = Timeline(Chart(model), past(_PERSON, 0, now))
    lead = as_scored((model, version), LeadId(SystemIds().fresh()), timeline, now)
    await leads.write(connection, [lead])


def _hashed(rules: IdentityRules, anonymous_id: str) -> bytes:
    identifier = rules.anonymous_id(anonymous_id)
    assert identifier is not None
    return identifier.value
