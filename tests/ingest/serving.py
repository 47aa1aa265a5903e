"""The real app of ingest in front of a broker in memory, with sources and limits of a test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx

from services.ingest import app as http
from services.ingest import source_file
from services.ingest.limits import Limits
from services.ingest.middleware import Admission
from services.ingest.publish import ParcelPublisher
from services.ingest.receive import Receiver
from shared.testing import FrozenClock, MemoryBroker, SequentialIds
from shared.topics import Topics
from tests.ingest.senders import ENVIRONMENT, SOURCES

ROOMY: Final = Limits(event_bytes=512 * 1024)
"""An event may be large enough to have too many keys"""


@asynccontextmanager
async def serving(
    broker: MemoryBroker, *, sources: str = SOURCES, limits: Limits = ROOMY, room: int = 64
) -> AsyncIterator[httpx.AsyncClient]:
    """The real app in front of this broker, and who calls it."""
    await broker.start()
    registry = source_file.read(sources, file="sources.yaml", environment=ENVIRONMENT)
    receiver = Receiver(
        registry=registry,
        parcels=ParcelPublisher(broker, Topics()),
        clock=FrozenClock(),
        ids=SequentialIds(),
        limits=limits,
    )
    app = http.create(receiver, registry, Admission(max_in_flight=room, trouble=broker.trouble))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest.test") as client:
        yield client
