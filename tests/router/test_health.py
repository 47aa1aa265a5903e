"""The health of destinations on a real Postgres, shared by all routers."""

from dataclasses import replace

import asyncpg
import pytest

from services.router import health
from services.router.breaker import HEALTHY, Health
from tests.router.situations import AT


@pytest.mark.asyncio
async def test_an_unknown_destination_is_healthy_and_costs_no_row(sql: asyncpg.Connection) -> None:
    """Nothing is written while nothing fails."""
    assert await health.read(sql, "crm") == HEALTHY
    await health.heal(sql, "crm")
    assert await sql.fetchval("SELECT count(*) FROM destinations") == 0


@pytest.mark.asyncio
async def test_what_is_written_is_read(sql: asyncpg.Connection) -> None:
    """Every field, for every router."""
    assert await health.lock(sql, "crm") == HEALTHY
    bad = Health(
        breaker="open",
        open_until=AT,
        failing_since=AT,
        failures=12,
        trips=2,
        disabled_at=AT,
        disabled_why="410",
    )
    await health.write(sql, "crm", bad)
    assert await health.read(sql, "crm") == bad
    assert await health.lock(sql, "crm") == bad


@pytest.mark.asyncio
async def test_healing_forgets_failures_but_does_not_enable(sql: asyncpg.Connection) -> None:
    """A late success of a disabled destination changes nothing for it."""
    await health.lock(sql, "crm")
    off = replace(HEALTHY, breaker="open", open_until=AT, failures=3, disabled_at=AT, disabled_why="410")
    await health.write(sql, "crm", off)
    await health.heal(sql, "crm")
    assert await health.read(sql, "crm") == replace(HEALTHY, disabled_at=AT, disabled_why="410")


@pytest.mark.asyncio
async def test_a_person_enables_with_a_clean_record(sql: asyncpg.Connection) -> None:
    """Afterwards the destination is as if it had never failed; a healthy one says there was nothing to do."""
    await health.lock(sql, "crm")
    await health.write(sql, "crm", replace(HEALTHY, failures=3, disabled_at=AT, disabled_why="410"))
    assert await health.enable(sql, "crm")
    assert await health.read(sql, "crm") == HEALTHY
    assert not await health.enable(sql, "crm")
