"""A Kafka publisher for one command.

In: where Kafka is, from the environment. Out: a publisher that is connected.
Refuses (`Transient`) to wait for ever.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from shared.errors import Transient
from shared.kafka import connect
from shared.kafka.publish import KafkaPublisher, Publisher
from shared.settings import KafkaSettings

_CONNECT_S: Final = 15.0


@asynccontextmanager
async def kafka(settings: KafkaSettings, client: str) -> AsyncIterator[Publisher]:
    """A publisher that is connected. client: what Kafka knows it by."""
    publisher = KafkaPublisher(connect.connection(settings, client))
    await publisher.start()
    try:
        deadline = asyncio.get_running_loop().time() + _CONNECT_S
        while publisher.trouble():
            if asyncio.get_running_loop().time() > deadline:
                raise Transient(
                    f"Kafka at {settings.kafka_bootstrap_servers} does not answer. Is it running?"
                )
            await asyncio.sleep(0.05)
        yield publisher
    finally:
        await publisher.stop()
