"""Where the measurements take place: embedded Kafka and Postgres of their own, and real service processes.

In: a scratch folder. Out: a running `Stage`; each measurement takes a fresh `Setting` (database, topics) on
it. Refuses to leave anything running: whatever was started is stopped when the block ends, however it ends.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import psutil
from sqlalchemy import make_url

from services.cli import migrate, topics
from services.cli.installation import Installation
from services.cli.local import ports
from services.cli.local.jars import LIST
from services.cli.local.kafka import KafkaServer
from services.cli.local.postgres import PostgresServer
from services.cli.local.process import Child, Command, until
from services.cli.supervise import ready
from shared.kafka.connect import Connection
from shared.topics import Topics

ROOT: Final = Path(__file__).resolve().parents[1]
_READY_S: Final = 60.0
_KIBIBYTE: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Running servers."""

    folder: Path
    kafka: KafkaServer
    postgres: PostgresServer
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """An empty database and empty topics.

    environment: of the service processes that work with them
    """

    stage: Stage
    name: str
    database: str
    topics: Topics
    environment: Mapping[str, str]

    @property
    def kafka(self) -> Connection:
        address = self.stage.kafka.bootstrap_servers
        return Connection(bootstrap_servers=address, client_id="benchmarks", options={})


class Running:
    """One process of ours."""

    def __init__(self, child: Child, port: int) -> None:
        self._child = child
        self.port = port

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child.pid is not None
        return self._child.pid

    def cpu_s(self) -> float:
        """CPU seconds it has used so far."""
        used = psutil.Process(self._child.pid).cpu_times()
        return float(used.user + used.system)

    def peak_bytes(self) -> int:
        """The most memory (resident set) it had so far."""
        for line in Path(f"/proc/{self._child.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * _KIBIBYTE
        return 0


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """Start Kafka and Postgres in this folder; stop them at the end."""
    kafka = KafkaServer(folder / "kafka", cache=ROOT / ".cache" / "kafka")
    postgres = PostgresServer(folder / "postgres")
    async with AsyncExitStack() as ends:
        for server in (kafka, postgres):
            ends.push_async_callback(server.stop)
        await asyncio.gather(kafka.start(), postgres.start())
        secrets = Installation(folder=folder).secrets({})
        yield Stage(folder=folder, kafka=kafka, postgres=postgres, secrets=secrets)


async def servers(on: Stage) -> str:
    """What runs, for people."""
    connection = await asyncpg.connect(on.postgres.url)
    try:
        postgres = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    kafka = re.search(r"^org\.apache\.kafka:kafka_[\d.]+:(\S+)", LIST.read_text(), re.MULTILINE)
    version = kafka[1] if kafka else "unknown"
    return f"PostgreSQL {postgres.split()[0]}, Kafka {version} on {on.kafka.java}, on the same cores"


def database_url(on: Stage, name: str) -> str:
    """The address of the database of this name."""
    return make_url(on.postgres.url).set(database=name).render_as_string(hide_password=False)


async def setting(on: Stage, name: str, extra: Mapping[str, str] | None = None) -> Setting:
    """A fresh database and fresh topics of this name.

    extra: more environment for the services
    """
    connection = await asyncpg.connect(on.postgres.url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    database = database_url(on, name)
    await asyncio.to_thread(migrate.upgrade, database)
    environment = {
        **os.environ,
        **on.secrets,
        "KAFKA_BOOTSTRAP_SERVERS": on.kafka.bootstrap_servers,
        "DATABASE_URL": database,
        "LEADSCORE_TOPIC_PREFIX": f"{name}.",
        "LEADSCORE_LOG_LEVEL": "warning",
        **(extra or {}),
    }
    made = Setting(
        stage=on, name=name, database=database, topics=Topics(prefix=f"{name}."), environment=environment
    )
    await topics.ensure(made.kafka, made.topics)
    return made


@asynccontextmanager
async def service(within: Setting, name: str, number: int = 0) -> AsyncIterator[Running]:
    """One of our services, ready; its `port` is the one that senders use (ingest) or the admin port.

    number: tells several processes of one service apart
    """
    folder = within.stage.folder / within.name
    process = f"{name}-{number}" if number else name
    port, admin_port = ports.remembered(folder / f"{process}.ports.json", [0, 0])
    prefix = f"LEADSCORE_{name.upper()}"
    environment = {f"{prefix}_PORT": str(port), f"{prefix}_ADMIN_PORT": str(admin_port)}
    argv = [sys.executable, "-m", f"services.{name}"]
    async with _process(within, process, argv, environment) as child:
        if said := await ready(f"http://127.0.0.1:{admin_port}/readyz", _READY_S):
            raise RuntimeError(f"{name} is not ready: {said}; its log ends with {child.last_lines()}")
        yield Running(child, port if name == "ingest" else admin_port)


@asynccontextmanager
async def bare(within: Setting) -> AsyncIterator[Running]:
    """The reference app of benchmarks/bare.py, producing to the same topic."""
    [port] = ports.remembered(within.stage.folder / within.name / "bare.ports.json", [0])
    argv = [sys.executable, "-m", "benchmarks.bare", str(port), within.topics.events]
    async with _process(within, "bare", argv, {}) as child:
        if not await until(lambda: ports.listens(port), _READY_S):
            raise RuntimeError(f"the bare app does not listen; its log ends with {child.last_lines()}")
        yield Running(child, port)


@asynccontextmanager
async def process(within: Setting, name: str, argv: Sequence[str]) -> AsyncIterator[Running]:
    """Any other process that works in this setting."""
    async with _process(within, name, argv, {}) as child:
        yield Running(child, 0)


@asynccontextmanager
async def _process(
    within: Setting, name: str, argv: Sequence[str], environment: Mapping[str, str]
) -> AsyncIterator[Child]:
    """A process in a folder of its own; gone at the end."""
    command = Command(
        name=name,
        argv=argv,
        folder=within.stage.folder / within.name,
        mark=argv[2],
        cwd=ROOT,
        environment={**within.environment, **environment},
    )
    child = Child(command)
    try:
        await child.start()
        yield child
    finally:
        await child.stop()
