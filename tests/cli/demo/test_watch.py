"""Looking at what became of the events: the text of /metrics, and the tables of a real Postgres."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.demo.watch import Watcher, read_intake
from shared.database import engine, transaction

METRICS = """
# HELP leadscore_ingest_accepted_events_total Events that Kafka has acknowledged, by source.
# TYPE leadscore_ingest_accepted_events_total counter
leadscore_ingest_accepted_events_total{source="product"} 1200.0
leadscore_ingest_accepted_events_total{source="forms"} 34.0
# TYPE leadscore_ingest_accepted_events_created gauge
leadscore_ingest_accepted_events_created{source="product"} 1.7e+09
# HELP leadscore_ingest_rejected_events_total Events and whole requests refused.
# TYPE leadscore_ingest_rejected_events_total counter
leadscore_ingest_rejected_events_total{code="no_identity",source="product"} 5.0
"""


@pytest_asyncio.fixture
async def tables(database: str) -> AsyncIterator[AsyncEngine]:
    """The tables of this test."""
    made = engine(database, application="tests", pool_size=1)
    yield made
    await made.dispose()


def _metrics(accepted: int) -> httpx.AsyncClient:
    text = f'leadscore_ingest_accepted_events_total{{source="product"}} {accepted}\n'
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _request: httpx.Response(200, text=text)))


async def _tally(tables: AsyncEngine, partition: int, counted: int, duplicate: int) -> None:
    async with transaction(tables) as connection:
        await connection.execute(
            "INSERT INTO partition_offsets (consumer_group, topic, partition, epoch, generation, owner, "
            "started_at_offset, next_offset, counted, duplicate) "
            "VALUES ('g', 't', $1, 1, 1, 'o', 0, 0, $2, $3) "
            "ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET counted = $2, duplicate = $3",
            partition,
            counted,
            duplicate,
        )


async def _delivery(tables: AsyncEngine, state: str, age: timedelta = timedelta(0)) -> None:
    async with transaction(tables) as connection:
        await connection.execute(
            "INSERT INTO deliveries (delivery_id, destination, transition_id, lead_id, sequence, kind, body, "
            "state, created_at) VALUES ($1, 'crm', $2, $3, 1, 'every', '', $4, $5)",
            uuid4(),
            uuid4(),
            uuid4(),
            state,
            datetime.now(UTC) - age,
        )


async def _lead(tables: AsyncEngine, stage: str, *, merged: bool = False) -> None:
    async with transaction(tables) as connection:
        await connection.execute(
            "INSERT INTO leads (lead_id, merged_into, first_seen_at, last_seen_at, state, ledger, stage, "
            "stage_since, score, grade, dimensions, scored_at, model_version) "
            "VALUES ($1, $2, now(), now(), '', '', $3, now(), 0, '', '{}', now(), 1)",
            uuid4(),
            uuid4() if merged else None,
            stage,
        )


def test_ingests_counters_are_summed_over_sources() -> None:
    """Accepted and rejected are totals over all labels; creation times are no events."""
    intake = read_intake(METRICS)
    assert (intake.accepted, intake.rejected) == (1234, 5)


def test_without_counters_nothing_was_accepted() -> None:
    """A fresh ingest has no such series yet: that is zero."""
    assert read_intake("").accepted == 0


@pytest.mark.asyncio
async def test_only_what_happened_since_the_beginning(tables: AsyncEngine) -> None:
    """Tallies are differences over all partitions, and older deliveries are left out."""
    await _tally(tables, 0, counted=10, duplicate=1)
    await _delivery(tables, "delivered", age=timedelta(hours=1))
    async with _metrics(0) as client:
        watcher = await Watcher.begin(tables, client, "http://metrics/")
        await _tally(tables, 0, counted=15, duplicate=4)
        await _tally(tables, 1, counted=2, duplicate=0)
        await _delivery(tables, "delivered")
        standing = await watcher.look()
    assert (standing.tally.counted, standing.tally.duplicate, standing.tally.processed) == (7, 3, 10)
    assert standing.deliveries.states == {"crm": {"delivered": 1}}
    assert standing.deliveries.made == 1
    assert standing.delivered


@pytest.mark.asyncio
@pytest.mark.parametrize("state", ["pending", "claimed"])
async def test_a_delivery_under_way_is_waited_for(tables: AsyncEngine, state: str) -> None:
    """Counted is not delivered while a delivery is pending or claimed."""
    async with _metrics(0) as client:
        watcher = await Watcher.begin(tables, client, "http://metrics/")
        await _delivery(tables, state)
        standing = await watcher.look()
    assert standing.counted
    assert not standing.delivered
    assert standing.deliveries.waiting == 1


@pytest.mark.asyncio
async def test_merged_leads_are_one(tables: AsyncEngine) -> None:
    """Leads by stage leave out those that were merged into another."""
    await _lead(tables, "mql")
    await _lead(tables, "mql")
    await _lead(tables, "lead")
    await _lead(tables, "lead", merged=True)
    async with _metrics(0) as client:
        watcher = await Watcher.begin(tables, client, "http://metrics/")
        assert await watcher.leads() == {"mql": 2, "lead": 1}
