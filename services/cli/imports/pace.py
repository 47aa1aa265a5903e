"""How far an import may be ahead of the scorer, so that live events do not wait behind years of history.

In: the offsets of Kafka's events topic and of partition_offsets. Out: a pause as long as more records wait
than allowed. Refuses to guess the scorer's speed: what waits is asked before each chunk.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.errors import Transient

_LOOK_S: Final = 0.1
# Of several consumer groups the one that is furthest: the others are of before.
_TAKEN: Final = """
SELECT partition, max(next_offset) AS next_offset FROM partition_offsets WHERE topic = $1 GROUP BY partition
"""


class Backlog:
    """The records that wait for the scorer, live ones among them."""

    def __init__(self, consumer: AIOKafkaConsumer, database: AsyncEngine, topic: str) -> None:
        self._consumer = consumer
        self._database = database
        self._topic = topic

    async def waiting(self) -> int:
        """How many records wait. Raises Transient if Kafka or Postgres does not say."""
        async with transaction(self._database) as connection:
            rows = await connection.fetch(_TAKEN, self._topic)
        taken = {row["partition"]: row["next_offset"] for row in rows}
        try:
            numbers = self._consumer.partitions_for_topic(self._topic) or ()
            partitions = [TopicPartition(self._topic, number) for number in numbers]
            ends = await self._consumer.end_offsets(partitions)
            begins = await self._consumer.beginning_offsets(
                [each for each in partitions if each.partition not in taken]
            )
        except (KafkaError, OSError) as error:
            raise Transient(f"Kafka does not say how much waits: {type(error).__name__}.") from error
        return sum(end - taken.get(each.partition, begins.get(each, end)) for each, end in ends.items())


class Pace:
    """Waits until no more than `most` records wait; 0: never waits."""

    def __init__(self, backlog: Backlog, most: int, tell: Callable[[int], None]) -> None:
        self._backlog = backlog
        self._most = most
        self._tell = tell

    async def wait(self) -> None:
        """Return once there is room for more."""
        while self._most and (waiting := await self._backlog.waiting()) >= self._most:
            self._tell(waiting)
            await asyncio.sleep(_LOOK_S)
