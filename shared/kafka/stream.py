"""Kafka → records, with the partition owner deciding where each partition starts.

In: a topic, a group, an `Owner` that keeps the offsets (the scorer keeps them in Postgres).
Out: batches per partition. Refuses to remember offsets itself: what is committed to Kafka is only a
mirror, so that lag tools see us.

aiokafka hands out records after it was expelled from the group (measured: 200 of them). Nothing here
can prevent that; only the owner's conditional offset row does.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord
from prometheus_client import Counter, Gauge

from shared.errors import LeadscoreError, Transient
from shared.kafka.connect import Connection, refusal
from shared.telemetry import log

REBALANCES = Counter(
    "leadscore_kafka_rebalances_total", "Times the group gave us partitions anew.", ["topic"]
)
ASSIGNED = Gauge("leadscore_kafka_assigned_partitions", "Partitions this process reads now.", ["topic"])
PARTITIONS = Gauge("leadscore_kafka_topic_partitions", "Partitions that the topic has.", ["topic"])

_STOP_S: Final = 5.0


class Received(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record as it came from Kafka."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What a partition holds: [first, end) are the offsets that can be read."""

    first: int
    end: int


class OutOfRange(LeadscoreError):
    """Kafka has no record where these partitions are to be read, and waiting will not bring it back."""

    def __init__(self, partitions: Iterable[int]) -> None:
        self.partitions = frozenset(partitions)
        super().__init__(f"Kafka has no record at the position of partitions {sorted(self.partitions)}.")


class Owner(Protocol):
    """Decides where reading starts and is told when it must end."""

    async def assigned(self, partitions: Mapping[int, Range], generation: int) -> Mapping[int, int]:
        """The offset to start at for each partition that shall be read; one left out stays paused.

        generation: the group's count of rebalances; a lower one is an older, overtaken assignment
        """

    async def revoked(self, partitions: Iterable[int]) -> None:
        """Finish or drop what is in flight for these partitions; they belong to another member next."""


class Stream(Protocol):
    """Batches of records. Two implementations: Kafka, and `shared.testing.MemoryStream`."""

    name: str

    async def start(self) -> None:
        """Join the group; raises Transient while Kafka is away."""

    async def stop(self) -> None:
        """Leave the group, within a deadline of our own."""

    async def poll(
        self, partitions: Iterable[int], *, max_records: int, timeout_s: float
    ) -> dict[int, list[Received]]:
        """What these partitions have next, empty after the timeout. Moves the reading position.

        Raises OutOfRange if one of them was truncated or made anew, Transient while Kafka is away.
        """

    def assigned(self) -> frozenset[int]:
        """The partitions that are ours and have a start."""

    def given(self) -> frozenset[int]:
        """The partitions that the group gave us, with a start or without."""

    def generation(self) -> int:
        """The group's count of rebalances as we know it, -1 when expelled or not joined."""

    def seek(self, partition: int, offset: int) -> None:
        """Read this partition from here next (after a rollback, back to what was not counted)."""

    def lag_records(self, partition: int, next_offset: int) -> int | None:
        """Records after `next_offset`, None if not known yet."""

    async def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """The offset behind the last record of each partition, read or not; empty if Kafka is away."""

    async def mirror(self, offsets: Mapping[int, int]) -> None:
        """Tell Kafka how far we are, for tools; failing is harmless."""


class KafkaStream(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """An aiokafka consumer in a group: eager protocol, one assignor, no static membership.

    aiokafka's static membership is half done: its heartbeats carry no instance id, and a dead static
    member would block its partitions as long as a dead ordinary one.

    session_s: seconds without a heartbeat after which the group gives a dead member's partitions away
    """

    name = "kafka-stream"

    def __init__(
        self, connection: Connection, *, topic: str, group: str, owner: Owner, session_s: float = 10
    ) -> None:
        self._connection = connection
        self._session_s = session_s
        self._topic = topic
        self._group = group
        self._owner = owner
        self._consumer: AIOKafkaConsumer | None = None
        self._ours: frozenset[int] = frozenset()
        self._given: frozenset[int] = frozenset()

    async def start(self) -> None:
        logging.getLogger("aiokafka.consumer.group_coordinator").addFilter(_worth_telling)
        consumer = AIOKafkaConsumer(
            **self._connection.arguments(),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            partition_assignment_strategy=[RangePartitionAssignor],
            session_timeout_ms=round(self._session_s * 1000),
            heartbeat_interval_ms=round(self._session_s * 1000 / 4),
            rebalance_timeout_ms=30_000,
            max_poll_interval_ms=300_000,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=1_048_576,
            metadata_max_age_ms=30_000,
        )
        self._consumer = consumer
        consumer.subscribe([self._topic], listener=self)
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await self.stop()
            why = await refusal(self._connection)
            raise Transient(why or f"Kafka is away: {type(error).__name__}.") from error

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._given = frozenset()
        self._set_ours(frozenset())
        if consumer is None:
            return
        stopping = asyncio.create_task(consumer.stop())
        await asyncio.wait({stopping}, timeout=_STOP_S)
        if not stopping.done():
            stopping.cancel()

    async def poll(
        self, partitions: Iterable[int], *, max_records: int, timeout_s: float
    ) -> dict[int, list[Received]]:
        consumer = self._started()
        wanted = [TopicPartition(self._topic, number) for number in partitions if number in self._ours]
        if not wanted:
            # Polling nothing would mean polling everything; the pause also lets a rebalance finish.
            await asyncio.sleep(min(timeout_s, 0.05))
            return {}
        try:
            batches = await consumer.getmany(
                *wanted, max_records=max_records, timeout_ms=round(timeout_s * 1000)
            )
        except OffsetOutOfRangeError as error:
            raise OutOfRange(tp.partition for tp in error.args[0]) from error
        except KafkaError as error:
            raise Transient(f"Kafka could not be read: {type(error).__name__}.") from error
        return {tp.partition: [_received(record) for record in records] for tp, records in batches.items()}

    def assigned(self) -> frozenset[int]:
        return self._ours

    def given(self) -> frozenset[int]:
        return self._given

    def generation(self) -> int:
        # Private in aiokafka, read in this one place; tests/pipeline would notice its disappearance.
        coordinator = self._consumer and self._consumer._coordinator  # noqa: SLF001
        return getattr(coordinator, "generation", -1)

    def seek(self, partition: int, offset: int) -> None:
        if partition in self._ours:
            self._started().seek(TopicPartition(self._topic, partition), offset)

    def lag_records(self, partition: int, next_offset: int) -> int | None:
        tp = TopicPartition(self._topic, partition)
        if self._consumer is None or partition not in self._ours:
            return None
        highwater = self._consumer.highwater(tp)
        return None if highwater is None else max(0, highwater - next_offset)

    async def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        wanted = [TopicPartition(self._topic, number) for number in partitions]
        if self._consumer is None or not wanted:
            return {}
        try:
            async with asyncio.timeout(_STOP_S):
                found = await self._consumer.end_offsets(wanted)
        except (KafkaError, TimeoutError) as error:
            log("kafka.ends_unknown", level="debug", error=type(error).__name__)
            return {}
        return {tp.partition: end for tp, end in found.items()}

    async def mirror(self, offsets: Mapping[int, int]) -> None:
        mine = {
            TopicPartition(self._topic, number): at for number, at in offsets.items() if number in self._ours
        }
        if self._consumer is None or not mine:
            return
        try:
            # Not wait_for: on Python 3.11 it can swallow a cancellation that comes with the result.
            async with asyncio.timeout(_STOP_S):
                await self._consumer.commit(mine)
        except (KafkaError, TimeoutError) as error:
            log("kafka.mirror_failed", level="debug", error=type(error).__name__)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Awaited by aiokafka before it rejoins: the one safe place to drain."""
        self._given = frozenset()
        self._set_ours(frozenset())
        await self._owner.revoked([tp.partition for tp in revoked])

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Start each partition where its owner says, and not where Kafka's mirror is."""
        consumer, partitions = self._started(), list(assigned)
        self._given = frozenset(tp.partition for tp in partitions)
        for tp in partitions:
            # Before the first await: a position stops aiokafka from asking Kafka for a committed
            # offset (which it may not have), and the pause keeps it from fetching there.
            consumer.seek(tp, 0)
            consumer.pause(tp)
        REBALANCES.labels(topic=self._topic).inc()
        PARTITIONS.labels(topic=self._topic).set(len(consumer.partitions_for_topic(self._topic) or ()))
        try:
            starts = await self._owner.assigned(await self._ranges(partitions), self.generation())
        except (KafkaError, OSError) as error:
            # Swallowed by aiokafka if raised here; given without a start, the owner's loop notices.
            log("kafka.assignment_failed", level="error", error=type(error).__name__)
            return
        current = consumer.assignment()
        for tp in partitions:
            if tp.partition in starts and tp in current:
                consumer.seek(tp, starts[tp.partition])
                consumer.resume(tp)
        self._set_ours(
            frozenset(tp.partition for tp in partitions if tp.partition in starts and tp in current)
        )

    async def _ranges(self, partitions: list[TopicPartition]) -> dict[int, Range]:
        consumer = self._started()
        if not partitions:
            return {}
        first = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
        return {tp.partition: Range(first=first[tp], end=end[tp]) for tp in partitions}

    def _set_ours(self, partitions: frozenset[int]) -> None:
        self._ours = partitions
        ASSIGNED.labels(topic=self._topic).set(len(partitions))

    def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise Transient("the Kafka stream is not started")
        return self._consumer


def _worth_telling(line: logging.LogRecord) -> bool:
    """Not what aiokafka calls an error on every first start, while the broker makes its offsets topic."""
    return "GroupCoordinatorNotAvailableError" not in line.getMessage()


def _received(record: ConsumerRecord) -> Received:
    return Received(
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key or b"",
        value=record.value or b"",
        headers=tuple(record.headers),
    )
