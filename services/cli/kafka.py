"""Kafka, for as long as a command sends.

In: how to reach it. Out: a publisher that is connected, and gone when the block ends.
Raises Transient if Kafka does not answer within 15 s.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from shared.errors import Transient
from shared.kafka.connect import Connection, refusal
from shared.kafka.publish import KafkaPublisher, Publisher

_CONNECT_S: Final = 15.0


@asynccontextmanager
async def producer(where: Connection) -> AsyncIterator[Publisher]:
    """A publisher that is connected."""
    publisher = KafkaPublisher(where)
    await publisher.start()
    try:
        deadline = asyncio.get_running_loop().time() + _CONNECT_S
        while publisher.trouble():
            if asyncio.get_running_loop().time() > deadline:
                raise Transient(
                    await refusal(where)
                    or f"Kafka at {where.bootstrap_servers} does not answer. Is it running?"
                )
            await asyncio.sleep(0.05)
        yield publisher
    finally:
        await publisher.stop()
