"""Expired leases and depths, on a real Postgres."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from services.router.loop_health import LoopHealth
from services.router.reap import Reaper
from shared.testing import FrozenClock
from tests.router.situations import write_delivery, write_transition


def tender(pool: AsyncEngine) -> Reaper:
    return Reaper(pool, frozenset({"crm"}), LoopHealth("tend", FrozenClock()))


@pytest.mark.asyncio
async def test_an_expired_lease_is_given_back(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """And a lease that still runs is left alone."""
    now = datetime.now(UTC)
    for until in (now - timedelta(seconds=1), now + timedelta(minutes=1)):
        await write_delivery(sql, state="claimed", claim=uuid4(), lease_until=until, attempt=4)
    await tender(pool).turn()
    rows = await sql.fetch("SELECT state, attempt, claim FROM deliveries ORDER BY state")
    assert [(row["state"], row["attempt"]) for row in rows] == [("claimed", 4), ("pending", 4)]
    assert rows[1]["claim"] is None


@pytest.mark.asyncio
async def test_what_waits_is_measured(
    pool: AsyncEngine, sql: asyncpg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    """Per destination, also of one that left routing.yaml, which is told once."""
    await write_delivery(sql, created_at=datetime.now(UTC) - timedelta(minutes=1))
    await write_delivery(sql, destination="left-the-file")
    await write_transition(sql)
    one = tender(pool)
    await one.turn()
    await one.turn()
    waiting = "leadscore_router_waiting_deliveries"
    assert REGISTRY.get_sample_value(waiting, {"destination": "crm"}) == 1
    assert REGISTRY.get_sample_value(waiting, {"destination": "left-the-file"}) == 1
    assert (
        REGISTRY.get_sample_value("leadscore_router_oldest_delivery_seconds", {"destination": "crm"}) or 0
    ) >= 60
    assert REGISTRY.get_sample_value("leadscore_router_unplanned_transitions") == 1
    assert capsys.readouterr().out.count("router.deliveries_stranded") == 1
    await sql.execute("DELETE FROM deliveries")
    await one.turn()
    for destination in ("crm", "left-the-file"):
        assert REGISTRY.get_sample_value(waiting, {"destination": destination}) == 0
