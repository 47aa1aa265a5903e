"""An installation on the run's shared Kafka and Postgres, started and ready."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from shared.topics import Topics
from tests.installation import Installation, Servers, running


@pytest_asyncio.fixture
async def leadscore(
    database: str, topics: Topics, kafka_server: str, tmp_path: Path
) -> AsyncIterator[Installation]:
    """A whole installation; stopped afterwards, also when the test failed."""
    async with running(Servers(kafka=kafka_server, database=database), topics, tmp_path) as made:
        await made.start()
        yield made
