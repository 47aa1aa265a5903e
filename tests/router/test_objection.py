"""A person objects: what waits is given up, who had the lead is told once, in order; on a real Postgres."""

from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.router import outbox, queue
from services.router.render import type_of
from shared.database import transaction
from shared.ids import LeadId
from tests.router.conftest import ROUTING
from tests.router.situations import merged, write_transition
from tests.router.test_plan import deliveries, planner

LEAD, OTHER = LeadId(UUID(int=1)), LeadId(UUID(int=2))


async def arrived(sql: asyncpg.Connection, destination: str, sequence: int) -> None:
    """Have this delivery be one that arrived."""
    await sql.execute(
        "UPDATE deliveries SET state = 'delivered', attempt = 1, finished_at = now() "
        "WHERE destination = $1 AND sequence = $2",
        destination,
        sequence,
    )


async def states(sql: asyncpg.Connection) -> list[tuple[str, int, str, str]]:
    rows = await deliveries(sql)
    return [(row["destination"], row["sequence"], type_of(row["body"]), row["state"]) for row in rows]


@pytest.mark.asyncio
async def test_what_waits_is_given_up_and_who_had_it_is_told(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """The CRM had the lead and hears of the objection, after all else; the sales queue never did."""
    await write_transition(sql, lead=LEAD, sequence=1)
    await planner(pool).turn()
    await arrived(sql, "crm", 1)
    await write_transition(sql, lead=LEAD, sequence=2)
    await planner(pool).turn()
    await write_transition(sql, lead=LEAD, sequence=3, cause="objected", previous_stage="sql")
    await planner(pool).turn()
    assert await states(sql) == [
        ("crm", 1, "lead.stage_changed", "delivered"),
        ("sales-queue", 1, "lead.stage_changed", "superseded"),
        ("crm", 2, "lead.stage_changed", "superseded"),
        ("sales-queue", 2, "lead.stage_changed", "superseded"),
        ("crm", 3, "lead.objected", "pending"),
    ]
    given_up = await sql.fetch("SELECT DISTINCT last_error FROM deliveries WHERE state = 'superseded'")
    assert [row["last_error"] for row in given_up] == [queue.OBJECTED]


@pytest.mark.asyncio
async def test_who_is_in_no_route_any_more_is_told_too(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """Routes decide who gets a lead, not who may keep one."""
    await write_transition(sql, lead=LEAD, sequence=1)
    await planner(pool).turn()
    await arrived(sql, "crm", 1)
    await write_transition(sql, lead=LEAD, sequence=2, cause="objected", stage="recycled")
    await planner(pool, text=ROUTING.replace("{stage: sql}", "{stage: customer}")).turn()
    assert ("crm", 2, "lead.objected", "pending") in await states(sql)


@pytest.mark.asyncio
@pytest.mark.parametrize("end", ["fails", "is lost"])
async def test_what_is_under_way_is_not_tried_again(
    pool: AsyncEngine, sql: asyncpg.Connection, end: str
) -> None:
    """It may arrive; if it does not, nothing more is sent of it, and the objection is told after it."""
    await write_transition(sql, lead=LEAD, sequence=1)
    await planner(pool).turn()
    async with transaction(pool) as connection:
        (taken,) = await queue.claim(connection, "crm", limit=1, token=uuid4(), lease_s=30)
    await write_transition(sql, lead=LEAD, sequence=2, cause="objected", previous_stage="sql")
    await planner(pool).turn()
    assert ("crm", 1, "lead.stage_changed", "claimed") in await states(sql)
    async with transaction(pool) as connection:
        if end == "fails":
            await queue.retry_at(connection, taken, await queue.now(connection), 503, "503: away")
        else:
            await connection.execute("UPDATE deliveries SET lease_until = now() - interval '1 s'")
            await queue.reap(connection)
        (told,) = await queue.claim(connection, "crm", limit=5, token=uuid4(), lease_s=30)
    assert ("crm", 1, "lead.stage_changed", "superseded") in await states(sql)
    assert (type_of(told.body), told.sequence) == ("lead.objected", 2)


@pytest.mark.asyncio
async def test_leads_that_were_merged_into_it_are_meant_too(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """What waits of a lead that is one with this one now is given up as well, and its receivers hear."""
    await merged(sql, OTHER, LEAD)
    await write_transition(sql, lead=OTHER, sequence=1)
    await planner(pool).turn()
    await arrived(sql, "sales-queue", 1)
    await write_transition(sql, lead=LEAD, sequence=1, cause="objected", previous_stage="sql")
    await planner(pool).turn()
    assert await states(sql) == [
        ("sales-queue", 1, "lead.objected", "pending"),
        ("crm", 1, "lead.stage_changed", "superseded"),
        ("sales-queue", 1, "lead.stage_changed", "delivered"),
    ]


@pytest.mark.asyncio
async def test_the_end_of_an_objection_gives_nothing_up(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """It is told to whoever had the lead, behind what waits."""
    await write_transition(sql, lead=LEAD, sequence=1)
    await planner(pool).turn()
    await arrived(sql, "crm", 1)
    await write_transition(sql, lead=LEAD, sequence=2, cause="objected", previous_stage="sql")
    await write_transition(sql, lead=LEAD, sequence=3, cause="objection_withdrawn", previous_stage="sql")
    assert [await planner(pool).turn() for _ in range(2)] == [1, 1]
    assert [each for each in await states(sql) if each[0] == "crm"][1:] == [
        ("crm", 2, "lead.objected", "pending"),
        ("crm", 3, "lead.objected", "pending"),
    ]


@pytest.mark.asyncio
async def test_what_nobody_had_planned_by_then_is_told_nobody(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """The router was away: the move and the objection wait together. Nobody ever had the lead."""
    await merged(sql, OTHER, LEAD)
    await write_transition(sql, lead=OTHER, sequence=1)
    await write_transition(sql, lead=OTHER, sequence=2)
    await write_transition(sql, lead=LEAD, sequence=1)
    await write_transition(sql, lead=LEAD, sequence=2, cause="objected", previous_stage="sql")
    while await planner(pool).turn():
        continue
    assert await states(sql) == []


@pytest.mark.asyncio
async def test_who_is_being_told_while_the_objection_is_planned_hears_of_it(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """A courier takes the move after the planner has read the objection: it is under way, so it counts."""
    await write_transition(sql, lead=LEAD, sequence=1)
    await planner(pool).turn()
    await write_transition(sql, lead=LEAD, sequence=2, cause="objected", previous_stage="sql")
    async with transaction(pool) as planning:
        rows = await outbox.claim(planning, 10)
        async with transaction(pool) as courier:
            assert await queue.claim(courier, "crm", limit=1, token=uuid4(), lease_s=30)
        assert await outbox.cancel(planning, rows) == ["sales-queue"]
        (row,) = await outbox.with_who_had_it(planning, rows)
    assert row["had_it"] == ["crm"]
