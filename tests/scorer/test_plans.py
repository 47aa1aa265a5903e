"""How Postgres finds what a batch needs: by an index, however many leads there are."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from benchmarks import backlog
from benchmarks.bare_sql import count_recorded
from benchmarks.crowded import fill
from benchmarks.plans import look, whole_scans
from services.cli.local.postgres import PostgresServer
from services.cli.migrate import upgrade

KEY = "an identity key for tests"
pytestmark = [pytest.mark.asyncio, pytest.mark.servers]

# With a tenth of them Postgres might rather read a whole table; `make bench-scorer` asks with ten million.
LEADS = 100_000
_TABLES = """
SELECT oid::regclass::text AS name FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


@pytest_asyncio.fixture
async def alone(tmp_path: Path) -> AsyncIterator[str]:
    """A database on a server of its own: a long transaction in any database keeps old rows in all of them."""
    postgres = PostgresServer(tmp_path / "postgres")
    try:
        url = await postgres.start()
        await asyncio.to_thread(upgrade, url)
        yield url
    finally:
        await postgres.stop()


async def test_nothing_of_a_batch_reads_a_whole_table(alone: str) -> None:
    """Every statement of a batch finds its rows by an index, and updates stay on their page."""
    database = alone
    events = list(backlog.backlog(5_000, datetime.now(UTC)))
    people = [backlog.person_of(lead) for lead in range(backlog.leads_of(len(events)))]
    await _without_autovacuum(database)
    await fill(database, LEADS, people, KEY)
    recorded, _, _ = await count_recorded(database, events, KEY)
    statements = [each for some in recorded for each in some]
    looked = await look(database, statements)
    assert looked.scanned == []
    assert looked.hot > 0.95
    assert len({arguments[0] for _, arguments, _ in statements}) > 8


async def _without_autovacuum(database: str) -> None:
    """An analyze that begins by itself holds a snapshot: old rows keep their room, updates leave the page.

    On a busy machine that lasted for half of the batches once.
    """
    connection = await asyncpg.connect(database)
    try:
        for table in await connection.fetch(_TABLES):
            await connection.execute(f"ALTER TABLE {table['name']} SET (autovacuum_enabled = off)")
    finally:
        await connection.close()


async def test_a_whole_scan_is_noticed(database: str) -> None:
    """A question that no index answers is found."""
    connection = await asyncpg.connect(database)
    try:
        sql = "SELECT lead_id FROM leads WHERE score > $1"
        assert await whole_scans(connection, [("fetch", (sql, 3), {})]) == [f"leads: {sql}"]
    finally:
        await connection.close()
