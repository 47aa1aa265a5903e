"""`leadscore deliveries …`, `leadscore destinations …`: what is shown, sent again, and what not any more."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from services.cli.__main__ import COMMANDS, application
from services.cli.deliveries import stored
from shared.errors import Invalid
from shared.ids import LeadId
from tests.router.conftest import Running, receiver, running
from tests.router.receiver import Receiver, status
from tests.router.situations import eventually_row, write_delivery, write_transition
from tests.waiting import until

pytestmark = pytest.mark.asyncio
__all__ = ["receiver", "running"]  # fixtures of the router's tests


@pytest_asyncio.fixture
async def sql(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the database that the commands use."""
    monkeypatch.setenv("DATABASE_URL", database)
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def run(*words: str) -> str:
    done = await asyncio.to_thread(
        CliRunner().invoke,
        application(COMMANDS, words),
        list(words),
        catch_exceptions=False,
        env={"COLUMNS": "250"},
    )
    assert done.exit_code == 0, done.output
    return done.stdout


async def dead(sql: asyncpg.Connection, **columns: Any) -> UUID:
    given: dict[str, Any] = {
        "state": "dead",
        "attempt": 10,
        "last_status": 400,
        "last_error": "refused: \x1b[2Jno",
    }
    return await write_delivery(sql, **{**given, **columns})


async def states(sql: asyncpg.Connection) -> dict[UUID, str]:
    return {row["delivery_id"]: row["state"] for row in await sql.fetch("SELECT * FROM deliveries")}


async def test_the_list_shows_what_waits_and_what_was_given_up(sql: asyncpg.Connection) -> None:
    """By destination and state; the delivered ones on request; one with its body, harmless to a terminal."""
    lost = await dead(sql)
    await write_delivery(sql, destination="sales-queue")
    await write_delivery(sql, state="delivered")
    assert {one["state"] for one in json.loads(await run("deliveries", "list", "--json"))} == {
        "dead",
        "pending",
    }
    [only] = json.loads(await run("deliveries", "list", "--destination", "crm", "--json"))
    assert (only["delivery_id"], only["last_status"], "body" in only) == (str(lost), 400, False)
    assert "delivered" in await run("deliveries", "list", "--state", "delivered")
    said = await run("deliveries", "show", str(lost))
    assert '{"n":1}' in said
    assert f"deliveries retry {lost}" in said
    with pytest.raises(Invalid, match="no state lost"):
        await run("deliveries", "list", "--state", "lost")


async def test_dead_deliveries_are_sent_again_with_their_ids(
    sql: asyncpg.Connection, running: Running, receiver: Receiver
) -> None:
    """Given up by a running router, then retried: the receiver gets the same id and body, oldest first."""
    lead = LeadId(uuid4())
    receiver.answers = [status(400) for _ in range(4)]
    async with running(retry_waits_s=(0.01,), poll_interval_s=0.02):
        for sequence in (1, 2):
            await write_transition(sql, lead=lead, sequence=sequence)
        three = "SELECT FROM deliveries WHERE destination = 'crm' AND state = 'dead' HAVING count(*) = 2"
        await eventually_row(sql, three)
        before = len(receiver.got)
        receiver.answers = []
        assert "2 will be sent again" in await run("deliveries", "retry", "--destination", "crm")
        await until(lambda: len(receiver.got) >= before + 2)
    again = [got.verified() for got in receiver.got[before:]]
    assert [one["data"]["sequence"] for one in again] == [1, 2]
    assert {got.id for got in receiver.got} == {got.id for got in receiver.got[before:]}


async def test_what_nobody_may_hear_any_more_is_not_sent(sql: asyncpg.Connection) -> None:
    """Not what happened before an objection; not an older state where only the latest counts."""
    objector, other = LeadId(uuid4()), LeadId(uuid4())
    old = await dead(sql, lead=objector, sequence=1)
    await write_transition(sql, lead=objector, sequence=2, cause="objected")
    stale = await dead(sql, lead=other, sequence=1, kind="latest")
    newer = await write_transition(sql, lead=other, sequence=2)
    await write_delivery(sql, lead=other, sequence=2, kind="latest", state="delivered", transition_id=newer)
    fine = await dead(sql, lead=other, sequence=3)
    said = await run("deliveries", "retry", "--destination", "crm")
    assert "1 will be sent again; 1 not: the person objected since; 1 not: a newer state" in said
    found = await states(sql)
    assert (found[old], found[stale], found[fine]) == ("superseded", "superseded", "pending")


async def test_what_is_dead_is_looked_up_and_not_searched_for(sql: asyncpg.Connection) -> None:
    """Deliveries are kept: each question about one of many is answered by an index."""
    await sql.execute("SET enable_seqscan = off")
    plan = await sql.fetch(f"EXPLAIN {stored._DEAD}", None, "crm", 1000)
    assert not [row for row in plan if "Seq Scan" in row[0]], plan


async def test_one_that_was_never_written_is_planned_anew(
    sql: asyncpg.Connection, running: Running, receiver: Receiver
) -> None:
    """A transition that the router could not read, and now can: it is written, and arrives."""
    transition = await write_transition(sql, person=json.dumps(["broken"]))
    async with running(poll_interval_s=0.02):
        await eventually_row(
            sql, "SELECT FROM deliveries WHERE state = 'dead' AND body = '' AND destination = 'crm'"
        )
        await sql.execute("UPDATE transitions SET person = '{}' WHERE transition_id = $1", transition)
        assert "1 will be sent again" in await run("deliveries", "retry", "--destination", "crm")
        await until(lambda: bool(receiver.got))
    assert receiver.got[0].verified()["data"]["stage"] == "sql"
    [row] = await sql.fetch("SELECT retried_at FROM deliveries WHERE destination = 'crm'")
    assert row["retried_at"], "it may overtake others, or be overtaken: reconcile has to know"
    [planned] = await sql.fetch("SELECT planned_for FROM transitions WHERE transition_id = $1", transition)
    assert "crm" in planned["planned_for"]


async def test_only_dead_ones_are_retried(sql: asyncpg.Connection) -> None:
    """An id of one that waits, or of none, is refused; neither or both ways to choose as well."""
    waits = await write_delivery(sql)
    for one in (waits, uuid4()):
        with pytest.raises(Invalid, match="no dead delivery"):
            await run("deliveries", "retry", str(one))
    for words in ([], [str(waits), "--destination", "crm"]):
        with pytest.raises(Invalid, match="either an id or --destination"):
            await run("deliveries", "retry", *words)


async def test_destinations_are_shown_enabled_and_given_up(sql: asyncpg.Connection) -> None:
    """Why one is disabled, how much waits; enabled it is clean; given up, nothing waits any more."""
    assert "no destination has failed" in await run("destinations", "list")
    await sql.execute(
        "INSERT INTO destinations (destination, disabled_at, disabled_why) "
        "VALUES ('crm', now(), 'it said 410')"
    )
    waits, lost = await write_delivery(sql), await dead(sql)
    await write_delivery(sql, destination="gone")
    crm, gone = json.loads(await run("destinations", "list", "--json"))
    assert (crm["state"], crm["disabled_why"], crm["waiting"], crm["dead"]) == (
        "disabled",
        "it said 410",
        1,
        1,
    )
    assert (gone["destination"], gone["state"], gone["waiting"]) == ("gone", "closed", 1)
    assert "410" in await run("destinations", "list")
    assert "crm is enabled" in await run("destinations", "enable", "crm")
    with pytest.raises(Invalid, match="not disabled"):
        await run("destinations", "enable", "crm")
    under_way = await write_delivery(sql, state="claimed", claim=uuid4())
    said = await run("destinations", "give-up", "crm", "--by", "ada")
    assert "1 deliveries to crm will not be sent" in said
    assert "1 are being sent right now" in said
    assert (await states(sql))[under_way] == "claimed"
    assert (await states(sql))[waits] == "superseded"
    assert (await states(sql))[lost] == "dead"
    assert await sql.fetchval("SELECT last_error FROM deliveries WHERE delivery_id = $1", waits) == (
        "given up by ada"
    )
