"""Outcomes become rows, on a real Postgres."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.router import health, queue
from services.router.breaker import HEALTHY, Policy
from services.router.queue import Delivery
from services.router.record_outcome import OutcomeRecorder, health_after
from services.router.retry import Delivered, Failed, Outcome, RetryAt, Schedule
from shared import database as postgres
from shared.clock import SystemClock
from tests.router.situations import AT, engine, write_delivery

SCHEDULE = Schedule(waits_s=(5, 300))


def recorder(pool: AsyncEngine, policy: Policy | None = None) -> OutcomeRecorder:
    return OutcomeRecorder(
        destination="crm",
        database=pool,
        schedule=SCHEDULE,
        breaker=policy or Policy(),
        clock=SystemClock(),
        jitter=lambda: 0.5,
    )


async def claimed(sql: asyncpg.Connection) -> Delivery:
    (one,) = await queue.claim(sql, "crm", limit=1, token=uuid4(), lease_s=60)
    return one


async def settled(pool: AsyncEngine, sql: asyncpg.Connection, outcome: Outcome) -> asyncpg.Record:
    """Settle one new delivery; its row afterwards."""
    wanted = await write_delivery(sql)
    one = await claimed(sql)
    assert one.delivery_id == wanted
    await recorder(pool).record(one, outcome, until_s=SystemClock().monotonic_s() + 60)
    return await sql.fetchrow("SELECT * FROM deliveries WHERE delivery_id = $1", wanted)


@pytest.mark.asyncio
async def test_delivered_is_final(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """The row says when and with which status; the claim is gone."""
    row = await settled(pool, sql, Delivered(status=204))
    assert (row["state"], row["last_status"], row["claim"]) == ("delivered", 204, None)
    assert row["finished_at"] is not None


@pytest.mark.asyncio
async def test_a_failure_waits_as_the_schedule_says(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """Pending again, with what the receiver said, due by Postgres's clock."""
    before = datetime.now(UTC)
    row = await settled(pool, sql, Failed(reason="server_error", status=500, detail="oops"))
    assert (row["state"], row["last_status"], row["last_error"]) == ("pending", 500, "server_error: oops")
    assert timedelta(seconds=4) < row["next_at"] - before < timedelta(seconds=10)
    assert (await health.read(sql, "crm")).failures == 1


@pytest.mark.asyncio
async def test_the_last_attempt_makes_a_dead_letter(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """Visible, with body and last error, and not in the way of anything."""
    await write_delivery(sql, attempt=2)
    one = await claimed(sql)
    await recorder(pool).record(one, Failed(reason="connect"), until_s=SystemClock().monotonic_s() + 60)
    row = await sql.fetchrow("SELECT * FROM deliveries")
    assert (row["state"], row["last_error"], row["body"]) == ("dead", "connect: ", one.body)


@pytest.mark.asyncio
async def test_gone_disables_and_keeps_the_delivery(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """410: the destination is off until a person enables it, and nothing is lost meanwhile."""
    row = await settled(pool, sql, Failed(reason="gone", status=410))
    assert row["state"] == "pending"
    known = await health.read(sql, "crm")
    assert (known.state, known.disabled_why) == ("disabled", "the receiver answered 410 Gone")


@pytest.mark.asyncio
async def test_a_success_heals(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """One success ends a row of failures."""
    await settled(pool, sql, Failed(reason="timeout"))
    await settled(pool, sql, Delivered(status=200))
    assert await health.read(sql, "crm") == HEALTHY


@pytest.mark.asyncio
async def test_failures_add_up_across_routers(
    database: str, pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """Two routers that fail at the same time count two; none is overwritten."""
    for _ in range(10):
        await write_delivery(sql)
    claims = await queue.claim(sql, "crm", limit=10, token=uuid4(), lease_s=60)
    until_s = SystemClock().monotonic_s() + 60
    async with engine(database) as other:
        await asyncio.gather(
            *(
                recorder(pool if number % 2 else other).record(one, Failed(reason="connect"), until_s=until_s)
                for number, one in enumerate(claims)
            )
        )
    known = await health.read(sql, "crm")
    assert (known.failures, known.state) == (10, "open")


@pytest.mark.asyncio
async def test_an_outcome_waits_for_postgres(
    pool: AsyncEngine, sql: asyncpg.Connection, database: str
) -> None:
    """Postgres away while the receiver answered: the outcome is kept and recorded when it is back."""
    await write_delivery(sql)
    one = await claimed(sql)
    blocked = await asyncpg.connect(database)
    lock = blocked.transaction()
    await lock.start()
    await blocked.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
    settling = asyncio.create_task(
        recorder(pool).record(one, Delivered(status=200), until_s=SystemClock().monotonic_s() + 60)
    )
    try:
        # lock_timeout ends the first attempt as Transient; then let go.
        await asyncio.wait({settling}, timeout=3.3)
        assert not settling.done()
    finally:
        await lock.rollback()
        await blocked.close()
    await asyncio.wait_for(settling, 10)
    assert await sql.fetchval("SELECT state FROM deliveries") == "delivered"


@pytest.mark.asyncio
async def test_after_the_lease_an_outcome_is_let_go(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """With Postgres away for longer than the lease the delivery is sent again: no waiting for ever."""
    await write_delivery(sql)
    one = await claimed(sql)
    away = settler_of_nothing()
    async with asyncio.timeout(5):
        await away.record(one, Delivered(status=200), until_s=SystemClock().monotonic_s() + 0.1)
    assert await sql.fetchval("SELECT state FROM deliveries") == "claimed"


def settler_of_nothing() -> OutcomeRecorder:
    """A recorder whose Postgres is not there."""
    return recorder(postgres.engine("postgresql://nobody@127.0.0.1:1/none", application="t", pool_size=1))


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        (Failed(reason="client_error", status=422), "closed"),
        (Failed(reason="client_error", status=404), "open"),
        (Failed(reason="internal"), "half_open"),
    ],
)
def test_a_trial_ends_by_what_was_answered(failed: Failed, expected: str) -> None:
    """A refused body proves the receiver alive; a failure of ours proves nothing."""
    trying = replace(HEALTHY, breaker="half_open", failures=10, failing_since=AT, trips=1, open_until=AT)
    after = health_after(Policy(), trying, failed, RetryAt(at=AT), AT)
    assert after.state == expected
