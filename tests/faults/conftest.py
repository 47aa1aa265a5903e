"""Installations that tests may break: on the run's shared servers, or on servers of their own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import make_url

from services.cli.local.kafka import KafkaServer
from services.cli.local.postgres import PostgresServer
from services.cli.migrate import upgrade
from services.cli.topics import ensure
from shared.kafka.connect import Connection
from shared.topics import Topics
from tests.faults import seed
from tests.faults.proxy import Proxy
from tests.faults.report import Row, text
from tests.installation import Installation, Servers, running
from tests.ports import free_port
from tests.servers import JARS

_ROW = pytest.StashKey[Row]()
_ROWS: list[Row] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Servers that may be broken, and the installation that has to live through it."""

    kafka: KafkaServer
    postgres: PostgresServer
    leadscore: Installation


async def kill(server: KafkaServer | PostgresServer) -> None:
    """SIGKILL, and wait until it is gone."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await server.wait()


@asynccontextmanager
async def own_servers(folder: Path, kafka: KafkaServer) -> AsyncIterator[World]:
    """An installation on this Kafka and a Postgres of its own, not started."""
    postgres = PostgresServer(folder / "postgres")
    try:
        bootstrap, database = await asyncio.gather(kafka.start(), postgres.start())
        await asyncio.to_thread(upgrade, database)
        topics = Topics()
        await ensure(Connection(bootstrap_servers=bootstrap, client_id="tests", options={}), topics)
        async with running(Servers(kafka=bootstrap, database=database), topics, folder) as leadscore:
            yield World(kafka=kafka, postgres=postgres, leadscore=leadscore)
    finally:
        await asyncio.gather(kafka.stop(), postgres.stop())


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An installation on servers of its own, started."""
    async with own_servers(tmp_path, KafkaServer(tmp_path / "kafka", cache=JARS)) as made:
        await made.leadscore.start()
        yield made


@pytest_asyncio.fixture
async def leadscore(
    database: str, topics: Topics, kafka_server: str, tmp_path: Path
) -> AsyncIterator[Installation]:
    """An installation on the run's shared servers, not started."""
    async with running(Servers(kafka=kafka_server, database=database), topics, tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def proxy(leadscore: Installation) -> AsyncIterator[Proxy]:
    """A proxy between the first scorer and Postgres."""
    url = make_url(leadscore.database)
    made = Proxy(free_port(), url.port or 5432)
    await made.start()
    through = url.set(port=made.port).render_as_string(hide_password=False)
    leadscore.scorer.environment = {**leadscore.scorer.environment, "DATABASE_URL": through}
    yield made
    await made.stop()


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Random:
    """The source of chance of one test."""
    return seed.chance(request.node.name)


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    """Where a test of the fault matrix notes its figures."""
    mark = request.node.get_closest_marker("fault")
    assert mark is not None, "a row of the fault matrix says which: @pytest.mark.fault(1, 'what breaks')"
    made = Row(number=mark.args[0], fault=mark.args[1])
    request.node.stash[_ROW] = made
    _ROWS.append(made)
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """Note how a row of the matrix ended; a fixture that fails afterwards is a failure too."""
    report = yield
    if row := item.stash.get(_ROW, None):
        row.seconds += report.duration
        if report.when == "call" or report.failed:
            row.outcome = report.outcome
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The report, if `make faults` asked for one."""
    if _ROWS and (file := os.environ.get("FAULT_REPORT")):
        terminalreporter.write_line("\n" + text(_ROWS))
        Path(file).write_text(text(_ROWS) + "\n")
