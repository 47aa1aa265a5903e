"""What every process tells of itself: how late its loop is, how many connections it holds."""

import time

import pytest
from prometheus_client import REGISTRY

from shared.database import engine, transaction
from shared.database_pool import show_pool
from shared.loop_lag import loop_lag
from tests.waiting import until

pytestmark = pytest.mark.asyncio


def _looks(most_s: str) -> float:
    """Looks that found the loop at most so late."""
    return REGISTRY.get_sample_value("leadscore_event_loop_lag_seconds_bucket", {"le": most_s}) or 0


async def test_a_call_that_blocks_the_loop_is_seen() -> None:
    """Who computes for a second without letting go makes the next look late by more than 100 ms."""
    looked = _looks("+Inf")  # by other tests of this process
    part = loop_lag()
    await part.start()
    try:
        await until(lambda: _looks("+Inf") > looked)
        late = _looks("+Inf") - _looks("0.1")
        end_s = time.monotonic() + 1
        while time.monotonic() < end_s:
            pass
        await until(lambda: _looks("+Inf") - _looks("0.1") > late)
    finally:
        await part.stop()


async def test_connections_in_use_are_shown(database: str) -> None:
    """A transaction that is open holds one connection of the pool; afterwards it is given back."""
    pool = engine(database, application="test", pool_size=3)
    show_pool(pool)
    in_use = "leadscore_database_pool_in_use_connections"
    assert REGISTRY.get_sample_value("leadscore_database_pool_size_connections") == 3
    async with transaction(pool):
        assert REGISTRY.get_sample_value(in_use) == 1
    assert REGISTRY.get_sample_value(in_use) == 0
    await pool.dispose()
