"""The whole installation as tests run it: three processes, a receiver of webhooks, an e-mail provider.

In: where Kafka and Postgres are, a folder for files. Out: `Installation`, to be started, killed, stopped.
Refuses to share anything with another test: ports, topics, group, database and secrets are its own.
"""

import asyncio
import base64
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI, Request, Response

from services.cli.reconcile.walk import reconcile
from shared import database as postgres
from shared.lifecycle import HttpServer
from shared.topics import Topics
from tests.books import BOOKS
from tests.ports import free_port
from tests.waiting import until

ROOT: Final = Path(__file__).resolve().parents[1]
WEBHOOK_SECRET: Final = "whsec_" + base64.b64encode(b"a webhook secret for the tests!!").decode()
PRODUCT_KEY: Final = "product-key-of-the-pipeline-tests"
CRM_KEY: Final = "crm-secret-of-the-pipeline"
WEBSITE_KEY: Final = "website-key-of-the-pipeline-tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One request the receiver got."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """A CRM's webhook on loopback: keeps what it gets and answers 200.

    answer: what to answer instead
    """

    hits: list[Hit] = field(default_factory=list)
    answer: Callable[[Hit], Awaitable[Response]] | None = None
    server: HttpServer | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://{self.server.address}/leads"

    async def start(self) -> None:
        app = FastAPI()

        @app.post("/leads", response_model=None)
        async def take(request: Request) -> Response:
            hit = Hit(headers=dict(request.headers), body=await request.body())
            self.hits.append(hit)
            return await self.answer(hit) if self.answer else Response()

        self.server = HttpServer("receiver", app, host="127.0.0.1", port=0)
        await self.server.start()

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop()


@dataclass(slots=True)
class Service:
    """One service process and its admin port.

    code: the folder that it runs from
    python: what runs it
    program: Python that starts it otherwise than `python -m` does; it runs as a script
    """

    name: str
    environment: Mapping[str, str]
    log: Path
    admin_port: int
    process: asyncio.subprocess.Process | None = None
    code: Path = ROOT
    python: str = sys.executable
    program: str = ""

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                self.python,
                *(("-c", self.program) if self.program else ("-m", f"services.{self.name}")),
                cwd=self.code,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )
        await until(self.is_ready, within_s=60)

    async def is_ready(self) -> bool:
        """Whether /readyz says so; a process that has ended will never be."""
        assert self.process is not None
        if self.process.returncode is not None:
            raise AssertionError(f"{self.name} ended: {self.log.read_text()[-3000:]}")
        try:
            async with httpx.AsyncClient(timeout=2) as client:
                return (await client.get(f"http://127.0.0.1:{self.admin_port}/readyz")).status_code == 200
        except httpx.HTTPError:
            return False

    async def trouble(self) -> str:
        """What /readyz says, empty if nothing answers."""
        try:
            async with httpx.AsyncClient(timeout=2) as client:
                return (await client.get(f"http://127.0.0.1:{self.admin_port}/readyz")).text
        except httpx.HTTPError:
            return ""

    @property
    def pid(self) -> int:
        """Its process id; only meaningful after start."""
        assert self.process is not None
        return self.process.pid

    def freeze(self) -> None:
        """Have it do nothing, as a machine that is suspended: SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was frozen: SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    async def kill(self) -> None:
        """The hard way: SIGKILL."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int | None:
        """SIGTERM, and -9 if that is not enough; returns the exit code."""
        if self.process is None:
            return None
        if self.process.returncode is not None:
            return self.process.returncode
        self.thaw()  # one that a test froze could not end in order
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), 20)
        except TimeoutError:
            await self.kill()
        return self.process.returncode

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        async with httpx.AsyncClient(timeout=5) as client:
            text = (await client.get(f"http://127.0.0.1:{self.admin_port}/metrics")).text
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        )


@dataclass(slots=True)
class Installation:
    """Leadscore on this machine."""

    database: str
    topics: Topics
    kafka: str
    receiver: Receiver
    services: dict[str, Service]
    ingest_port: int
    mail: "MailProvider"
    more_scorers: list[Service] = field(default_factory=list)

    @property
    def ingest(self) -> str:
        return f"http://127.0.0.1:{self.ingest_port}"

    async def counted(self, events: int) -> bool:
        """Whether so many events are counted."""
        return (await self.books())["counted"] >= events

    async def taken(self, records: int) -> bool:
        """Whether so many records are committed, whatever became of them."""
        return (await self.books())["taken"] >= records

    @property
    def scorer(self) -> Service:
        return self.services["scorer"]

    def another_scorer(self, **environment: str) -> Service:
        """One more scorer process in the same group, not started; stopped with the installation.

        environment: what it has otherwise than the first
        """
        port = free_port()
        first = self.scorer
        environment = {**first.environment, "LEADSCORE_SCORER_ADMIN_PORT": str(port), **environment}
        number = len(self.more_scorers) + 2
        made = Service("scorer", environment, first.log.with_suffix(f".{number}.log"), port)
        self.more_scorers.append(made)
        return made

    async def start(self) -> None:
        await asyncio.gather(*(service.start() for service in self.services.values()))

    async def stop(self) -> None:
        everything = (*self.services.values(), *self.more_scorers)
        await asyncio.gather(*(service.stop() for service in everything))

    async def fetch(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        """Rows of a query, on a connection of their own (the database may have been away)."""
        engine = postgres.engine(self.database, application="test", pool_size=1)
        try:
            async with postgres.transaction(engine) as connection:
                return [dict(row) for row in await connection.fetch(sql, *arguments)]
        finally:
            await engine.dispose()

    async def books(self) -> dict[str, int]:
        """The tallies of all partitions together."""
        return (await self.fetch(BOOKS))[0]

    async def off(self) -> list[dict[str, Any]]:
        """What `leadscore reconcile` finds to be off; also while everything runs."""
        engine = postgres.engine(self.database, application="test", pool_size=1)
        try:
            return list((await reconcile(engine)).document()["faults"])
        finally:
            await engine.dispose()


SOURCES: Final = """
version: 1
sources:
  - id: website
    access: public
    kind: web
    keys: ["${KEY_WEBSITE}"]
    origins: ["*"]
    forms:
      - id: demo-request
        thanks: https://www.example.com/thanks
  - id: product
    access: secret
    kind: product
    keys: ["${KEY_PRODUCT}"]
  - id: crm
    access: secret
    kind: crm
    keys: ["${KEY_CRM}"]
  - id: email
    access: secret
    kind: email
    hook:
      provider: sendgrid
      public_keys: ["${SENDGRID_PUBLIC_KEY}"]
"""

ROUTING: Final = """
version: 1
language: en
destinations:
  - name: sales-queue
    kind: kafka
  - name: crm
    kind: webhook
    url: ${CRM_URL}
    secrets: ["${WEBHOOK_SECRET}"]
    allow_networks: [127.0.0.0/8]
    allow_http: true
routes:
  - name: qualified
    when: {stage: [mql, sql]}
    to: [sales-queue, crm]
"""


class MailProvider:
    """SendGrid's side of its event webhook: signs what it posts, as its documentation says."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_key(self) -> str:
        spki = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(spki).decode()

    async def post(self, url: str, events: list[dict[str, Any]]) -> httpx.Response:
        body = json.dumps(events).encode()
        stamp = str(round(time.time()))
        signature = self._key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        headers = {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
            "Content-Type": "application/json",
        }
        async with httpx.AsyncClient() as client:
            return await client.post(url, content=body, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where the two servers are."""

    kafka: str
    database: str


def installation(servers: Servers, topics: Topics, receiver: Receiver, folder: Path) -> Installation:
    """An installation with its files and ports, not started."""
    (folder / "sources.yaml").write_text(SOURCES)
    (folder / "routing.yaml").write_text(ROUTING)
    mail = MailProvider()
    ports = {name: free_port() for name in ("public", "ingest", "scorer", "router")}
    environment = {
        "DATABASE_URL": servers.database,
        "KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
        "LEADSCORE_TOPIC_PREFIX": topics.prefix,
        "LEADSCORE_IDENTITY_KEY": "an identity key for the pipeline",
        "LEADSCORE_INGEST_PORT": str(ports["public"]),
        "LEADSCORE_INGEST_ADMIN_PORT": str(ports["ingest"]),
        # There is no balancer that would have to notice.
        "LEADSCORE_INGEST_DRAIN_S": "0",
        "LEADSCORE_INGEST_SOURCES_FILE": str(folder / "sources.yaml"),
        "LEADSCORE_SCORER_ADMIN_PORT": str(ports["scorer"]),
        "LEADSCORE_SCORER_GROUP": f"{topics.prefix}scorer",
        "LEADSCORE_SCORER_SESSION_S": "6",
        # Small batches: more transactions for a kill to fall into.
        "LEADSCORE_SCORER_BATCH_RECORDS": "50",
        "LEADSCORE_ROUTER_ADMIN_PORT": str(ports["router"]),
        "LEADSCORE_ROUTER_ROUTING_FILE": str(folder / "routing.yaml"),
        "KEY_WEBSITE": WEBSITE_KEY,
        "KEY_PRODUCT": PRODUCT_KEY,
        "KEY_CRM": CRM_KEY,
        "SENDGRID_PUBLIC_KEY": mail.public_key,
        "WEBHOOK_SECRET": WEBHOOK_SECRET,
        "CRM_URL": receiver.url,
    }
    return Installation(
        database=servers.database,
        topics=topics,
        kafka=servers.kafka,
        receiver=receiver,
        services={
            name: Service(name, environment, folder / f"{name}.log", ports[name])
            for name in ("ingest", "scorer", "router")
        },
        ingest_port=ports["public"],
        mail=mail,
    )


@asynccontextmanager
async def running(servers: Servers, topics: Topics, folder: Path) -> AsyncIterator[Installation]:
    """An installation with its receiver, not started; whatever runs of it in the end is stopped."""
    receiver = Receiver()
    await receiver.start()
    made = installation(servers, topics, receiver, folder)
    try:
        yield made
    finally:
        await made.stop()
        await receiver.stop()
