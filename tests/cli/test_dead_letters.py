"""`leadscore dead-letters list|show|retry`: what is shown, and what is resolved only when it arrived."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from services.cli.__main__ import COMMANDS, application
from services.cli.dead_letters.retry import Wish, retry_letters
from services.cli.output import text_of
from services.scorer.store import dead_letters
from shared import database as postgres
from shared.database import transaction
from shared.errors import Invalid, Transient
from shared.kafka.publish import Record
from shared.kafka.stream import Received
from shared.testing import MemoryBroker

HEADERS = (("ce_id", b"17"), ("odd", b"\xff\x00"))
VALUES = [b'{"event": "a"}', b"\xff\xfe\x00", "Gr\u00fc\u00dfe\x1b[2J".encode()]


@pytest_asyncio.fixture
async def pool(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    """Three dead letters of one code and one of another."""
    monkeypatch.setenv("DATABASE_URL", database)
    engine = postgres.engine(database, application="test", pool_size=2)
    records = [
        Received(partition=3, offset=n, timestamp_ms=0, key=f"k{n}".encode(), value=value, headers=HEADERS)
        for n, value in enumerate([*VALUES, b"x"])
    ]
    codes = ["not_an_event"] * 3 + ["broke"]
    async with transaction(engine) as connection:
        await dead_letters.insert(
            connection,
            "leads.events.v1",
            [(one, Invalid(code, "cannot be read")) for one, code in zip(records, codes, strict=True)],
        )
    yield engine
    await engine.dispose()


async def run(*argv: str) -> str:
    words = ["dead-letters", *argv]
    done = await asyncio.to_thread(
        CliRunner().invoke,
        application(COMMANDS, words),
        words,
        catch_exceptions=False,
        env={"COLUMNS": "200"},
    )
    assert done.exit_code == 0, done.output
    return done.stdout


async def resolved(pool: AsyncEngine) -> list[int]:
    async with transaction(pool) as connection:
        rows = await connection.fetch(
            "SELECT dead_letter_id FROM dead_letters WHERE resolved_at IS NOT NULL ORDER BY 1"
        )
    return [row["dead_letter_id"] for row in rows]


@pytest.mark.asyncio
async def test_the_list_has_where_why_and_how_old(pool: AsyncEngine) -> None:
    """By code if asked for, the newest first, resolved ones only on request."""
    said = await run("list")
    assert all(
        word in said for word in ("not_an_event", "broke", "leads.events.v1", "0 min", "cannot be read")
    )
    (only,) = json.loads(await run("list", "--code", "broke", "--json"))
    assert (only["dead_letter_id"], only["partition"], only["record_offset"]) == (4, 3, 3)
    async with transaction(pool) as connection:
        await connection.execute("UPDATE dead_letters SET resolved_at = now() WHERE code = 'broke'")
    assert "no dead letters" in await run("list", "--code", "broke")
    assert "broke" in await run("list", "--resolved")


@pytest.mark.asyncio
async def test_one_is_shown_with_its_bytes(pool: AsyncEngine) -> None:
    """As text where it is text, as hexadecimal digits where not; nothing in it moves the cursor."""
    first = await run("show", "1")
    assert all(
        word in first for word in ('{"event": "a"}', "key: k0", "header ce_id: 17", "header odd: 0xff00")
    )
    assert "leadscore dead-letters retry 1" in first
    assert "0xfffe00" in await run("show", "2")
    third = await run("show", "3")
    assert "Gr\u00fc\u00dfe\\x1b[2J" in third
    assert "\x1b" not in third
    whole = json.loads(await run("show", "3", "--json"))
    assert base64.b64decode(whole["value_base64"]) == VALUES[2]
    with pytest.raises(Invalid, match="no dead letter 99"):
        await run("show", "99")


@pytest.mark.asyncio
async def test_one_is_sent_again_as_it_was(pool: AsyncEngine) -> None:
    """The same key, bytes and headers; resolved, and not sent a second time."""
    broker = MemoryBroker()
    await broker.start()
    assert await retry_letters(pool, broker, "t", Wish(number=2)) == (1, 0)
    (sent,) = broker.on("t")
    assert (sent.key, sent.value, tuple(sent.headers)) == (b"k1", VALUES[1], HEADERS)
    assert await resolved(pool) == [2]
    with pytest.raises(Invalid, match="sent again already"):
        await retry_letters(pool, broker, "t", Wish(number=2))
    with pytest.raises(Invalid, match="no dead letter 99"):
        await retry_letters(pool, broker, "t", Wish(number=99))


@pytest.mark.asyncio
async def test_all_of_a_code_the_oldest_first_and_not_too_many(pool: AsyncEngine) -> None:
    """Others stay as they are; how many are left is said."""
    broker = MemoryBroker()
    await broker.start()
    assert await retry_letters(pool, broker, "t", Wish(code="not_an_event", most=2)) == (2, 1)
    assert await resolved(pool) == [1, 2]
    assert await retry_letters(pool, broker, "t", Wish(code="not_an_event")) == (1, 0)
    assert [one.value for one in broker.on("t")] == VALUES


@pytest.mark.asyncio
async def test_what_fails_again_meanwhile_is_not_sent_for_ever(
    pool: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each retry makes a new dead letter while the others are still being sent: it is left for later."""
    monkeypatch.setattr("services.cli.dead_letters.retry._PORTION", 1)
    broker = MemoryBroker()
    await broker.start()
    publish = broker.publish

    async def fails_again(records: Sequence[Record], *, deadline_s: float) -> None:
        await publish(records, deadline_s=deadline_s)
        async with transaction(pool) as connection:
            again = Received(partition=0, offset=len(broker.on("t")), timestamp_ms=0, key=b"", value=b"x")
            await dead_letters.insert(connection, "t", [(again, Invalid("not_an_event", "still"))])

    monkeypatch.setattr(broker, "publish", fails_again)
    assert await retry_letters(pool, broker, "t", Wish(code="not_an_event", most=100)) == (3, 3)


@pytest.mark.asyncio
async def test_what_was_not_acknowledged_is_not_resolved(pool: AsyncEngine) -> None:
    """Kafka away: a sentence, and everything as it was."""
    broker = MemoryBroker()
    await broker.start()
    broker.away = True
    with pytest.raises(Transient):
        await retry_letters(pool, broker, "t", Wish(code="not_an_event"))
    assert await resolved(pool) == []


@pytest.mark.asyncio
async def test_either_one_or_a_code(pool: AsyncEngine) -> None:
    """Nothing is sent by chance."""
    for argv in ([], ["1", "--code", "broke"]):
        with pytest.raises(Invalid, match="either a number or --code"):
            await run("retry", *argv)


def test_bytes_that_are_no_text_are_told_apart() -> None:
    """Lines stay lines."""
    assert text_of(b"a\nb\tc") == "a\nb\tc"
    assert text_of(b"\x80") is None
