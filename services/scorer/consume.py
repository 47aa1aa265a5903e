"""The conductor: records from Kafka, a partition's batch at a time, each in one transaction.

In: a stream, the partitions' offset rows. Out: batches handed to `count`, offsets moved with them.
Refuses to go on with a partition whose records are mostly poison, or whose next offset Kafka no longer
has: it halts that partition and says so, because both need a person.
Trouble with Postgres is nobody's fault in the data: the batch is read again later, nothing is dead-lettered.
"""

import asyncio
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.count import Counter, Decoded, decode_records
from services.scorer.offsets import Claim, Fenced, Offsets
from services.scorer.poison import PoisonLimit
from services.scorer.store.identities import IdentityRace
from shared.clock import Clock
from shared.database import transaction
from shared.errors import Invalid, Transient
from shared.kafka.stream import Range, Received, Stream
from shared.telemetry import log

_POLL_S: Final = 0.2
_MIRROR_EVERY_S: Final = 5.0
_STUCK_S: Final = 60.0
_ORPHANED_S: Final = 30.0
_MOST_BACKOFF_S: Final = 5.0


@dataclass(slots=True, kw_only=True)
class Partition:
    """A partition that is ours: the right to it, and how it fares."""

    claim: Claim
    limit: PoisonLimit
    failures: int = 0
    halted: str = ""
    revoked: bool = False


class Consumer:
    """Reads all partitions that the group gives us, `lanes` of them at the same time."""

    name = "consumer"

    def __init__(self, *, offsets: Offsets, database: AsyncEngine, counter: Counter, clock: Clock) -> None:
        self._offsets = offsets
        self._database = database
        self._counter = counter
        self._clock = clock
        self._partitions: dict[int, Partition] = {}
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._last_turn_s = clock.monotonic_s()
        self._orphans_since: float | None = None

    async def run(self, stream: Stream, *, batch_records: int, lanes: int) -> None:
        """Poll and count until cancelled; raises what a batch raised that nobody foresaw."""
        mirrored_s = self._clock.monotonic_s()
        while True:
            self._last_turn_s = self._clock.monotonic_s()
            await self._until_lane_free(lanes)
            batches = await self._poll(stream, batch_records)
            for number, records in batches.items():
                self._busy[number] = asyncio.create_task(self._count(stream, number, records))
            if self._last_turn_s - mirrored_s > _MIRROR_EVERY_S:
                mirrored_s = self._last_turn_s
                await stream.mirror({n: p.claim.next_offset for n, p in self._partitions.items()})
            self._measure_lag(stream)
            self._refuse_to_idle(stream)

    def trouble(self) -> str:
        """Why we are not consuming, empty if we are: a readiness check."""
        if not self._partitions:
            return "no partition assigned"
        halted = [f"partition {n}: {p.halted}" for n, p in self._partitions.items() if p.halted]
        return "; ".join(halted)

    def stuck(self) -> str:
        """Why this process should be killed, empty if the loop turns: a liveness check."""
        still_s = self._clock.monotonic_s() - self._last_turn_s
        return f"the consume loop has not turned for {still_s:.0f} s" if still_s > _STUCK_S else ""

    async def _poll(self, stream: Stream, batch_records: int) -> dict[int, list[Received]]:
        free = [n for n, p in self._partitions.items() if n not in self._busy and not p.halted]
        try:
            return await stream.poll(free, max_records=batch_records, timeout_s=_POLL_S)
        except Transient as error:
            log("scorer.kafka_away", level="warning", reason=str(error))
            await asyncio.sleep(1.0)
            return {}

    async def _until_lane_free(self, lanes: int) -> None:
        """Wait until fewer than `lanes` batches run; a batch that failed unforeseen ends the process."""
        while True:
            for number in [n for n, task in self._busy.items() if task.done()]:
                self._busy.pop(number).result()
            if len(self._busy) < lanes:
                return
            await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)

    async def _count(self, stream: Stream, number: int, records: list[Received]) -> None:
        """Count one batch; on trouble, put the stream back to what is not counted yet."""
        partition = self._partitions.get(number)
        if partition is None or partition.revoked:
            return
        records = [record for record in records if record.offset >= partition.claim.next_offset]
        if not records or self._has_gap(partition, records):
            return
        try:
            await self._count_or_split(partition, decode_records(records))
            partition.failures = 0
        except (Transient, IdentityRace) as error:
            await self._try_again(stream, partition, error)
        except Fenced:
            await self._reclaim(stream, partition)

    async def _count_or_split(self, partition: Partition, batch: list[Decoded]) -> None:
        """Count a batch; if it holds poison, halve it until the one record stands alone."""
        try:
            await self._commit(partition, batch)
        except (Transient, IdentityRace, Fenced):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a record breaks, its neighbours go on
            if len(batch) > 1:
                half = len(batch) // 2
                await self._count_or_split(partition, batch[:half])
                await self._count_or_split(partition, batch[half:])
                return
            log(
                "scorer.poison",
                level="error",
                error=type(error).__name__,
                partition=partition.claim.partition,
                offset=batch[0].record.offset,
            )
            await self._commit(partition, [batch[0].rejected(_poison(error))])

    async def _commit(self, partition: Partition, batch: list[Decoded]) -> None:
        """The transaction: offset first, then everything else, then the books."""
        claim = partition.claim
        to = batch[-1].record.offset + 1
        with metrics.BATCH_SECONDS.time():
            async with transaction(self._database) as connection:
                now = await self._offsets.advance(connection, claim, to=to)
                report = await self._counter.count(connection, batch, now=now)
                await self._offsets.tally(connection, claim, report.tally)
        partition.claim = replace(claim, next_offset=to)
        metrics.note(report)
        self._note(partition, batch, now)

    def _note(self, partition: Partition, batch: list[Decoded], now: datetime) -> None:
        """Metrics and the poison limit, only after the commit."""
        metrics.BATCH_EVENTS.observe(len(batch))
        done = self._clock.now()
        for one in batch:
            if isinstance(one.content, Invalid):
                metrics.DEAD_LETTERS.labels(code=one.content.code).inc()
            else:
                age_s = (done - one.content.received_at).total_seconds()
                metrics.EVENT_TO_SCORE_SECONDS.observe(max(0.0, age_s))
            partition.limit.saw(poison=isinstance(one.content, Invalid))
        metrics.LAG_SECONDS.labels(partition=str(partition.claim.partition)).set(
            max(0.0, now.timestamp() - batch[-1].record.timestamp_ms / 1000)
        )
        if partition.limit.exceeded:
            self._halt(partition, "too many records in a row could not be processed; see dead_letters")

    async def _try_again(self, stream: Stream, partition: Partition, error: Exception) -> None:
        """Back off, find out where the partition really is (a COMMIT may have arrived), read from there."""
        reason = "identity_race" if isinstance(error, IdentityRace) else "postgres"
        metrics.RETRIES.labels(reason=reason).inc()
        if reason == "postgres":
            partition.failures += 1
            log(
                "scorer.batch_postponed",
                level="warning",
                partition=partition.claim.partition,
                reason=str(error),
            )
            await asyncio.sleep(_backoff_s(partition.failures))
        try:
            async with transaction(self._database) as connection:
                there = await self._offsets.reread(connection, partition.claim)
        except Transient:
            there = partition.claim  # still away; the next attempt's first statement will tell
        if there is None:
            self._forget(partition)
            return
        partition.claim = there
        stream.seek(there.partition, there.next_offset)

    async def _reclaim(self, stream: Stream, partition: Partition) -> None:
        """Fenced: go on only where the row says, and only if no newer generation has it."""
        metrics.RETRIES.labels(reason="fenced").inc()
        log("scorer.fenced", level="warning", partition=partition.claim.partition)
        try:
            async with transaction(self._database) as connection:
                there = await self._offsets.reread(connection, partition.claim)
        except Transient:
            there = None
        if there is None or partition.revoked:
            self._forget(partition)
            return
        partition.claim = there
        stream.seek(there.partition, there.next_offset)

    def _has_gap(self, partition: Partition, records: list[Received]) -> bool:
        """Whether Kafka skipped over offsets we never saw: then events are missing."""
        expected, first = partition.claim.next_offset, records[0].offset
        if first > expected:
            self._halt(partition, f"offsets {expected} to {first - 1} are missing in Kafka")
        return first > expected

    def _halt(self, partition: Partition, reason: str) -> None:
        partition.halted = reason
        log("scorer.partition_halted", level="error", partition=partition.claim.partition, reason=reason)
        metrics.HALTED.set(sum(bool(one.halted) for one in self._partitions.values()))

    def _forget(self, partition: Partition) -> None:
        """Not ours any more; a rebalance will bring whatever is."""
        if self._partitions.get(partition.claim.partition) is partition:
            del self._partitions[partition.claim.partition]

    def _refuse_to_idle(self, stream: Stream) -> None:
        """End the process if the group says a partition is ours and the offset row says it is not.

        A restart joins anew and gets a fresh claim; waiting would leave the partition unread.
        """
        orphans = stream.assigned() - self._partitions.keys()
        now_s = self._clock.monotonic_s()
        self._orphans_since = (self._orphans_since or now_s) if orphans else None
        if self._orphans_since is not None and now_s - self._orphans_since > _ORPHANED_S:
            raise Fenced(f"partitions {sorted(orphans)} are assigned to us but owned by another process")

    def _measure_lag(self, stream: Stream) -> None:
        for number, partition in self._partitions.items():
            lag = stream.lag_records(number, partition.claim.next_offset)
            if lag is None:
                continue
            metrics.LAG_RECORDS.labels(partition=str(number)).set(lag)
            if lag == 0:
                metrics.LAG_SECONDS.labels(partition=str(number)).set(0)

    async def assigned(self, partitions: Mapping[int, Range], generation: int) -> Mapping[int, int]:
        """Claim what the group gave us; Postgres says where each starts."""
        starts: dict[int, int] = {}
        for number, readable in partitions.items():
            claim = await self._claim(number, readable, generation)
            if claim is None:
                continue
            partition = Partition(claim=claim, limit=PoisonLimit())
            self._partitions[number] = partition
            starts[number] = claim.next_offset
            if not readable.first <= claim.next_offset <= readable.end:
                self._halt(
                    partition,
                    f"the next offset is {claim.next_offset}, Kafka has {readable.first} to {readable.end}",
                )
                del starts[number]
        log("scorer.assigned", partitions=sorted(starts), generation=generation)
        return starts

    async def revoked(self, partitions: Iterable[int]) -> None:
        """Let running transactions of these partitions end (they are short), then let go."""
        gone = [self._partitions.pop(number) for number in partitions if number in self._partitions]
        for partition in gone:
            partition.revoked = True
        running = [self._busy[p.claim.partition] for p in gone if p.claim.partition in self._busy]
        if running:
            await asyncio.wait(running, timeout=5)

    async def drain(self) -> None:
        """Wait for the transactions that run: the end of a clean stop."""
        if self._busy:
            await asyncio.wait(self._busy.values(), timeout=10)

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
                await asyncio.sleep(_backoff_s(failures))


def _backoff_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row, with jitter so that lanes do not march in step."""
    return min(_MOST_BACKOFF_S, 0.1 * 2.0**failures) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def _poison(error: Exception) -> Invalid:
    """What a dead letter says about a record that broke us: the kind of fault, not its data."""
    return Invalid(
        "unprocessable", f"counting it failed with {type(error).__name__}. Mend the cause, then replay it."
    )
