"""The router as a whole: transitions go in, signed webhooks and sales queue records come out."""

import asyncio
import time
from functools import partial
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import make_url

from services.router.render import StageChanged
from shared.ids import LeadId
from tests.router.conftest import Running
from tests.router.receiver import Receiver, status
from tests.router.situations import connected, eventually_row, write_transition
from tests.waiting import until

LEAD = LeadId(UUID(int=1))
DELIVERED = "SELECT 1 FROM deliveries HAVING count(*) FILTER (WHERE state = 'delivered') = $1"


@pytest.mark.asyncio
async def test_a_transition_reaches_the_webhook_and_the_sales_queue(
    running: Running, receiver: Receiver, sql: asyncpg.Connection
) -> None:
    """A sales qualified lead is posted with a signature that verifies, and is on leads.sales.v1."""
    async with running() as broker:
        await write_transition(sql, lead=LEAD)
        await until(lambda: bool(receiver.got and broker.on("leads.sales.v1")))
    posted, queued = receiver.got[0], broker.on("leads.sales.v1")[0]
    told = msgspec.json.decode(msgspec.json.encode(posted.verified()), type=StageChanged)
    assert (told.data.lead, told.data.stage, told.data.score) == (str(LEAD), "sql", 64)
    assert told.data.reasons[0].sentence == "Asked for a demo."
    assert (queued.value, queued.key) == (posted.body, str(LEAD).encode())
    assert dict(queued.headers)["ce_id"] != posted.id.encode(), "each destination has its own delivery"


@pytest.mark.asyncio
async def test_nothing_waits_for_a_poll(
    running: Running, receiver: Receiver, sql: asyncpg.Connection
) -> None:
    """With a poll every minute, NOTIFY, the planner's ring and each finished delivery carry it all."""
    took_s: list[float] = []
    async with running(poll_interval_s=60) as broker:
        await write_transition(sql)
        await until(lambda: bool(receiver.got))
        for number in range(1, 31):
            lead = LeadId(UUID(int=number))
            started_s = time.perf_counter()
            for sequence in (1, 2):
                await write_transition(sql, lead=lead, sequence=sequence)
            await until(partial(_has_got, receiver, 1 + 2 * number), within_s=5)
            took_s.append(time.perf_counter() - started_s)
        await until(lambda: len(broker.on("leads.sales.v1")) == 61)
    median_s = sorted(took_s)[len(took_s) // 2]
    assert median_s < 0.25, f"two transitions of a lead took {median_s * 1000:.0f} ms in the middle"


@pytest.mark.asyncio
async def test_order_and_ids_survive_a_receiver_that_fails_half_of_the_time(
    running: Running, receiver: Receiver, sql: asyncpg.Connection
) -> None:
    """First arrivals are in order per lead, every repetition has the id and the body of the first."""
    leads = [LeadId(UUID(int=number)) for number in range(1, 6)]
    receiver.answers = [status(code) for code in (200, 500) * 100]
    async with running(retry_waits_s=(0.01,) * 20, breaker_failures=1000, poll_interval_s=0.02):
        for sequence in (1, 2, 3):
            for lead in leads:
                await write_transition(sql, lead=lead, sequence=sequence)
        await eventually_row(sql, DELIVERED, 30)
    bodies: dict[str, set[bytes]] = {}
    seen: dict[str, list[int]] = {}
    for got in receiver.got:
        got.verified()
        data = got.content["data"]
        bodies.setdefault(got.id, set()).add(got.body)
        if data["sequence"] not in seen.setdefault(data["lead"], []):
            seen[data["lead"]].append(data["sequence"])
    assert list(seen.values()) == [[1, 2, 3]] * 5
    assert len(bodies) == 15
    assert all(len(same) == 1 for same in bodies.values())
    assert len(receiver.got) > 15


@pytest.mark.asyncio
async def test_a_receiver_that_hangs_does_not_slow_the_sales_queue(
    running: Running, receiver: Receiver, sql: asyncpg.Connection
) -> None:
    """Destinations have nothing in common but the database."""
    receiver.hold = asyncio.Event()
    async with running(drain_s=0.1) as broker:
        for _ in range(20):
            await write_transition(sql)
        await until(lambda: receiver.under_way == 8, within_s=5)
        await until(lambda: len(broker.on("leads.sales.v1")) == 20, within_s=5)
        receiver.hold.set()


@pytest.mark.asyncio
async def test_kafka_away_delays_the_queue_and_loses_nothing(
    running: Running, receiver: Receiver, sql: asyncpg.Connection
) -> None:
    """The webhook goes on; the sales queue gets its records, in order, when Kafka is back."""
    async with running(retry_waits_s=(0.05,), poll_interval_s=0.02) as broker:
        broker.away = True
        for sequence in (1, 2, 3):
            await write_transition(sql, lead=LEAD, sequence=sequence)
        await until(lambda: len(receiver.got) == 3)
        await eventually_row(
            sql, "SELECT 1 FROM deliveries WHERE destination = 'sales-queue' AND attempt > 3"
        )
        broker.away = False
        await until(lambda: len(broker.on("leads.sales.v1")) == 3)
    sequences = [dict(record.headers)["ce_sequence"] for record in broker.on("leads.sales.v1")]
    assert sequences == [b"1", b"2", b"3"]
    assert await sql.fetchval("SELECT count(*) FROM deliveries WHERE state = 'dead'") == 0


@pytest.mark.asyncio
async def test_postgres_away_pauses_it_and_it_resumes_by_itself(
    running: Running, receiver: Receiver, database: str, postgres_server: str
) -> None:
    """Every connection cut and none accepted for a while: nothing dies, nothing is dead-lettered."""
    name = make_url(database).database
    async with connected(postgres_server) as admin, running(poll_interval_s=0.05):
        await admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
        await admin.execute(cut, name)
        await until(lambda: pauses() > 3)
        await admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        async with connected(database) as sql:
            await write_transition(sql)
            await until(lambda: len(receiver.got) == 1)
            await eventually_row(sql, DELIVERED, 2)


def _has_got(receiver: Receiver, number: int) -> bool:
    return len(receiver.got) == number


def pauses() -> float:
    name = "leadscore_router_postgres_pauses_total"
    return sum(REGISTRY.get_sample_value(name, {"task": task}) or 0 for task in ("plan", "deliver", "tend"))


@pytest.mark.asyncio
async def test_a_receiver_that_is_gone_is_left_alone(
    running: Running, receiver: Receiver, sql: asyncpg.Connection
) -> None:
    """After one 410 nothing more is sent there; what it would get is kept, and the queue goes on."""
    receiver.always = status(410)
    async with running(poll_interval_s=0.02):
        await write_transition(sql)
        await eventually_row(sql, "SELECT 1 FROM destinations WHERE disabled_at IS NOT NULL")
        for _ in range(5):
            await write_transition(sql)
        await eventually_row(
            sql, "SELECT 1 FROM deliveries HAVING count(*) FILTER (WHERE destination = 'crm') = 6"
        )
        await eventually_row(
            sql,
            "SELECT 1 FROM deliveries HAVING count(*) FILTER (WHERE destination <> 'crm' "
            "AND state = 'delivered') = 6",
        )
    assert len(receiver.got) == 1
    assert await sql.fetchval("SELECT count(*) FROM deliveries WHERE state = 'pending'") == 6


@pytest.mark.asyncio
async def test_the_admin_port_tells_readiness(
    running: Running, sql: asyncpg.Connection, unused_tcp_port: int
) -> None:
    """/readyz is 200 once routes are loaded and Postgres was reached; /metrics has our series."""
    async with running(admin_port=unused_tcp_port), httpx.AsyncClient() as http:
        base = f"http://127.0.0.1:{unused_tcp_port}"

        async def ready() -> bool:
            try:
                return (await http.get(base + "/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(ready)
        assert (await http.get(base + "/livez")).status_code == 200
        metrics = (await http.get(base + "/metrics")).text
    assert 'leadscore_router_destination_state{destination="crm",state="closed"} 1.0' in metrics
