"""What the tests of ingest share: sources, a broker in memory, and the app around both."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from services.ingest import app as http
from services.ingest import source_file
from services.ingest.limits import Limits
from services.ingest.middleware import Admission
from services.ingest.publish import ParcelPublisher
from services.ingest.receive import Receiver
from services.ingest.registry import Registry
from shared.testing import FrozenClock, MemoryBroker, SequentialIds
from shared.topics import Topics
from tests.ingest.senders import ENVIRONMENT, PRODUCT_KEY, SOURCES


@pytest.fixture
def registry() -> Registry:
    """Five sources: website, product, limited, forms, email."""
    return source_file.read(SOURCES, file="sources.yaml", environment=ENVIRONMENT)


@pytest.fixture
def clock() -> FrozenClock:
    """2026-01-01, standing still."""
    return FrozenClock()


@pytest.fixture
def limits() -> Limits:
    """The default limits; a test module overrides this fixture to have others."""
    return Limits()


@pytest_asyncio.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    """A Kafka that is there."""
    memory = MemoryBroker()
    await memory.start()
    yield memory
    await memory.stop()


@pytest.fixture
def app(registry: Registry, broker: MemoryBroker, clock: FrozenClock, limits: Limits) -> FastAPI:
    """Ingest, with everything but Kafka real."""
    receiver = Receiver(
        registry=registry,
        parcels=ParcelPublisher(broker, Topics()),
        clock=clock,
        ids=SequentialIds(),
        limits=limits,
    )
    return http.create(receiver, registry, Admission(max_in_flight=64, trouble=broker.trouble))


@pytest_asyncio.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A sender with the product's key."""
    transport = httpx.ASGITransport(app=app, client=("203.0.113.77", 4711))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://ingest.test", auth=(PRODUCT_KEY, "")
    ) as sender:
        yield sender


@pytest_asyncio.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A sender without a key of its own: pages put it into what they send."""
    transport = httpx.ASGITransport(app=app, client=("203.0.113.77", 4711))
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://ingest.test",
        headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"},
    ) as sender:
        yield sender
