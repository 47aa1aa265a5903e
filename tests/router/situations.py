"""Transitions and deliveries to test with: made as values, or written as the scorer writes them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import database as postgres
from shared.ids import LeadId, TransitionId, transition_id
from shared.leads.transition_row import Person, Receipt, TransitionRow
from tests.waiting import until

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
LEAD = LeadId(UUID(int=7))


def transition(**changes: Any) -> TransitionRow:
    """A lead that became sales qualified, with these changes."""
    usual: dict[str, Any] = {
        "transition_id": TransitionId(UUID(int=1)),
        "lead_id": LEAD,
        "sequence": 2,
        "previous_stage": "mql",
        "stage": "sql",
        "cause": "score",
        "at": AT,
        "score": 64,
        "grade": "A2",
        "dimensions": {"fit": 30, "engagement": 34},
        "receipts": [
            Receipt(
                rule="demo-request",
                dimension="engagement",
                group="forms",
                points=34,
                sentence_en="Asked for a demo.",
                sentence_de="Hat eine Vorführung angefragt.",
                count=1,
                last_at=AT,
            ),
            Receipt(rule="company-size", dimension="fit", points=30, sentence_en="Large company."),
        ],
        "person": Person(email="ada@example.com", traits={"country": "DE", "employees": 250, "vip": True}),
        "attribution": {"last": {"campaign": "spring"}},
        "consent": {"marketing": True},
        "model_version": 3,
        "event_received_at": AT,
    }
    return TransitionRow(**{**usual, **changes})


async def write_transition(
    connection: asyncpg.Connection, *, lead: LeadId | None = None, sequence: int = 1, **columns: Any
) -> TransitionId:
    """Insert a row as the scorer does, and notify."""
    lead = lead or LeadId(uuid4())
    row = {
        "transition_id": transition_id(lead, sequence),
        "lead_id": lead,
        "sequence": sequence,
        "previous_stage": "lead",
        "stage": "sql",
        "cause": "score",
        "at": datetime.now(UTC),
        "score": 64,
        "grade": "A2",
        "dimensions": json.dumps({"fit": 30, "engagement": 34}),
        "receipts": json.dumps(
            [
                {
                    "rule": "demo-request",
                    "dimension": "engagement",
                    "group": "forms",
                    "points": 64,
                    "count": 1,
                    "last_at": "2026-03-01T09:30:00+00:00",
                    "event_ids": [str(UUID(int=9))],
                    "sentence_en": "Asked for a demo.",
                    "sentence_de": "Hat eine Vorführung angefragt.",
                }
            ]
        ),
        "person": json.dumps({"email": "ada@example.com", "traits": {"country": "DE"}}),
        "attribution": json.dumps({}),
        "consent": None,
        "model_version": 1,
        "event_received_at": datetime.now(UTC),
        **columns,
    }
    names = ", ".join(row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    async with connection.transaction():
        await connection.execute(f"INSERT INTO transitions ({names}) VALUES ({places})", *row.values())
        await connection.execute("NOTIFY leadscore_transitions")
    return TransitionId(row["transition_id"])


async def write_delivery(
    connection: asyncpg.Connection,
    *,
    destination: str = "crm",
    lead: LeadId | None = None,
    sequence: int = 1,
    **columns: Any,
) -> UUID:
    """Insert a delivery that is due."""
    row = {
        "delivery_id": uuid4(),
        "destination": destination,
        "transition_id": uuid4(),
        "lead_id": lead or uuid4(),
        "sequence": sequence,
        "kind": "every",
        "body": b'{"n":1}',
        **columns,
    }
    names = ", ".join(row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await connection.execute(f"INSERT INTO deliveries ({names}) VALUES ({places})", *row.values())
    return UUID(str(row["delivery_id"]))


@asynccontextmanager
async def engine(url: str, *, pool_size: int = 10) -> AsyncIterator[AsyncEngine]:
    """A pool that is closed afterwards."""
    pool = postgres.engine(url, application="router-tests", pool_size=pool_size)
    try:
        yield pool
    finally:
        await pool.dispose()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own, outside of what it tests."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def eventually_row(
    connection: asyncpg.Connection, query: str, *arguments: Any, within_s: float = 20
) -> asyncpg.Record:
    """The first row of a query, once there is one; TimeoutError if none comes within the time."""
    rows: list[asyncpg.Record] = []

    async def found() -> bool:
        rows.extend(await connection.fetch(query, *arguments))
        return bool(rows)

    await until(found, within_s=within_s)
    return rows[0]


async def merged(sql: asyncpg.Connection, loser: LeadId, winner: LeadId) -> None:
    """Have one lead be merged into the other."""
    await sql.execute(
        "INSERT INTO leads (lead_id, merged_into, first_seen_at, last_seen_at, state, ledger, stage, "
        "stage_since, score, grade, dimensions, scored_at, model_version) "
        "VALUES ($1, $2, now(), now(), '', '{}', 'sql', now(), 0, 'D4', '{}', now(), 1)",
        loser,
        winner,
    )
