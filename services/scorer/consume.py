"""The conductor: records from Kafka, a partition's batch at a time, each in one transaction.

In: a stream, the partitions that are ours. Out: batches handed to `count`, offsets moved with them.
Refuses to go on with a partition whose records are mostly poison: that halts, because it needs a person.
Trouble with Postgres is nobody's fault in the data: the batch is read again later, nothing is dead-lettered.
"""

import asyncio
import traceback
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.assignment import Assignment, Partition, backoff_s
from services.scorer.count import BatchCounter, Decoded, decode_records, pieces
from services.scorer.offsets import Fenced, Offsets
from services.scorer.regroup import Regroup
from services.scorer.report import Report
from services.scorer.store.identities import IdentityRace
from shared.clock import Clock
from shared.database import transaction
from shared.errors import Invalid, Misconfigured, Transient
from shared.kafka.stream import Received, Stream
from shared.telemetry import log

_POLL_S: Final = 0.2
_MIRROR_EVERY_S: Final = 5.0
_STUCK_S: Final = 60.0
_ORPHANED_S: Final = 30.0


class Consumer:
    """Reads all partitions that the group gives us, `lanes` of them at the same time."""

    def __init__(
        self, *, offsets: Offsets, database: AsyncEngine, counter: BatchCounter, clock: Clock
    ) -> None:
        self.assignment = Assignment(offsets=offsets, database=database, finish=self.finish)
        self._offsets = offsets
        self._database = database
        self.counter = counter
        self.regroup = Regroup(database=database, counter=counter)
        self._clock = clock
        self._running: dict[int, asyncio.Task[None]] = {}
        self._last_turn_s = clock.monotonic_s()
        self._orphans_since_s: float | None = None

    async def run(self, stream: Stream, *, batch_records: int, lanes: int) -> None:
        """Poll and count until cancelled; raises what a batch raised that nobody foresaw."""
        mirrored_s = self._clock.monotonic_s()
        while True:
            self._last_turn_s = self._clock.monotonic_s()
            await self._until_lane_free(lanes)
            for number, records in (await self._poll(stream, batch_records)).items():
                self._running[number] = asyncio.create_task(self._count(stream, number, records))
            if self._last_turn_s - mirrored_s > _MIRROR_EVERY_S:
                mirrored_s = self._last_turn_s
                await stream.mirror({n: p.claim.next_offset for n, p in self.assignment.partitions.items()})
            self._measure_lag(stream)
            self._refuse_to_idle(stream)

    async def finish(self, partitions: Iterable[int] | None = None) -> None:
        """Wait for the transactions that run: of these partitions, or all at the end of a clean stop."""
        wanted = set(self._running if partitions is None else partitions)
        if tasks := [task for number, task in self._running.items() if number in wanted]:
            await asyncio.wait(tasks, timeout=5)

    def stuck(self) -> str:
        """Why this process should be killed, empty if the loop turns: a liveness check."""
        still_s = self._clock.monotonic_s() - self._last_turn_s
        return f"the consume loop has not turned for {still_s:.0f} s" if still_s > _STUCK_S else ""

    async def _poll(self, stream: Stream, batch_records: int) -> dict[int, list[Received]]:
        idle = [number for number in self.assignment.readable() if number not in self._running]
        try:
            return await stream.poll(idle, max_records=batch_records, timeout_s=_POLL_S)
        except Transient as error:
            log("scorer.kafka_away", level="warning", reason=str(error))
            await asyncio.sleep(1.0)
            return {}

    async def _until_lane_free(self, lanes: int) -> None:
        """Wait until fewer than `lanes` batches run; one that failed unforeseen ends the process."""
        while True:
            for number in [number for number, task in self._running.items() if task.done()]:
                self._running.pop(number).result()
            if len(self._running) < lanes:
                return
            await asyncio.wait(self._running.values(), return_when=asyncio.FIRST_COMPLETED)

    async def _count(self, stream: Stream, number: int, records: list[Received]) -> None:
        """Count one batch; on trouble, put the stream back to what is not counted yet."""
        partition = self.assignment.partitions.get(number)
        if partition is None or partition.revoked:
            return
        expected = partition.claim.next_offset
        records = [record for record in records if record.offset >= expected]
        if records and records[0].offset > expected:
            partition.halt(f"offsets {expected} to {records[0].offset - 1} are missing in Kafka")
        if not records or partition.halted:
            return
        try:
            for piece in pieces(decode_records(records)):
                await self._commit_or_split(partition, piece)
            partition.failures = 0
        except (Transient, IdentityRace, Fenced) as error:
            await self._postpone(partition, error)
            if await self.assignment.recover(partition):
                stream.seek(number, partition.claim.next_offset)

    async def _commit_or_split(self, partition: Partition, batch: list[Decoded]) -> None:
        """Commit a batch; if it holds poison, halve it until the one record stands alone."""
        if partition.halted:
            return
        try:
            await self._commit(partition, batch)
        except (Transient, IdentityRace, Fenced, Misconfigured):
            raise
        except Exception as error:  # noqa: BLE001 - whatever one record breaks, its neighbours go on
            if len(batch) > 1:
                half = len(batch) // 2
                await self._commit_or_split(partition, batch[:half])
                await self._commit_or_split(partition, batch[half:])
                return
            _log_poison(batch[0].record, error)
            await self._commit(partition, [batch[0].rejected(_poison(error))])

    async def _commit(self, partition: Partition, batch: list[Decoded]) -> None:
        """The transaction: offset first, then everything else, then the books."""
        claim = partition.claim
        to = batch[-1].record.offset + 1
        with metrics.BATCH_SECONDS.time():
            async with transaction(self._database) as connection:
                now = await self._offsets.advance(connection, claim, to=to)
                report = await self.counter.count(connection, batch, now=now)
                await self._offsets.tally(connection, claim, report.tally)
        partition.claim = replace(claim, next_offset=to)
        metrics.note(report)
        self._note(partition, batch, now)
        _tell_set_aside(report)
        if report.to_regroup:
            await self.regroup.work_off()

    def _note(self, partition: Partition, batch: list[Decoded], now: datetime) -> None:
        """Latencies and the poison limit, only after the commit."""
        metrics.BATCH_EVENTS.observe(len(batch))
        done = self._clock.now()
        for one in batch:
            partition.limit.saw(poison=isinstance(one.content, Invalid))
            if isinstance(one.content, Invalid):
                metrics.DEAD_LETTERS.labels(code=one.content.code).inc()
            else:
                age_s = (done - one.content.received_at).total_seconds()
                metrics.EVENT_TO_SCORE_SECONDS.observe(max(0.0, age_s))
        lag_s = max(0.0, now.timestamp() - batch[-1].record.timestamp_ms / 1000)
        metrics.LAG_SECONDS.labels(partition=str(partition.number)).set(lag_s)
        if partition.limit.exceeded:
            partition.halt("too many of its records could not be processed; see dead_letters")

    async def _postpone(self, partition: Partition, error: Exception) -> None:
        """Say why a batch was rolled back, and wait if waiting can help."""
        if isinstance(error, Transient):
            partition.failures += 1
            metrics.RETRIES.labels(reason="postgres").inc()
            log("scorer.batch_postponed", level="warning", partition=partition.number, reason=str(error))
            await asyncio.sleep(backoff_s(partition.failures))
        elif isinstance(error, Fenced):
            metrics.RETRIES.labels(reason="fenced").inc()
            log("scorer.fenced", level="warning", partition=partition.number)
        else:
            partition.failures += 1
            metrics.RETRIES.labels(reason="identity_race").inc()
            await asyncio.sleep(backoff_s(partition.failures))

    def _refuse_to_idle(self, stream: Stream) -> None:
        """End the process if the group gave us a partition and we could not claim it, or lost the claim.

        A restart joins anew and gets a fresh claim; waiting would leave the partition unread.
        """
        orphans = stream.given() - self.assignment.partitions.keys()
        now_s = self._clock.monotonic_s()
        self._orphans_since_s = (self._orphans_since_s or now_s) if orphans else None
        if self._orphans_since_s is not None and now_s - self._orphans_since_s > _ORPHANED_S:
            raise Fenced(f"partitions {sorted(orphans)} are given to us but not claimed by us")

    def _measure_lag(self, stream: Stream) -> None:
        for number, partition in self.assignment.partitions.items():
            lag = stream.lag_records(number, partition.claim.next_offset)
            if lag is not None:
                metrics.LAG_RECORDS.labels(partition=str(number)).set(lag)
            if lag == 0:
                metrics.LAG_SECONDS.labels(partition=str(number)).set(0)


def _tell_set_aside(report: Report) -> None:
    """Name what is not believed any more, as `leadscore lead release` takes it."""
    for one in report.suspended:
        log("scorer.identifier_suspended", level="warning", kind=one.kind, identifier=one.value.hex())
    for one in report.shared:
        log("scorer.device_shared", level="info", identifier=one.value.hex())


def _log_poison(record: Received, error: Exception) -> None:
    """Where our code broke, without what the record said."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log(
        "scorer.poison",
        level="error",
        partition=record.partition,
        offset=record.offset,
        error=type(error).__name__,
        where=f"{frame.filename}:{frame.lineno}",
    )


def _poison(error: Exception) -> Invalid:
    """What a dead letter says about a record that broke us: the kind of fault, not its data."""
    return Invalid(
        "unprocessable", f"counting it failed with {type(error).__name__}. Mend the cause, then replay it."
    )
