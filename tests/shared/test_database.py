"""Which troubles with Postgres may pass, and which are in the data."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import engine, savepoint, transaction
from shared.errors import Transient
from tests.waiting import until

pytestmark = pytest.mark.asyncio
_PASSWORD = "p@ss: +/%w#rd&?"

_ADVISORY = "SELECT pg_advisory_xact_lock(1)"


@pytest_asyncio.fixture
async def pool(database: str) -> AsyncIterator[AsyncEngine]:
    made = engine(database, application="test", pool_size=2)
    yield made
    await made.dispose()


async def test_a_transaction_commits_or_rolls_back(pool: AsyncEngine) -> None:
    """What a block wrote is there if it ended well, and gone if it raised."""
    async with transaction(pool) as connection:
        await connection.execute("CREATE TABLE kept (n int)")
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with transaction(pool) as connection:
            await connection.execute("INSERT INTO kept VALUES (1); SELECT 1 / 0")
    async with transaction(pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM kept") == 0


async def test_a_savepoint_is_rolled_back_alone(pool: AsyncEngine) -> None:
    """What broke in it is undone and comes out as it is; the transaction goes on."""
    async with transaction(pool) as connection:
        await connection.execute(
            "CREATE TEMP TABLE saved (n int) ON COMMIT DROP; INSERT INTO saved VALUES (1)"
        )
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with savepoint(connection):
                await connection.execute("INSERT INTO saved VALUES (2); SELECT 1 / 0")
        async with savepoint(connection):
            await connection.execute("INSERT INTO saved VALUES (3)")
        assert [row["n"] for row in await connection.fetch("SELECT n FROM saved ORDER BY n")] == [1, 3]


async def test_what_may_pass_is_transient_at_a_savepoint_already(pool: AsyncEngine) -> None:
    """Whoever catches there must not take a timeout for a fault in the data."""
    async with transaction(pool) as connection:
        await connection.execute("SET LOCAL statement_timeout = '50ms'")
        with pytest.raises(Transient):
            async with savepoint(connection):
                await connection.execute("SELECT pg_sleep(5)")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)",
        "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$",
        "DO $$ BEGIN RAISE SQLSTATE '53100'; END $$",
        "DO $$ BEGIN RAISE SQLSTATE '42501'; END $$",
    ],
    ids=["connection cut", "cancelled", "serialization", "disk full", "no right"],
)
async def test_what_may_pass_is_transient(pool: AsyncEngine, statement: str) -> None:
    """Cut, in conflict, out of resources, not allowed: the same may work later, and the pool still does."""
    with pytest.raises(Transient):
        async with transaction(pool) as connection:
            await connection.execute(statement)
    async with transaction(pool) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_line_to_a_former_primary_is_given_up(database: str) -> None:
    """A session that may not write any more: Transient, and the next transaction has another session."""
    pool = engine(database, application="test", pool_size=1)
    async with transaction(pool) as connection:
        await connection.execute("SET default_transaction_read_only = on")
    with pytest.raises(Transient, match="ReadOnly"):
        async with transaction(pool) as connection:
            await connection.execute("CREATE TABLE refused (n int)")
    async with transaction(pool) as connection:
        await connection.execute("CREATE TABLE taken (n int)")
    await pool.dispose()


@pytest.mark.parametrize("moment", ["between statements", "before executing", "with an advisory lock only"])
async def test_a_frozen_process_keeps_no_lock(database: str, moment: str) -> None:
    """Whatever a process of ours was doing when it froze, others get its locks within seconds."""
    frozen = engine(database, application="leadscore-frozen", pool_size=1)
    waiting = engine(database, application="leadscore-waiting", pool_size=1)
    async with transaction(waiting) as connection:
        await connection.execute("CREATE TABLE wanted (n int); INSERT INTO wanted VALUES (1)")
    takes = _ADVISORY if "advisory" in moment else "UPDATE wanted SET n = 2"
    got = False
    with suppress(Transient):  # its session is ended under it
        async with transaction(frozen) as connection:
            await connection.execute(takes)
            if moment != "between statements":
                await connection.prepare("SELECT n FROM wanted WHERE n = $1")
            await until(lambda: _done(waiting, takes))
            got = True
    assert got
    await frozen.dispose()
    await waiting.dispose()


async def test_a_session_that_is_not_ours_is_left_alone(database: str) -> None:
    """Somebody's own session, under the same role, may take its time."""
    theirs = engine(database, application="psql", pool_size=1)
    ours = engine(database, application="leadscore-waiting", pool_size=1)
    async with transaction(ours) as connection:
        await connection.execute("CREATE TABLE wanted (n int); INSERT INTO wanted VALUES (1)")
    async with transaction(theirs) as connection:
        await connection.execute("UPDATE wanted SET n = 2")
        statement = await connection.prepare("SELECT n FROM wanted WHERE n = $1")
        assert not await _done(ours, "UPDATE wanted SET n = 3")
        assert not await _done(ours, "UPDATE wanted SET n = 3")
        assert await statement.fetchval(2) == 2
    await theirs.dispose()
    await ours.dispose()


async def _done(pool: AsyncEngine, statement: str) -> bool:
    """Whether the statement got through."""
    try:
        async with transaction(pool) as connection:
            await connection.execute(statement)
    except Transient:
        return False
    return True


async def test_last_words_before_a_commit_are_transient(database: str) -> None:
    """The server has ended the session and said so, the line is still open: as good as cut."""
    async with line_that_stays_open(database) as (url, passed_on):
        pool = engine(url, application="test", pool_size=1)
        with pytest.raises(Transient):
            async with transaction(pool) as connection:
                await _end_session(database, connection.get_server_pid(), passed_on)
        async with transaction(pool) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        await pool.dispose()


@asynccontextmanager
async def line_that_stays_open(database: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The database behind a line that passes on all the server says, but not that it has hung up.

    Yields its URL, and an event: an error was the last that a server said, and it is passed on.
    """
    there = make_url(database)
    passed_on = asyncio.Event()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(there.host, there.port)
        asking = asyncio.create_task(_pass_on(reader, server_writer))
        if (await _pass_on(server_reader, writer)).startswith(b"E"):  # an error: it was not asked to go
            passed_on.set()
            await asking
        server_writer.close()
        writer.close()
        await asking

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as line:
        port = line.sockets[0].getsockname()[1]
        yield there.set(host="127.0.0.1", port=port).render_as_string(hide_password=False), passed_on


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Pass on what is said until the end; returns what was said last."""
    last = b""
    with suppress(OSError):
        while said := await reader.read(65_536):
            last = said
            writer.write(said)
            await writer.drain()
    return last


async def _end_session(database: str, pid: int, passed_on: asyncio.Event) -> None:
    """End the server's side of a session, and return when its last words have arrived."""
    other = await asyncpg.connect(database)
    await other.execute("SELECT pg_terminate_backend($1)", pid)
    await asyncio.wait_for(passed_on.wait(), 20)
    # They lie at the client's end now: while another connection asks and is answered, they are read.
    await other.fetchval("SELECT 1")
    await other.close()


async def test_a_server_that_is_not_there_is_transient() -> None:
    """Nobody listens: try again later; it is said where, and what would help."""
    nowhere = engine("postgresql://127.0.0.1:1/none", application="test", pool_size=1)
    with pytest.raises(Transient, match=r"away: ConnectionRefusedError at 127\.0\.0\.1:1\. Is it running"):
        async with transaction(nowhere):
            pass
    await nowhere.dispose()


async def test_what_is_wrong_in_the_data_comes_through(pool: AsyncEngine) -> None:
    """A division by zero, or a value of the wrong type, will be as wrong the next time."""
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with transaction(pool) as connection:
            await connection.execute("SELECT 1 / 0")
    with pytest.raises(asyncpg.DataError):
        async with transaction(pool) as connection:
            await connection.fetchval("SELECT $1::int", "not a number")


@pytest.mark.parametrize("driver", ["postgresql", "postgres", "postgresql+asyncpg"])
async def test_a_url_is_read_as_libpq_reads_it(driver: str) -> None:
    """Whatever the scheme is called, the password arrives as it was encoded, and so do other parameters."""
    said: list[bytes] = []

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Asks for the password in the clear, as no server of ours would, and keeps what it is told."""
        said.append(await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4))
        writer.write(b"R" + (8).to_bytes(4) + (3).to_bytes(4))
        await reader.readexactly(1)
        said.append(await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4))
        writer.close()

    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        url = f"{driver}://me:{quote(_PASSWORD, safe='')}@127.0.0.1:{port}/leads?sslmode=disable"
        pool = engine(url, application="the test", pool_size=1)
        with pytest.raises(Transient):
            async with transaction(pool):
                pass
    assert b"database\0leads\0" in said[0]
    assert b"application_name\0the test\0" in said[0]
    assert said[1] == _PASSWORD.encode() + b"\0"


async def test_a_server_whose_machine_is_gone_is_noticed(pool: AsyncEngine) -> None:
    """Who waits for an answer sends nothing: without TCP's own questions it would wait for ever."""
    async with transaction(pool) as connection:
        line = connection._transport.get_extra_info("socket")
        with socket.socket(fileno=os.dup(line.fileno())) as same:
            assert same.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            silent_s = same.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            silent_s += same.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) * 3
            assert silent_s == 25
