"""Waking up, and staying able to."""

import asyncio

import asyncpg
import pytest

from services.router.wake import Bell, Ear
from shared.leads.transition_row import CHANNEL
from tests.router.situations import eventually_row

LISTENING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'leadscore-router-listen' "
    "AND datname = current_database() AND query LIKE 'LISTEN%'"
)


async def rung(bell: Bell) -> bool:
    """Whether it rings within 5 s."""
    async with asyncio.timeout(6):
        started_s = asyncio.get_running_loop().time()
        await bell.wait(5)
        return asyncio.get_running_loop().time() - started_s < 4.5


@pytest.mark.asyncio
async def test_a_ring_before_the_wait_counts_once() -> None:
    """Nothing that happens between two turns is slept through."""
    bell = Bell()
    bell.ring()
    bell.ring()
    async with asyncio.timeout(1):
        await bell.wait(60)
    started_s = asyncio.get_running_loop().time()
    await bell.wait(0.05)
    assert asyncio.get_running_loop().time() - started_s >= 0.04


@pytest.mark.parametrize("steps", range(6))
@pytest.mark.asyncio
async def test_a_cancellation_that_comes_with_a_ring_is_not_lost(steps: int) -> None:
    """A loop that waits on a bell can always be stopped, at whatever step of a ring it is."""
    bell = Bell()

    async def turn() -> None:
        while True:
            await bell.wait(60)

    task = asyncio.create_task(turn())
    await asyncio.sleep(0)
    bell.ring()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=1)
    task.cancel()
    assert done


@pytest.mark.asyncio
async def test_a_notification_rings_and_a_lost_connection_comes_back(
    database: str, sql: asyncpg.Connection
) -> None:
    """Postgres ends the connection: it listens again by itself, and rings for what it may have missed."""
    bell = Bell()
    listening = asyncio.create_task(Ear(database, bell).run())
    try:
        first = await eventually_row(sql, LISTENING)
        assert await rung(bell), "at every start it looks"
        await sql.execute(f"NOTIFY {CHANNEL}")
        assert await rung(bell)
        await sql.execute("SELECT pg_terminate_backend($1)", first["pid"])
        await eventually_row(sql, LISTENING + " AND pid <> $1", first["pid"])
        assert await rung(bell)
        await sql.execute(f"NOTIFY {CHANNEL}")
        assert await rung(bell)
    finally:
        listening.cancel()
        await asyncio.wait({listening})


@pytest.mark.asyncio
async def test_without_postgres_it_goes_on_trying() -> None:
    """It is only speed: nothing dies for it."""
    listening = asyncio.create_task(Ear("postgresql://nobody@127.0.0.1:1/none", Bell()).run())
    done, _ = await asyncio.wait({listening}, timeout=0.3)
    assert not done
    listening.cancel()
    await asyncio.wait({listening})
