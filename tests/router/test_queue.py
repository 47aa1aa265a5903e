"""The queue on a real Postgres: order, exclusivity, fences."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.router import queue
from services.router.queue import Delivery
from shared.ids import LeadId
from tests.router.situations import connected, write_delivery

LEAD, OTHER = LeadId(UUID(int=1)), LeadId(UUID(int=2))


async def claimed(sql: asyncpg.Connection, *, limit: int = 10, destination: str = "crm") -> list[Delivery]:
    return await queue.claim(sql, destination, limit=limit, token=uuid4(), lease_s=60)


async def expire(sql: asyncpg.Connection) -> None:
    """Let every lease be over."""
    await sql.execute(
        "UPDATE deliveries SET lease_until = now() - interval '1 second' WHERE claim IS NOT NULL"
    )


@pytest.mark.asyncio
async def test_only_the_oldest_of_a_lead_can_be_claimed(sql: asyncpg.Connection) -> None:
    """Two leads move side by side, the transitions of one strictly after each other."""
    for lead, sequence in ((LEAD, 2), (LEAD, 1), (OTHER, 5)):
        await write_delivery(sql, lead=lead, sequence=sequence)
    first = await claimed(sql)
    assert {(one.lead_id, one.sequence) for one in first} == {(LEAD, 1), (OTHER, 5)}
    assert await claimed(sql) == []
    assert await queue.finish(sql, next(one for one in first if one.lead_id == LEAD), 200)
    assert [(one.lead_id, one.sequence) for one in await claimed(sql)] == [(LEAD, 2)]


@pytest.mark.asyncio
async def test_a_delivery_that_waits_for_its_next_attempt_holds_up_its_lead(sql: asyncpg.Connection) -> None:
    """Order is kept through failures; other leads do not notice."""
    for lead, sequence in ((LEAD, 1), (LEAD, 2)):
        await write_delivery(sql, lead=lead, sequence=sequence)
    (first,) = await claimed(sql)
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await queue.retry_at(sql, first, later, 500, "server_error: ")
    await write_delivery(sql, lead=OTHER)
    assert [one.lead_id for one in await claimed(sql)] == [OTHER]


@pytest.mark.asyncio
async def test_a_dead_letter_releases_the_next_of_its_lead(sql: asyncpg.Connection) -> None:
    """One body that nobody takes must not end all news about a lead."""
    for sequence in (1, 2):
        await write_delivery(sql, lead=LEAD, sequence=sequence)
    (first,) = await claimed(sql)
    assert await queue.mark_dead(sql, first, 422, "client_error: no")
    assert [one.sequence for one in await claimed(sql)] == [2]
    row = await sql.fetchrow("SELECT * FROM deliveries WHERE state = 'dead'")
    assert (row["last_status"], row["last_error"]) == (422, "client_error: no")
    assert row["finished_at"] is not None


@pytest.mark.asyncio
async def test_destinations_do_not_see_each_other(sql: asyncpg.Connection) -> None:
    """The same lead can be ahead at one destination and behind at another."""
    await write_delivery(sql, lead=LEAD, sequence=1, destination="crm")
    await write_delivery(sql, lead=LEAD, sequence=1, destination="queue")
    await claimed(sql, destination="crm")
    assert len(await claimed(sql, destination="queue")) == 1


@pytest.mark.asyncio
async def test_not_before_it_is_due(sql: asyncpg.Connection) -> None:
    """next_at is a promise to the receiver."""
    await write_delivery(sql, next_at=datetime.now(UTC) + timedelta(minutes=1))
    assert await claimed(sql) == []


@pytest.mark.asyncio
async def test_two_routers_never_claim_the_same_or_the_same_lead(
    database: str, sql: asyncpg.Connection
) -> None:
    """A claim that is not committed yet is skipped, not waited for, and still holds up its lead."""
    for sequence in (1, 2):
        await write_delivery(sql, lead=LEAD, sequence=sequence)
    await write_delivery(sql, lead=OTHER)
    async with connected(database) as second, sql.transaction():
        mine = await claimed(sql, limit=1)
        async with asyncio.timeout(2):
            theirs = await claimed(second)
    assert len(mine) == len(theirs) == 1
    assert {mine[0].lead_id, theirs[0].lead_id} == {LEAD, OTHER}


@pytest.mark.asyncio
async def test_after_its_lease_a_delivery_is_claimed_again_with_the_same_id(sql: asyncpg.Connection) -> None:
    """The router died: same webhook-id, attempts stay counted."""
    await write_delivery(sql)
    (first,) = await claimed(sql)
    assert await queue.reap(sql) == 0
    await expire(sql)
    assert await queue.reap(sql) == 1
    (second,) = await claimed(sql)
    assert second.delivery_id == first.delivery_id
    assert (first.attempt, second.attempt) == (1, 2)


@pytest.mark.parametrize("outcome", ["finish", "bury", "retry"])
@pytest.mark.asyncio
async def test_a_late_outcome_changes_nothing(sql: asyncpg.Connection, outcome: str) -> None:
    """Whoever lost its lease has nothing to say any more, whether it arrived or not."""
    await write_delivery(sql)
    (late,) = await claimed(sql)
    await expire(sql)
    await queue.reap(sql)
    (present,) = await claimed(sql)
    before = await sql.fetchrow("SELECT * FROM deliveries")
    assert not await {
        "finish": lambda: queue.finish(sql, late, 200),
        "bury": lambda: queue.mark_dead(sql, late, 500, "x"),
        "retry": lambda: queue.retry_at(sql, late, datetime.now(UTC), 500, "x"),
    }[outcome]()
    assert await sql.fetchrow("SELECT * FROM deliveries") == before
    assert await queue.finish(sql, present, 200)
    assert not await queue.finish(sql, present, 200), "and nobody says it twice"


@pytest.mark.asyncio
async def test_depth_tells_what_waits_and_since_when(sql: asyncpg.Connection) -> None:
    """Finished deliveries do not count."""
    await write_delivery(sql, created_at=datetime.now(UTC) - timedelta(minutes=2))
    await write_delivery(sql, state="delivered")
    await write_delivery(sql, destination="queue", state="claimed")
    depths = await queue.depth(sql)
    assert {name: one.waiting for name, one in depths.items()} == {"crm": 1, "queue": 1}
    assert 119 < depths["crm"].oldest_s < 180


STEP = st.tuples(
    st.sampled_from(["claim", "finish", "fail", "bury", "expire", "late"]),
    st.integers(0, 5),
)


class History:
    """What a sequence of claims and outcomes may lead to, whoever acts."""

    def __init__(self, sql: asyncpg.Connection, destination: str) -> None:
        self.sql = sql
        self.destination = destination
        self.held: list[Delivery] = []
        self.lost: list[Delivery] = []
        self.done: dict[LeadId, list[int]] = {LEAD: [], OTHER: []}

    async def step(self, action: str, which: int) -> None:
        if action == "claim":
            new = await claimed(self.sql, limit=which, destination=self.destination)
            assert {one.lead_id for one in new}.isdisjoint(one.lead_id for one in self.held)
            assert len({one.lead_id for one in new}) == len(new)
            self.held += new
        elif action == "late" and self.lost:
            assert not await queue.finish(self.sql, self.lost[which % len(self.lost)], 200)
        elif action == "expire":
            await self.sql.execute(
                "UPDATE deliveries SET lease_until = now() - interval '1 s' WHERE destination = $1 "
                "AND claim IS NOT NULL",
                self.destination,
            )
            await queue.reap(self.sql)
            self.lost, self.held = self.lost + self.held, []
        elif self.held and action != "late":
            await self._end(action, self.held.pop(which % len(self.held)))

    async def _end(self, action: str, one: Delivery) -> None:
        if action == "fail":
            assert await queue.retry_at(self.sql, one, datetime.now(UTC) - timedelta(seconds=1), 500, "x")
            return
        end: Any = (
            queue.finish(self.sql, one, 200) if action == "finish" else queue.mark_dead(self.sql, one, 1, "x")
        )
        assert await end
        self.done[one.lead_id].append(one.sequence)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=40))
def test_whatever_happens_each_lead_is_delivered_once_and_in_order(
    database: str, steps: list[tuple[str, int]]
) -> None:
    """Claims, failures, deaths and late outcomes in any order: 1, 2, 3 for every lead, each once."""

    async def play() -> None:
        async with connected(database) as sql:
            history = History(sql, uuid4().hex)
            for lead in (LEAD, OTHER):
                for sequence in (1, 2, 3):
                    await write_delivery(sql, destination=history.destination, lead=lead, sequence=sequence)
            for action, which in steps:
                await history.step(action, which)
            while sum(map(len, history.done.values())) < 6:
                await history.step("claim", 5)
                await history.step("finish", 0)
            assert history.done == {LEAD: [1, 2, 3], OTHER: [1, 2, 3]}

    asyncio.run(play())
