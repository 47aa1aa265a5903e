"""What earlier releases wrote to Kafka and Postgres, today's readers read: the same values."""

import base64
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest

from services.cli.dead_letters import letters
from services.ingest.publish import RejectedRecord
from services.router import outbox, queue, send_kafka
from services.router.render import render
from services.scorer.store import leads
from shared import codec
from shared import database as postgres
from shared.ids import LeadId
from shared.leads import transition_row
from shared.leads.store.history import histories
from tests.cli.contracts.messages import check_record, check_webhook
from tests.stored.record_bytes import POISON, TABLES

STORED: Final[dict[str, dict[str, Any]]] = {
    path.stem: json.loads(path.read_text()) for path in sorted(Path(__file__).parent.glob("*.json"))
}
VERSIONS: Final = sorted(STORED)

NAMES: Final = Counter(
    [
        "page.viewed",
        "page.viewed",
        "form.submitted",
        "email.clicked",
        "Trial Started",
        "Invited",
        "deal.created",
    ]
)
# By the model of each release: stage → score, grade, events.
STAND: Final = {"sql": (75, "B1", 4), "opportunity": (31, "B4", 3)}


def test_the_releases_are_there() -> None:
    """The oldest that is kept is never dropped."""
    assert {"936ff44", "594fb43"} <= STORED.keys()


@pytest.mark.parametrize("version", VERSIONS)
def test_records_decode_to_what_they_said(version: str) -> None:
    """Events and rejections, field by field; a record that is none is refused and no more."""
    records = STORED[version]["topics"]
    values = [one["value"].encode() for one in records["events"]]
    values.remove(POISON)
    decoded = [codec.decode(value) for value in values]
    assert Counter(one.name for one in decoded) == NAMES
    assert [codec.encode(one) for one in decoded] == values
    for event, record in zip(
        decoded, (one for one in records["events"] if one["key"] != "poison"), strict=True
    ):
        assert codec.partition_key(event).decode() == record["key"]
    (rejected,) = records["rejected"]
    told = msgspec.json.decode(rejected["value"], type=RejectedRecord)
    assert (told.source, told.code, told.step, told.index) == ("product", "no_identity", "validate", 0)
    assert told.raw == b'{"type":"track"}'


@pytest.mark.parametrize("version", VERSIONS)
def test_records_are_what_the_contract_of_today_says(version: str) -> None:
    """Who reads by asyncapi.json may begin at the oldest record."""
    for name, records in STORED[version]["topics"].items():
        for one in records:
            if one["key"] != "poison":
                headers = [(header, value.encode()) for header, value in one["headers"]]
                check_record(f"leads.{name}.v1", headers, one["value"].encode())
    assert STORED[version]["webhooks"]
    for hit in STORED[version]["webhooks"]:
        check_webhook(hit["headers"], hit["body"].encode())


@pytest.mark.asyncio
@pytest.mark.parametrize("version", VERSIONS)
async def test_rows_are_read_by_the_code_of_today(version: str, database: str) -> None:
    """Leads with their states and ledgers, histories, transitions, deliveries, dead letters."""
    tables = STORED[version]["tables"]
    async with filled(database, tables) as connection:
        await _check_leads(connection, tables["leads"])
        await _check_transitions(connection, tables)
        await _check_deliveries(connection, tables["deliveries"])
        (letter,) = await letters.listed(connection, "", resolved=False, most=10)
        assert (letter.value, letter.key, letter.code) == (POISON, b"poison", "not_an_event")


async def _check_leads(connection: Any, rows: list[dict[str, Any]]) -> None:
    """State, ledger and numbers; the state holds as many events as the history."""
    ids = [LeadId(UUID(row["lead_id"])) for row in rows]
    read = await leads.read(connection, ids)
    known = await histories(connection, ids)
    assert {one.ledger.stage: (one.score, one.grade, one.event_count) for one in read.values()} == STAND
    for row in rows:
        lead = read[LeadId(UUID(row["lead_id"]))]
        assert lead.dimensions == row["dimensions"]
        assert lead.ledger.since.isoformat(" ") == row["stage_since"]
        assert lead.state.events == lead.event_count == len(known[lead.lead_id])
        assert lead.state.rules
        assert lead.state.encode() == base64.b64decode(row["state"]["base64"])


async def _check_transitions(connection: Any, tables: dict[str, Any]) -> None:
    """Each can still be planned, and what is rendered of it says all that was delivered then."""
    await connection.execute("UPDATE transitions SET planned_at = NULL WHERE stage IN ('mql', 'sql')")
    sent = {one["transition_id"]: _bytes(one["body"]) for one in tables["deliveries"]}
    assert len(sent) == 2
    # The oldest of each lead first: the next one can be claimed when that is planned.
    while rows := await outbox.claim(connection, 10):
        for row in rows:
            told = transition_row.read(row)
            assert added_to(json.loads(sent.pop(str(told.transition_id))), json.loads(render(told, "en")))
            assert sum(one.points for one in told.receipts) == told.score
            await outbox.mark(connection, {told.transition_id: []})
    assert sent == {}


def added_to(before: Any, now: Any) -> bool:
    """Whether all that was said then is said now, with nothing but additions."""
    if isinstance(before, dict):
        return all(name in now and added_to(value, now[name]) for name, value in before.items())
    if isinstance(before, list):
        return len(before) == len(now) and all(map(added_to, before, now))
    return bool(before == now)


async def _check_deliveries(connection: Any, rows: list[dict[str, Any]]) -> None:
    """Each can be sent again, with the same id and the same bytes."""
    await connection.execute("UPDATE deliveries SET state = 'pending', next_at = now()")
    bodies = {one["delivery_id"]: _bytes(one["body"]) for one in rows}
    for _ in range(2):
        for one in await queue.claim(connection, "sales-queue", limit=9, token=UUID(int=1), lease_s=60):
            record = send_kafka.record(one, "leads.sales.v1")
            check_record(record.topic, record.headers, record.value)
            assert record.value == bodies.pop(str(one.delivery_id))
            assert await queue.finish(connection, one, 200)
    assert len(bodies) == len(rows) / 2, "those of the webhook"


def _bytes(value: dict[str, str]) -> bytes:
    return base64.b64decode(value["base64"])


@asynccontextmanager
async def filled(database: str, tables: dict[str, list[dict[str, Any]]]) -> AsyncIterator[Any]:
    """A database of today with these rows; what they have no value for gets what the migrations give."""
    engine = postgres.engine(database, application="test", pool_size=1)
    try:
        async with postgres.transaction(engine) as connection:
            for table in TABLES:
                columns = ", ".join(tables[table][0])
                rows = [{name: _in_sql(value) for name, value in row.items()} for row in tables[table]]
                await connection.execute(
                    f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
                    f" SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, $1::text::jsonb)",
                    json.dumps(rows),
                )
            yield connection
    finally:
        await engine.dispose()


def _in_sql(value: Any) -> Any:
    """Bytes as Postgres writes them."""
    if isinstance(value, dict) and value.keys() == {"base64"}:
        return f"\\x{base64.b64decode(value['base64']).hex()}"
    return value
