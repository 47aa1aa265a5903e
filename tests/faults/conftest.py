"""An installation on a Kafka and a Postgres of its own, which the test may kill, freeze and start again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from services.cli.local.kafka import KafkaServer
from services.cli.local.postgres import PostgresServer
from services.cli.migrate import upgrade
from services.cli.topics import ensure
from shared.kafka.connect import Connection
from shared.topics import Topics
from tests.installation import Installation, Receiver, Servers, installation
from tests.servers import JARS


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


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    kafka, postgres = KafkaServer(tmp_path / "kafka", cache=JARS), PostgresServer(tmp_path / "postgres")
    receiver = Receiver()
    try:
        bootstrap, database, _ = await asyncio.gather(kafka.start(), postgres.start(), receiver.start())
        await asyncio.to_thread(upgrade, database)
        topics = Topics()
        await ensure(Connection(bootstrap_servers=bootstrap, client_id="tests", options={}), topics)
        leadscore = installation(Servers(kafka=bootstrap, database=database), topics, receiver, tmp_path)
        try:
            await leadscore.start()
            yield World(kafka=kafka, postgres=postgres, leadscore=leadscore)
        finally:
            await leadscore.stop()
    finally:
        await asyncio.gather(receiver.stop(), kafka.stop(), postgres.stop())
