"""What every test may ask for: the real Kafka, the real Postgres, a database and topics of its own.

`KAFKA_BOOTSTRAP_SERVERS` or `DATABASE_URL` set ⇒ that server is used and none is started.
Fixtures of one area belong to the conftest of its folder.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import settings
from sqlalchemy import make_url

from services.cli.migrate import upgrade
from services.cli.topics import ensure
from shared.kafka.connect import Connection
from shared.topics import Topics
from tests.servers import shared_server, wait_until_gone

# A property is right or wrong, however busy the machine is that tries it.
settings.register_profile("leadscore", deadline=None)
settings.load_profile("leadscore")

_SERVER_FIXTURES = {"kafka_server", "postgres_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the servers, so that `pytest -m "not servers"` is the fast half."""
    for item in items:
        if _SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing running behind the run."""
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is not None and not hasattr(config, "workerinput"):
        wait_until_gone(factory.getbasetemp() / "servers")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the whole run: under xdist, that above each worker's own."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "servers"


@pytest.fixture(scope="session")
def kafka_server(run_folder: Path) -> Iterator[str]:
    """The bootstrap address of a real Kafka."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    with shared_server("kafka", run_folder) as address:
        yield address


@pytest.fixture(scope="session")
def postgres_server(run_folder: Path) -> Iterator[str]:
    """The URL of a real Postgres; its database is for administration only, see `database`."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    with shared_server("postgres", run_folder) as address:
        yield address


@pytest.fixture(scope="session")
def empty_database_template(postgres_server: str) -> Iterator[str]:
    """The name of a migrated database that nobody connects to: copying it takes 30 ms, migrating 500."""
    with new_database(postgres_server, "CREATE DATABASE {name}") as url:
        upgrade(url)
        yield str(make_url(url).database)


@pytest.fixture
def database(postgres_server: str, empty_database_template: str) -> Iterator[str]:
    """The URL of a migrated, empty database that belongs to this test."""
    copied = f"CREATE DATABASE {{name}} TEMPLATE {empty_database_template} STRATEGY file_copy"
    with new_database(postgres_server, copied) as url:
        yield url


@pytest.fixture
def kafka(kafka_server: str) -> Connection:
    """How this test's clients reach Kafka."""
    return Connection(bootstrap_servers=kafka_server, client_id="tests", options={})


@pytest.fixture
def topics(kafka: Connection) -> Iterator[Topics]:
    """All topics, made for this test under a prefix of its own."""
    ours = Topics(prefix=f"test{uuid4().hex[:12]}.")
    asyncio.run(ensure(kafka, ours))
    yield ours
    asyncio.run(delete_topics(kafka, ours))


@contextmanager
def new_database(server: str, statement: str) -> Iterator[str]:
    """A database made by this statement, dropped afterwards whoever is still connected."""
    name = f"test_{uuid4().hex[:12]}"
    asyncio.run(_execute(server, statement.format(name=name)))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def delete_topics(kafka: Connection, topics: Topics) -> None:
    admin = AIOKafkaAdminClient(**kafka.arguments())
    await admin.start()
    try:
        await admin.delete_topics([topic.name for topic in topics.wanted()])
    finally:
        await admin.close()
