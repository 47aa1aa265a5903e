"""Fakes of our own ports, for unit tests; each passes the suite of the real one (tests/conformance/).

In: what the test sets. Out: the same promises as the real part, in memory and in no time.
Refuses to stand in for Kafka or Postgres in a running service: nothing outside tests imports this.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.errors import Invalid, Transient
from shared.kafka.publish import MAX_RECORD_BYTES, Record
from shared.kafka.stream import OutOfRange, Owner, Range, Received

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class FrozenClock:
    """A clock that moves only when told."""

    def __init__(self, now: datetime = EPOCH) -> None:
        self._now = now
        self._monotonic_s = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def advance(self, step: timedelta) -> None:
        """Move both clocks forward."""
        self._now += step
        self._monotonic_s += step.total_seconds()


class SequentialIds:
    """Ids 1, 2, 3 …, so that a test can name them."""

    def __init__(self) -> None:
        self._last = 0

    def fresh(self) -> UUID:
        self._last += 1
        return UUID(int=self._last)


class MemoryBroker:
    """A publisher that keeps its records, and can be away.

    away: while True every publish raises Transient, as Kafka does after the deadline
    """

    name = "memory-broker"

    def __init__(self, *, partitions: int = 3) -> None:
        self.partitions = partitions
        self.records: list[Record] = []
        self.logs: defaultdict[str, dict[int, list[Received]]] = defaultdict(
            lambda: {number: [] for number in range(partitions)}
        )
        self.away = False
        self._started = False
        self._changed = asyncio.Event()

    async def start(self) -> None:
        self._started = True

    async def stop(self) -> None:
        self._started = False

    async def publish(self, records: Sequence[Record], *, deadline_s: float) -> None:
        if not self._started or self.away:
            raise Transient(f"Kafka did not acknowledge within {deadline_s:g} s. Send again.")
        if any(len(record.value) > MAX_RECORD_BYTES for record in records):
            raise Invalid("too_large", f"a record is larger than the {MAX_RECORD_BYTES} bytes Kafka takes.")
        for record in records:
            self._append(record)
        self._changed.set()

    def trouble(self) -> str:
        return "" if self._started and not self.away else "not connected to Kafka"

    def on(self, topic: str) -> list[Record]:
        """What was published to one topic, in order."""
        return [record for record in self.records if record.topic == topic]

    async def changed(self, timeout_s: float) -> None:
        """Return when something is published, or after the timeout."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()

    def _append(self, record: Record) -> None:
        self.records.append(record)
        partition = sum(record.key) % self.partitions
        log = self.logs[record.topic][partition]
        log.append(
            Received(
                partition=partition,
                offset=len(log),
                timestamp_ms=0,
                key=record.key,
                value=record.value,
                headers=tuple(record.headers),
            )
        )


class MemoryStream:
    """A stream over a MemoryBroker's topic; the only member of its group."""

    name = "memory-stream"

    def __init__(self, broker: MemoryBroker, *, topic: str, owner: Owner) -> None:
        self._broker = broker
        self._log = broker.logs[topic]
        self._owner = owner
        self._positions: dict[int, int] = {}
        self._generation = 0
        self._given: frozenset[int] = frozenset()
        self.mirrored: dict[int, int] = {}

    async def start(self) -> None:
        if self._broker.away:
            raise Transient("Kafka is away.")
        await self.rebalance()

    async def stop(self) -> None:
        self._positions = {}

    async def rebalance(self) -> None:
        """Take all partitions away and give them back, as a joining and leaving member would."""
        if self._positions:
            revoked, self._positions = list(self._positions), {}
            await self._owner.revoked(revoked)
        ranges = {number: Range(first=0, end=len(records)) for number, records in self._log.items()}
        self._generation += 1
        self._given = frozenset(ranges)
        self._positions = dict(await self._owner.assigned(ranges, self._generation))

    async def poll(
        self, partitions: Iterable[int], *, max_records: int, timeout_s: float
    ) -> dict[int, list[Received]]:
        wanted = list(partitions)
        found = self._take(wanted, max_records)
        if not found:
            await self._broker.changed(timeout_s)
            # A rebalance may have taken some away meanwhile.
            found = self._take(wanted, max_records)
        return found

    def assigned(self) -> frozenset[int]:
        return frozenset(self._positions)

    def given(self) -> frozenset[int]:
        return self._given

    def generation(self) -> int:
        return self._generation

    def seek(self, partition: int, offset: int) -> None:
        if partition in self._positions:
            self._positions[partition] = offset

    def lag_records(self, partition: int, next_offset: int) -> int | None:
        return len(self._log[partition]) - next_offset if partition in self._positions else None

    async def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        return {number: len(self._log[number]) for number in partitions}

    async def mirror(self, offsets: Mapping[int, int]) -> None:
        self.mirrored.update(offsets)

    def _take(self, partitions: list[int], max_records: int) -> dict[int, list[Received]]:
        found: dict[int, list[Received]] = {}
        for number in partitions:
            if number not in self._positions:
                continue
            start = self._positions[number]
            if start > len(self._log[number]):
                raise OutOfRange([number])
            if records := self._log[number][start : start + max_records]:
                found[number] = records
                self._positions[number] = start + len(records)
                max_records -= len(records)
            if max_records <= 0:
                break
        return found
