"""The fixtures that other tests stand on do what they promise."""

import asyncpg
import pytest

from services.cli import migrate
from services.cli.topics import check
from shared.kafka.connect import Connection
from shared.topics import Topics


@pytest.mark.asyncio
async def test_the_database_is_migrated(database: str) -> None:
    """A test's database is at the newest revision."""
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == migrate.head()
    await connection.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("_time", [1, 2])
async def test_the_database_belongs_to_one_test(database: str, _time: int) -> None:
    """What a test writes is not there in the next."""
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE written_by_this_test ()")
    await connection.close()


@pytest.mark.asyncio
async def test_the_topics_exist(kafka: Connection, topics: Topics) -> None:
    """A test's topics are there, as wanted, under its own prefix."""
    assert topics.prefix
    assert await check(kafka, topics) == []
