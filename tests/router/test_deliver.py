"""The courier: claims, sends, settles; with a destination that does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from services.router import health, queue
from services.router.breaker import HEALTHY, Policy
from services.router.deliver import Courier, Terms
from services.router.queue import Delivery
from services.router.record_outcome import OutcomeRecorder
from services.router.retry import Delivered, Failed, Outcome, Schedule
from shared.clock import Clock, SystemClock
from shared.ids import LeadId, SystemIds
from shared.testing import FrozenClock
from tests.router.situations import engine, eventually_row, write_delivery
from tests.waiting import until

LEAD = LeadId(UUID(int=1))
FINISHED = "SELECT 1 FROM deliveries HAVING count(*) FILTER (WHERE state = 'delivered') = $1"


class Told:
    """A destination that answers as told and keeps what it got."""

    def __init__(self, answer: Callable[[Delivery], Outcome] = lambda _: Delivered(status=200)) -> None:
        self.answer = answer
        self.got: list[Delivery] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way: list[Delivery] = []
        self.most_under_way = 0
        self.stopped = False

    async def send(self, delivery: Delivery) -> Outcome:
        assert delivery.lead_id not in {one.lead_id for one in self.under_way}, "two of one lead at once"
        self.got.append(delivery)
        self.under_way.append(delivery)
        self.most_under_way = max(self.most_under_way, len(self.under_way))
        try:
            await self.gate.wait()
        finally:
            self.under_way.remove(delivery)
        return self.answer(delivery)

    async def stop(self) -> None:
        self.stopped = True


def courier(
    pool: AsyncEngine, told: Told, *, in_flight: int = 8, drain_s: float = 2, clock: Clock | None = None
) -> Courier:
    clock = clock or SystemClock()
    policy = Policy(failures=3, open_s=600)
    recorder = OutcomeRecorder(
        destination="crm",
        database=pool,
        schedule=Schedule(waits_s=(5, 300)),
        breaker=policy,
        clock=clock,
        jitter=lambda: 0.5,
    )
    terms = Terms(
        name="crm",
        in_flight=in_flight,
        lease_s=60,
        send_s=20,
        drain_s=drain_s,
        poll_interval_s=0.02,
        breaker=policy,
    )
    return Courier(terms, told, recorder, clock=clock, ids=SystemIds())


@asynccontextmanager
async def running(one: Courier) -> AsyncIterator[None]:
    task = asyncio.create_task(one.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def due_now(sql: asyncpg.Connection) -> None:
    """Let every wait be over."""
    await sql.execute("UPDATE deliveries SET next_at = now() WHERE state = 'pending'")


@pytest.mark.asyncio
async def test_every_delivery_arrives_once_and_in_order_per_lead(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """Ten leads with five transitions each, eight at a time."""
    leads = [LeadId(UUID(int=number)) for number in range(1, 11)]
    for sequence in range(5, 0, -1):
        for lead in leads:
            await write_delivery(sql, lead=lead, sequence=sequence)
    told = Told()
    async with running(courier(pool, told)):
        await eventually_row(sql, FINISHED, 50)
    assert len(told.got) == 50
    for lead in leads:
        assert [one.sequence for one in told.got if one.lead_id == lead] == [1, 2, 3, 4, 5]


@pytest.mark.asyncio
async def test_no_more_than_allowed_are_under_way(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """in_flight is a promise to the receiver."""
    for _ in range(20):
        await write_delivery(sql)
    told = Told()
    told.gate.clear()
    async with running(courier(pool, told, in_flight=3)):
        await until(lambda: len(told.under_way) == 3)
        told.gate.set()
        await eventually_row(sql, FINISHED, 20)
    assert told.most_under_way == 3


@pytest.mark.asyncio
async def test_order_survives_failures(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """While the first transition of a lead waits for its next attempt, the second is not sent."""
    for sequence in (1, 2):
        await write_delivery(sql, lead=LEAD, sequence=sequence)
    outcomes: list[Outcome] = [Failed(reason="server_error", status=500)]
    told = Told(lambda _: outcomes.pop() if outcomes else Delivered(status=200))
    async with running(courier(pool, told)):
        await eventually_row(sql, "SELECT 1 FROM deliveries WHERE attempt = 1 AND state = 'pending'")
        await write_delivery(sql)  # another lead is not held up, so this one got a fair chance
        await eventually_row(sql, FINISHED, 1)
        await due_now(sql)
        await eventually_row(sql, FINISHED, 3)
    assert [(one.sequence, one.attempt) for one in told.got if one.lead_id == LEAD] == [
        (1, 1),
        (1, 2),
        (2, 1),
    ]


@pytest.mark.asyncio
async def test_two_routers_share_the_work_and_keep_the_order(
    database: str, pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """Both send, nothing twice, each lead in order although its transitions alternate between them."""
    leads = [LeadId(UUID(int=number)) for number in range(1, 9)]
    for sequence in (1, 2, 3, 4):
        for lead in leads:
            await write_delivery(sql, lead=lead, sequence=sequence)
    sent: list[Delivery] = []

    def note(one: Delivery) -> Outcome:
        sent.append(one)
        return Delivered(status=200)

    async with engine(database) as other:
        mine, theirs = Told(note), Told(note)
        mine.gate.clear()
        theirs.gate.clear()
        async with (
            running(courier(pool, mine, in_flight=2)),
            running(courier(other, theirs, in_flight=2)),
        ):
            await until(lambda: len(mine.under_way) == len(theirs.under_way) == 2)
            mine.gate.set()
            theirs.gate.set()
            await eventually_row(sql, FINISHED, 32)
    assert len(sent) == 32
    for lead in leads:
        assert [one.sequence for one in sent if one.lead_id == lead] == [1, 2, 3, 4]


@pytest.mark.asyncio
async def test_a_router_that_dies_after_sending_sends_again_with_the_same_id(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """Killed between the receiver's answer and the row: the receiver sees the same webhook-id twice."""
    await write_delivery(sql)
    first = Told()
    dying = courier(pool, first)
    (sent,) = await dying.claim()
    await first.send(sent)  # … and here the process is gone
    await sql.execute("UPDATE deliveries SET lease_until = now() - interval '1 second'")
    await queue.reap(sql)
    second = Told()
    async with running(courier(pool, second)):
        await eventually_row(sql, FINISHED, 1)
    assert [one.delivery_id for one in second.got] == [sent.delivery_id]
    assert second.got[0].attempt == 2


@pytest.mark.asyncio
async def test_a_late_answer_does_not_disturb_the_new_owner(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """A receiver slower than the lease: the late failure is ignored, the success of the second stays."""
    await write_delivery(sql, lead=LEAD)
    late = courier(pool, Told(lambda _: Failed(reason="timeout")))
    (claimed,) = await late.claim()
    await sql.execute("UPDATE deliveries SET lease_until = now() - interval '1 second'")
    await queue.reap(sql)
    (again,) = await queue.claim(sql, "crm", limit=1, token=UUID(int=9), lease_s=60)
    await late.deliver(claimed, SystemClock().monotonic_s())
    assert await sql.fetchval("SELECT state FROM deliveries") == "claimed", "it is still the second one's"
    assert await queue.finish(sql, again, 200)


@pytest.mark.asyncio
async def test_an_open_breaker_keeps_attempts(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """After three failures in a row nothing more is tried, and what waits keeps its attempts."""
    for _ in range(6):
        await write_delivery(sql)
    told = Told(lambda _: Failed(reason="connect"))
    one = courier(pool, told, in_flight=1)
    async with running(one):
        await eventually_row(sql, "SELECT 1 FROM destinations WHERE breaker = 'open'")
    await due_now(sql)
    assert await one.claim() == []
    assert len(told.got) == 3
    assert await sql.fetchval("SELECT count(*) FROM deliveries WHERE attempt = 0") == 3


@pytest.mark.asyncio
async def test_a_trial_closes_the_breaker(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """When its time is over one delivery tries; its success lets all others go."""
    for _ in range(5):
        await write_delivery(sql)
    past = datetime.now(UTC) - timedelta(seconds=1)
    await health.lock(sql, "crm")
    await health.write(sql, "crm", replace(HEALTHY, breaker="open", open_until=past, failures=9, trips=1))
    told = Told()
    told.gate.clear()
    async with running(courier(pool, told)):
        await until(lambda: len(told.under_way) == 1)
        assert (await health.read(sql, "crm")).state == "half_open"
        assert shown("half_open") == 1
        told.gate.set()
        await eventually_row(sql, FINISHED, 5)
        await until(lambda: shown("closed") == 1)
    assert await health.read(sql, "crm") == HEALTHY
    assert shown("half_open") == 0


def shown(state: str) -> float | None:
    """What the gauge says about this state of the destination."""
    name = "leadscore_router_destination_state"
    return REGISTRY.get_sample_value(name, {"destination": "crm", "state": state})


@pytest.mark.asyncio
async def test_an_empty_queue_does_not_use_up_the_trial(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """With nothing to send the breaker stays as it is, so the next delivery can try at once."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    await health.lock(sql, "crm")
    await health.write(sql, "crm", replace(HEALTHY, breaker="open", open_until=past, failures=9, trips=1))
    one = courier(pool, Told())
    assert await one.claim() == []
    await write_delivery(sql)
    assert len(await one.claim()) == 1


@pytest.mark.asyncio
async def test_a_disabled_destination_gets_nothing(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """Its deliveries wait; enabled by a person, they go out."""
    await write_delivery(sql)
    await health.lock(sql, "crm")
    await health.write(sql, "crm", replace(HEALTHY, disabled_at=datetime.now(UTC), disabled_why="410"))
    one = courier(pool, Told())
    assert await one.claim() == []
    await health.enable(sql, "crm")
    assert len(await one.claim()) == 1


@pytest.mark.asyncio
async def test_a_defect_of_ours_is_an_attempt_and_not_the_end(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """One delivery that our code cannot send does not stop the others, and dies visibly in the end."""
    broken = await write_delivery(sql, lead=LEAD, attempt=2)
    await write_delivery(sql)

    def answer(one: Delivery) -> Outcome:
        if one.lead_id == LEAD:
            raise RuntimeError("a bug")
        return Delivered(status=200)

    async with running(courier(pool, Told(answer))):
        await eventually_row(sql, FINISHED, 1)
        row = await eventually_row(sql, "SELECT * FROM deliveries WHERE state = 'dead'")
    assert (row["delivery_id"], row["last_error"]) == (broken, "internal: RuntimeError")


@pytest.mark.asyncio
async def test_stopping_lets_what_is_under_way_finish(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """A rolling deploy makes no duplicates: sent is recorded, and nothing new begins."""
    for _ in range(3):
        await write_delivery(sql)
    told = Told()
    told.gate.clear()
    task = asyncio.create_task(courier(pool, told, in_flight=2).run())
    await until(lambda: len(told.under_way) == 2)
    task.cancel()
    await asyncio.sleep(0)
    told.gate.set()
    await asyncio.wait({task}, timeout=10)
    states = await sql.fetch("SELECT state FROM deliveries ORDER BY state")
    assert [row["state"] for row in states] == ["delivered", "delivered", "pending"]
    assert told.stopped


@pytest.mark.asyncio
async def test_stopping_in_the_middle_of_a_claim_leaves_nothing_claimed(
    pool: AsyncEngine, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a turn has claimed when the stop hits it is still sent: it need not wait for its lease."""
    await write_delivery(sql)
    told = Told()
    one = courier(pool, told)
    claimed, go_on, claim = asyncio.Event(), asyncio.Event(), one.claim

    async def slow_claim() -> list[Delivery]:
        found = await claim()
        claimed.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(one, "claim", slow_claim)
    task = asyncio.create_task(one.run())
    await claimed.wait()
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait({task}, timeout=10)
    assert await sql.fetchval("SELECT state FROM deliveries") == "delivered"


@pytest.mark.asyncio
async def test_stopping_does_not_wait_for_ever(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """A receiver that hangs is cut; its delivery goes out again after the lease."""
    await write_delivery(sql)
    told = Told()
    told.gate.clear()
    async with asyncio.timeout(5):
        async with running(courier(pool, told, drain_s=0.05)):
            await until(lambda: len(told.under_way) == 1)
    assert await sql.fetchval("SELECT state FROM deliveries") == "claimed"


@pytest.mark.asyncio
async def test_a_router_that_was_frozen_does_not_send_an_old_claim(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """Woken after its lease, it must not send what another router may be sending."""
    await write_delivery(sql)
    clock = FrozenClock()
    told = Told()
    one = courier(pool, told, clock=clock)
    (claimed,) = await one.claim()
    clock.advance(timedelta(seconds=41))
    await one.deliver(claimed, claimed_at_s=0)
    assert told.got == []
    await one.deliver(claimed, claimed_at_s=1.5)
    assert told.got == [claimed]


@pytest.mark.asyncio
async def test_it_pauses_without_postgres_and_says_so() -> None:
    """No crash, no busy loop, not dead for /livez."""
    async with engine("postgresql://nobody@127.0.0.1:1/none") as nothing:
        one = courier(nothing, Told())
        async with running(one):
            await until(lambda: one.pulse.fresh().startswith("Postgres is away"))
    assert one.pulse.alive() == ""
