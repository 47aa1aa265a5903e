"""Which troubles with Postgres may pass, and which are in the data."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import driver_url, engine, transaction
from shared.errors import Transient

pytestmark = pytest.mark.asyncio


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


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)",
        "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$",
        "DO $$ BEGIN RAISE SQLSTATE '53100'; END $$",
    ],
    ids=["connection cut", "cancelled", "serialization", "disk full"],
)
async def test_what_may_pass_is_transient(pool: AsyncEngine, statement: str) -> None:
    """Cut, cancelled, in conflict, out of resources: the same may work later, and the pool still does."""
    with pytest.raises(Transient):
        async with transaction(pool) as connection:
            await connection.execute(statement)
    async with transaction(pool) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_server_that_is_not_there_is_transient() -> None:
    """Nobody listens: try again later."""
    nowhere = engine("postgresql://127.0.0.1:1/none", application="test", pool_size=1)
    with pytest.raises(Transient, match="away"):
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


async def test_sslmode_is_said_in_the_drivers_words() -> None:
    """A URL as libpq writes it works with our driver."""
    url = driver_url("postgresql://u:p@h:5432/d?sslmode=require")
    assert url.drivername == "postgresql+asyncpg"
    assert dict(url.query) == {"ssl": "require"}
