"""Transitions become deliveries, on a real Postgres."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.router import outbox, route_file
from services.router.loop_health import LoopHealth
from services.router.plan import Planner
from services.router.render import MAX_BYTES, type_of
from shared.database import transaction
from shared.ids import LeadId, delivery_id
from shared.testing import FrozenClock
from tests.router.conftest import ROUTING
from tests.router.receiver import SECRET
from tests.router.situations import engine, merged, write_transition

LEAD = LeadId(UUID(int=1))
GERMAN = ROUTING.replace("{name: sales-queue, kind: kafka}", "{name: sales-queue, kind: kafka, language: de}")


def planner(pool: AsyncEngine, *, text: str = ROUTING, rings: list[int] | None = None) -> Planner:
    routing = route_file.parse(text, {"URL": "http://127.0.0.1/", "SECRET": SECRET})
    heard: list[int] = [] if rings is None else rings
    return Planner(
        pool, routing, batch=50, pulse=LoopHealth("plan", FrozenClock()), planned=lambda: heard.append(1)
    )


async def deliveries(sql: asyncpg.Connection) -> list[Any]:
    return list(await sql.fetch("SELECT * FROM deliveries ORDER BY lead_id, sequence, destination"))


@pytest.mark.asyncio
async def test_who_had_a_lead_hears_that_it_was_several_people(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """Whatever the routes say; who never had it is told of its stage only, if a route wants it."""
    only_queue = ROUTING.replace("when: {stage: sql}", "when: {stage: customer}")
    await write_transition(sql, lead=LEAD, sequence=1)
    await planner(pool).turn()
    await sql.execute("DELETE FROM deliveries WHERE destination = 'sales-queue'")
    await write_transition(sql, lead=LEAD, sequence=2, cause="unmerged", other_leads=[UUID(int=9)])
    await planner(pool, text=only_queue).turn()
    told = [row for row in await deliveries(sql) if row["sequence"] == 2]
    assert {row["destination"]: type_of(row["body"]) for row in told} == {
        "crm": "lead.unmerged",
        "sales-queue": "lead.stage_changed",
    }


@pytest.mark.asyncio
async def test_who_had_a_lead_hears_that_events_of_it_were_taken_back(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """In order with its transitions, though no route wants the stage it goes back to; a merged one's too."""
    await merged(sql, LeadId(UUID(int=77)), LEAD)
    await write_transition(sql, lead=LeadId(UUID(int=77)), sequence=1)
    await planner(pool).turn()
    await sql.execute("DELETE FROM deliveries WHERE destination = 'sales-queue'")
    await write_transition(sql, lead=LEAD, sequence=1, stage="lead")
    await planner(pool).turn()
    await sql.execute("DELETE FROM deliveries WHERE lead_id = $1", LEAD)
    await write_transition(
        sql, lead=LEAD, sequence=2, stage="lead", cause="corrected", corrected=["many_links"]
    )
    await planner(pool).turn()
    told = [row for row in await deliveries(sql) if row["sequence"] == 2]
    assert {row["destination"]: type_of(row["body"]) for row in told} == {"crm": "lead.corrected"}


@pytest.mark.asyncio
async def test_a_transition_becomes_one_delivery_per_destination(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """With ids that a second planning would give again, and a ring for who delivers."""
    rings: list[int] = []
    known = await write_transition(sql, lead=LEAD)
    assert await planner(pool, rings=rings).turn() == 1
    rows = await deliveries(sql)
    assert [(row["destination"], row["state"], row["sequence"]) for row in rows] == [
        ("crm", "pending", 1),
        ("sales-queue", "pending", 1),
    ]
    assert [row["delivery_id"] for row in rows] == [
        delivery_id(known, "crm"),
        delivery_id(known, "sales-queue"),
    ]
    assert rows[0]["event_received_at"] is not None
    assert rings == [1]


@pytest.mark.asyncio
async def test_for_whom_a_transition_was_planned_is_kept(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """The destinations by name, none where no route wants it: reconcile looks for their deliveries."""
    wanted = await write_transition(sql, lead=LEAD)
    unwanted = await write_transition(sql, stage="lead")
    await planner(pool).turn()
    rows = {row["transition_id"]: row["planned_for"] for row in await sql.fetch("SELECT * FROM transitions")}
    assert (sorted(rows[wanted]), rows[unwanted]) == (["crm", "sales-queue"], [])


@pytest.mark.asyncio
async def test_what_no_route_wants_is_planned_and_goes_nowhere(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """It is not looked at again."""
    await write_transition(sql, stage="lead")
    assert await planner(pool).turn() == 1
    assert await planner(pool).turn() == 0
    assert await deliveries(sql) == []


@pytest.mark.asyncio
async def test_planning_again_changes_nothing(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """A restored planned_at does not send anything a second time."""
    await write_transition(sql)
    await planner(pool).turn()
    before = await deliveries(sql)
    await sql.execute("UPDATE deliveries SET state = 'delivered'")
    await sql.execute("UPDATE transitions SET planned_at = NULL")
    assert await planner(pool).turn() == 1
    after = await deliveries(sql)
    assert [row["delivery_id"] for row in after] == [row["delivery_id"] for row in before]
    assert {row["state"] for row in after} == {"delivered"}


@pytest.mark.asyncio
async def test_each_destination_reads_its_language(pool: AsyncEngine, sql: asyncpg.Connection) -> None:
    """One transition, two bodies."""
    await write_transition(sql)
    await planner(pool, text=GERMAN).turn()
    crm, queue = await deliveries(sql)
    assert b"Asked for a demo." in crm["body"]
    assert "Hat eine Vorführung angefragt.".encode() in queue["body"]


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"receipts": '{"not": "a list"}'}, "not_a_transition"),
        ({"dimensions": '{"fit": "many"}'}, "not_a_transition"),
        ({"person": '{"email": 5}'}, "not_a_transition"),
        ({"attribution": '{"last": {"referrer": "%s"}}' % ("x" * MAX_BYTES)}, "too_large"),
    ],
)
@pytest.mark.asyncio
async def test_a_transition_that_cannot_be_told_is_a_visible_dead_letter(
    pool: AsyncEngine, sql: asyncpg.Connection, columns: dict[str, Any], code: str
) -> None:
    """It is kept with its reason, and its neighbours are planned as if nothing were wrong."""
    broken = await write_transition(sql, **columns)
    await write_transition(sql)
    assert await planner(pool).turn() == 2
    rows = await deliveries(sql)
    dead = [row for row in rows if row["transition_id"] == broken]
    assert [(row["state"], row["destination"]) for row in dead] == [("dead", "crm"), ("dead", "sales-queue")]
    assert all(row["last_error"].startswith(f"{code}: ") for row in dead)
    assert [row["state"] for row in rows if row not in dead] == ["pending", "pending"]


@pytest.mark.asyncio
async def test_a_second_planner_does_not_overtake_the_first(
    database: str, pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """While number 1 of a lead is being planned, number 2 waits; other leads go on."""
    for sequence in (1, 2):
        await write_transition(sql, lead=LEAD, sequence=sequence)
    async with transaction(pool) as first:
        assert [row["sequence"] for row in await outbox.claim(first, 50)] == [1]
        await write_transition(sql)
        async with engine(database) as other, asyncio.timeout(2):
            assert await planner(other).turn() == 1
        assert LEAD not in {row["lead_id"] for row in await deliveries(sql)}


@pytest.mark.asyncio
async def test_a_lead_with_many_transitions_is_planned_in_order(
    pool: AsyncEngine, sql: asyncpg.Connection
) -> None:
    """Whatever order the rows were written in."""
    for sequence in (3, 1, 2):
        await write_transition(sql, lead=LEAD, sequence=sequence, stage="mql")
    one = planner(pool)
    assert [await one.turn() for _ in range(4)] == [1, 1, 1, 0]
    planned = await sql.fetch("SELECT sequence FROM transitions ORDER BY planned_at")
    assert [row["sequence"] for row in planned] == [1, 2, 3]
