"""What the router's tests share: a receiver, a pool, a connection, a running router."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from services.router import __main__ as router
from services.router import route_file
from services.router.settings import RouterSettings
from shared.kafka.publish import Publisher
from shared.lifecycle import run
from shared.testing import MemoryBroker
from tests.router import situations
from tests.router.receiver import SECRET, Receiver, listening

ROUTING = """
version: 1
destinations:
  - {name: sales-queue, kind: kafka}
  - name: crm
    kind: webhook
    url: ${URL}
    secrets: ["${SECRET}"]
    allow_http: true
    allow_networks: [127.0.0.0/8]
routes:
  - name: qualified
    when: {stage: [mql, sql]}
    to: [sales-queue]
  - name: sales-qualified
    when: {stage: sql}
    to: [crm]
"""

Running = Callable[..., AbstractAsyncContextManager[MemoryBroker]]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A webhook receiver."""
    async with listening() as one:
        yield one


@pytest_asyncio.fixture
async def pool(database: str) -> AsyncIterator[AsyncEngine]:
    """The router's pool on a fresh database."""
    async with situations.engine(database) as one:
        yield one


@pytest_asyncio.fixture
async def sql(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the same database."""
    async with situations.connected(database) as one:
        yield one


@pytest.fixture
def running(database: str, receiver: Receiver) -> Running:
    """Runs a whole router for the length of a block, with a broker in memory."""

    @asynccontextmanager
    async def one(*, publisher: Publisher | None = None, **settings: Any) -> AsyncIterator[MemoryBroker]:
        broker = MemoryBroker()
        configured = RouterSettings.model_validate(
            {"DATABASE_URL": database, "admin_port": 0, "drain_s": 2, **settings}
        )
        routing = route_file.parse(ROUTING, {"URL": receiver.url, "SECRET": SECRET})
        async with situations.engine(database) as pool:
            stopping = asyncio.Event()
            parts = router.parts(configured, routing, pool, publisher or broker)
            whole = asyncio.create_task(run(parts, stopping=stopping))
            try:
                yield broker
            finally:
                stopping.set()
                await whole

    return one
