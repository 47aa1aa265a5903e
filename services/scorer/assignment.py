"""Which partitions are ours, where each stands, and which ones have halted.

In: what the group assigns and revokes, the offset rows in Postgres. Out: `Partition`s that may be read.
Refuses to guess an offset: one that Kafka no longer has (a topic truncated or made anew) halts the
partition, because going on would skip events without a trace.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.offsets import Claim, Offsets
from services.scorer.poison import PoisonLimit
from shared.database import transaction
from shared.errors import Transient
from shared.kafka.stream import Range
from shared.telemetry import log

_MOST_BACKOFF_S: Final = 5.0


@dataclass(slots=True, kw_only=True)
class Partition:
    """A partition that is ours: the right to it, and how it fares.

    failures: attempts in a row that Postgres did not let through
    halted:   why it is not read any more, empty while it is
    revoked:  the group took it away; a batch that still runs is its last
    lost:     its row is not where we left it; what we have polled of it is left out until that is cleared up
    """

    claim: Claim
    limit: PoisonLimit = field(default_factory=PoisonLimit)
    failures: int = 0
    halted: str = ""
    revoked: bool = False
    lost: bool = False

    @property
    def number(self) -> int:
        return self.claim.partition

    def halt(self, reason: str) -> None:
        """Stop reading it until a person has looked."""
        self.halted = reason
        metrics.HALTED.inc()
        log("scorer.partition_halted", level="error", partition=self.number, reason=reason)


class Assignment:
    """The partitions the group gave us (shared.kafka.stream.Owner), each claimed in Postgres.

    finish:   waits for the batch that runs right now
    claiming: given to us, and claimed as soon as Postgres lets us
    """

    def __init__(
        self, *, offsets: Offsets, database: AsyncEngine, finish: Callable[[], Awaitable[None]]
    ) -> None:
        self._offsets = offsets
        self._database = database
        self._finish = finish
        self.partitions: dict[int, Partition] = {}
        self.claiming: set[int] = set()
        # A rebalance is no person: what was halted here stays so until the process starts anew.
        self._halts: dict[int, tuple[int, str]] = {}

    async def assigned(self, partitions: Mapping[int, Range], generation: int) -> Mapping[int, int]:
        """Claim what the group gave us; Postgres says where each starts."""
        starts: dict[int, int] = {}
        self.claiming = set(partitions)
        for number, readable in partitions.items():
            try:
                claim = await self._claim(number, readable, generation)
            finally:
                self.claiming.discard(number)
            if claim is None:
                continue
            self.partitions[number] = partition = Partition(claim=claim)
            halted_at, reason = self._halts.get(number, (None, ""))
            if halted_at == claim.next_offset:
                partition.halt(reason)
            elif readable.first <= claim.next_offset <= readable.end:
                starts[number] = claim.next_offset
            else:
                partition.halt(
                    f"its next offset is {claim.next_offset}, Kafka has {readable.first} to {readable.end}"
                )
        self._measure()
        log("scorer.assigned", partitions=sorted(starts), generation=generation)
        return starts

    async def revoked(self, partitions: Iterable[int]) -> None:
        """Let running transactions of these partitions end (they are short), then let go."""
        gone = [self.partitions.pop(number) for number in partitions if number in self.partitions]
        for partition in gone:
            partition.revoked = True
            if partition.halted:
                self._halts[partition.number] = (partition.claim.next_offset, partition.halted)
        await self._finish()
        for partition in gone:
            metrics.forget_lag(partition.number)
        self._measure()

    async def recover(self, partition: Partition) -> bool:
        """Find out where a partition really is, after a batch that failed or was fenced.

        A COMMIT whose answer was lost may have arrived: only the row knows. Returns False if the
        partition is not ours any more.
        """
        try:
            async with transaction(self._database) as connection:
                there = await self._offsets.reread(connection, partition.claim)
        except Transient:
            return not partition.revoked  # still away: the next attempt's first statement will tell
        if there is None or partition.revoked:
            self._forget(partition)
            return False
        partition.claim = there
        partition.lost = False
        return True

    async def elsewhere(self) -> list[Partition]:
        """Partitions whose row is not where our last batch left it; none while Postgres is away."""
        mine = {number: partition.claim for number, partition in self.partitions.items()}
        if not mine:
            return []
        try:
            async with transaction(self._database) as connection:
                found = await self._offsets.elsewhere(connection, list(mine.values()))
        except Transient:
            return []
        return [self.partitions[number] for number in found if number in self.partitions]

    def readable(self) -> list[int]:
        """The partitions that may be polled."""
        return [number for number, partition in self.partitions.items() if not partition.halted]

    def trouble(self) -> str:
        """Why we are not consuming all of our partitions, empty if we are: a readiness check."""
        if not self.partitions:
            return "no partition assigned"
        return "; ".join(f"partition {n}: {p.halted}" for n, p in self.partitions.items() if p.halted)

    def _forget(self, partition: Partition) -> None:
        if self.partitions.get(partition.number) is partition:
            del self.partitions[partition.number]
            metrics.forget_lag(partition.number)

    def _measure(self) -> None:
        metrics.HALTED.set(sum(bool(one.halted) for one in self.partitions.values()))

    async def _claim(self, number: int, readable: Range, generation: int) -> Claim | None:
        """Claim one partition, as often as it takes while Postgres is away."""
        failures = 0
        while True:
            try:
                async with transaction(self._database) as connection:
                    return await self._offsets.claim(
                        connection, number, generation=generation, first=readable.first
                    )
            except Transient as error:
                failures += 1
                log("scorer.claim_postponed", level="warning", partition=number, reason=str(error))
                await asyncio.sleep(backoff_s(failures))


def backoff_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row, with jitter so that scorers do not march in step."""
    return min(_MOST_BACKOFF_S, 0.1 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
