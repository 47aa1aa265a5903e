"""Rows 9, 10 and 31 of the fault matrix: servers that are there and cannot do what is asked of them.

Postgres has no disk, no connection, no time, or may not be written to; somebody holds a snapshot; Kafka's
disk is full. What waits is neither lost nor dead-lettered, and goes on by itself when the server can again.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import make_url

from services.cli.local.kafka import KafkaServer
from services.cli.local.postgres_data import runs_as
from services.router import queue
from tests.faults.aftermath import all_is_well
from tests.faults.conftest import World, own_servers
from tests.faults.report import Row
from tests.faults.seed import ROUNDS
from tests.faults.small_disk import SmallDisk, mounted
from tests.faults.traffic import flowing
from tests.faults.watching import all_taken_until_now, counted_more, watched
from tests.installation import Installation
from tests.servers import JARS
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(300 + 120 * ROUNDS)]

RETRIES: Final = 'leadscore_scorer_batch_retries_total{reason="postgres"}'
OURS: Final = "FROM pg_stat_activity WHERE application_name LIKE 'leadscore-%'"
HOLD_S: Final = 20.0

Refusal = Callable[[World, SmallDisk], AbstractAsyncContextManager[None]]


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    """A disk for Postgres' tables, gone after its server."""
    with mounted(megabytes=64) as disk:
        yield disk


@asynccontextmanager
async def administrator(world: World) -> AsyncIterator[asyncpg.Connection]:
    """A connection that no fault of the database `leadscore` reaches."""
    url = make_url(world.leadscore.database).set(database="postgres")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def full_disk(world: World, disk: SmallDisk) -> AsyncIterator[None]:
    """Tables and indexes are on a disk with nothing left; where the log is on it too, the server ends."""
    space = disk.folder / "tables"
    space.mkdir()
    user = runs_as(world.postgres.folder / "data")
    if user is not None:
        await asyncio.to_thread(_give, space, user)
    async with administrator_of(world.leadscore) as connection:
        await connection.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        for what in ("TABLE", "INDEX"):
            await until(lambda what=what: _moved(connection, what), within_s=60)  # type: ignore[misc]
    disk.fill()
    yield
    disk.free()


async def _moved(connection: asyncpg.Connection, what: str) -> bool:
    """Whether all of a kind could be moved at once; what scores meanwhile may hold locks crosswise."""
    try:
        await connection.execute(f"ALTER {what} ALL IN TABLESPACE pg_default SET TABLESPACE small")
    except asyncpg.DeadlockDetectedError:
        return False
    return True


def _give(folder: Path, user: int) -> None:

    os.chown(folder, user, user)


@asynccontextmanager
async def read_only(world: World, _: SmallDisk) -> AsyncIterator[None]:
    """The address leads to a server that cannot be written to; afterwards to another, for new lines only."""
    async with administrator(world) as admin:
        await admin.execute("ALTER DATABASE leadscore SET default_transaction_read_only = on")
        await admin.execute(f"SELECT pg_terminate_backend(pid) {OURS}")
        yield
        await admin.execute("ALTER DATABASE leadscore RESET default_transaction_read_only")


@asynccontextmanager
async def too_slow(world: World, _: SmallDisk) -> AsyncIterator[None]:
    """Writing events takes longer than a statement may."""
    leadscore = world.leadscore
    await leadscore.fetch(
        "CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$"
    )
    await leadscore.fetch(
        "CREATE TRIGGER doze BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION doze()"
    )
    yield
    async with administrator_of(leadscore) as connection:
        await connection.execute("DROP TRIGGER doze ON events")


@asynccontextmanager
async def administrator_of(leadscore: Installation) -> AsyncIterator[asyncpg.Connection]:
    """A connection that waits for locks as long as it takes."""
    connection = await asyncpg.connect(leadscore.database)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def no_connection_left(world: World, _: SmallDisk) -> AsyncIterator[None]:
    """Somebody else has all connections that the server allows."""
    others: list[asyncpg.Connection] = []
    async with administrator(world) as admin:
        while await admin.fetchval(f"SELECT count(*) {OURS}") or not others:
            await admin.execute(f"SELECT pg_terminate_backend(pid) {OURS}")
            await _take_all(world.leadscore.database, others)
        yield
    for connection in others:
        connection.terminate()


async def _take_all(url: str, taken: list[asyncpg.Connection]) -> None:
    try:
        while True:
            taken.append(await asyncpg.connect(url))
    except asyncpg.TooManyConnectionsError:
        return


REFUSALS: Final[dict[str, Refusal]] = {
    "disk full": full_disk,
    "read-only": read_only,
    "statements too slow": too_slow,
    "no connection left": no_connection_left,
}


@pytest.mark.slow
@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.fault(9, "Postgres cannot")
async def test_row_09_postgres_cannot(
    small_disk: SmallDisk, world: World, chance: Random, row: Row, what: str
) -> None:
    """Batches are postponed, ingest goes on, no process ends; all goes on by itself, nothing is dead."""
    row.fault += f": {what}"
    leadscore = world.leadscore
    pids = {name: service.pid for name, service in leadscore.services.items()}
    async with flowing(leadscore, chance) as traffic:
        await counted_more(leadscore, chance.randrange(100, 300))
        async with REFUSALS[what](world, small_disk):
            before, so_far = await leadscore.scorer.metric(RETRIES), len(traffic.acknowledged)
            await until(lambda: _postponed(leadscore, before + 2), within_s=120)
            await until(lambda: len(traffic.acknowledged) > so_far + 100, within_s=60)
        began = time.monotonic()
        await all_taken_until_now(leadscore)
        row.note(recovered_s=time.monotonic() - began)
    books = await all_is_well(row, leadscore, traffic)
    assert {name: service.pid for name, service in leadscore.services.items() if service.process} == pids
    assert [one.process.returncode for one in leadscore.services.values() if one.process] == [None] * 3
    assert books["duplicate"] <= traffic.repeated


async def _postponed(leadscore: Installation, times: float) -> bool:
    return await leadscore.scorer.metric(RETRIES) >= times


@pytest.mark.slow
@pytest.mark.fault(10, "somebody holds a snapshot")
async def test_row_10_a_long_snapshot(world: World, chance: Random, row: Row) -> None:
    """Nothing that is updated can be cleaned up: events are counted and deliveries claimed all the while."""
    leadscore = world.leadscore
    claims_s: list[float] = []
    async with flowing(leadscore, chance) as traffic, administrator_of(leadscore) as holder:
        await counted_more(leadscore, 200)
        async with watched(leadscore) as pause, holder.transaction(isolation="repeatable_read"):
            await holder.fetch("SELECT count(*) FROM leads")
            until_s = time.monotonic() + HOLD_S * ROUNDS
            while time.monotonic() < until_s:
                claims_s.append(await _claim_s(leadscore))
            await until(lambda: _snapshot_is_seen(leadscore), within_s=30)
        dead = await leadscore.fetch("SELECT sum(n_dead_tup)::int AS n FROM pg_stat_user_tables")
        behind_s = await all_taken_until_now(leadscore)
    await all_is_well(row, leadscore, traffic)
    p99_s = sorted(claims_s)[int(len(claims_s) * 0.99)]
    row.note(
        held_s=HOLD_S * ROUNDS,
        longest_pause_s=pause.longest_s,
        claim_p99_ms=p99_s * 1000,
        dead_rows=dead[0]["n"],
        worked_off_s=behind_s,
    )
    assert pause.longest_s < 15
    assert p99_s < 0.25


async def _snapshot_is_seen(leadscore: Installation) -> bool:
    return await leadscore.scorer.metric("leadscore_scorer_oldest_snapshot_seconds") > HOLD_S / 2


async def _claim_s(leadscore: Installation) -> float:
    """How long a router's claim takes; nothing is kept of it."""
    async with administrator_of(leadscore) as connection:
        transaction = connection.transaction()
        await transaction.start()
        began = time.perf_counter()
        await queue.claim(connection, "crm", limit=8, token=uuid4(), lease_s=60)
        took_s = time.perf_counter() - began
        await transaction.rollback()
    return took_s


@pytest.mark.slow
@pytest.mark.fault(31, "Kafka's disk is full")
async def test_row_31_kafka_has_no_disk(tmp_path: Path, chance: Random, row: Row) -> None:
    """Ingest says 503 and senders try again; with room, and the broker started anew, nothing is missing."""
    with mounted(megabytes=96) as disk:
        kafka = KafkaServer(disk.folder / "kafka", cache=JARS)
        async with own_servers(tmp_path, kafka) as world:
            leadscore = world.leadscore
            await leadscore.start()
            async with flowing(leadscore, chance) as traffic:
                await counted_more(leadscore, chance.randrange(100, 400))
                disk.fill()
                refused = traffic.repeated
                await until(lambda: traffic.repeated > refused + 100, within_s=120)
                row.note(kafka="ended by itself" if not kafka.running else "stayed")
                disk.free()
                began = time.monotonic()
                await kafka.start()  # what its supervisor does, if it ended
                await counted_more(leadscore, 50)
                row.note(resumed_s=time.monotonic() - began)
            await all_is_well(row, leadscore, traffic)
