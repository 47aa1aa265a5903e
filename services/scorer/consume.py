"""The conductor: records from Kafka, all that are there at a time, in one transaction.

In: a stream, the partitions that are ours. Out: batches handed to `count`, offsets moved with them.
A partition that somebody else has by now loses only its own records; the others of the batch are counted.
Refuses to go on with a partition whose records are mostly poison: that halts, because it needs a person.
Trouble with Postgres is nobody's fault in the data: the batch is read again later, nothing is dead-lettered.
"""

import asyncio
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics, traced
from services.scorer.assignment import Assignment, Partition, backoff_s
from services.scorer.count import BatchCounter, Decoded, decode_records, pieces
from services.scorer.judge.neighbours import Neighbours
from services.scorer.offsets import Fenced, Offsets
from services.scorer.people.requests import Regroup
from services.scorer.report import Report
from services.scorer.store.identities import IdentityRace
from shared.clock import Clock
from shared.database import transaction
from shared.errors import Invalid, Misconfigured, Transient
from shared.kafka.stream import OutOfRange, Received, Stream
from shared.telemetry import log

if TYPE_CHECKING:
    from shared.traces.otel import Traces

_POLL_S: Final = 0.2
_MIRROR_EVERY_S: Final = 5.0
_STUCK_S: Final = 60.0
_FOLLOW_UP_S: Final = 2.0
_TRIED_WHOLE: Final = 2
_MOST_HALVED: Final = 10
_ORPHANED_S: Final = 30.0
_BEHIND_RECORDS: Final = 500


class Consumer:
    """Reads all partitions that the group gives us; whatever is there at once is one batch."""

    def __init__(
        self,
        *,
        offsets: Offsets,
        database: AsyncEngine,
        counter: BatchCounter,
        clock: Clock,
        traces: "Traces | None" = None,
    ) -> None:
        self._traces = traces
        self.assignment = Assignment(offsets=offsets, database=database, finish=self.finish)
        self._offsets = offsets
        self._database = database
        self.counter = counter
        self.regroup = Regroup(database=database, counter=counter)
        self.neighbours = Neighbours(database=database, counter=counter)
        self._clock = clock
        self._running: asyncio.Task[None] | None = None
        self._last_turn_s = clock.monotonic_s()
        self._orphans_since_s: float | None = None
        self._lag_records = 0
        self._halved = 0

    async def run(self, stream: Stream, *, batch_records: int) -> None:
        """Poll and count until cancelled; raises what a batch raised that nobody foresaw."""
        mirrored_s = self._clock.monotonic_s()
        while True:
            self._last_turn_s = self._clock.monotonic_s()
            if polled := await self._poll(stream, max(1, batch_records >> self._halved)):
                # A task of its own: who cancels us does not cut off a transaction.
                self._running = asyncio.create_task(self._count(stream, polled))
                await asyncio.wait({self._running})
                self._running.result()
            if self._last_turn_s - mirrored_s > _MIRROR_EVERY_S:
                mirrored_s = self._last_turn_s
                await stream.mirror({n: p.claim.next_offset for n, p in self.assignment.partitions.items()})
                await self._look_for_older_database(stream)
                await self._measure_halted(stream)
            self._measure_lag(stream)
            self._refuse_to_idle(stream)

    async def finish(self) -> None:
        """Wait for the transaction that runs, whichever partitions are in it."""
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=5)

    def stuck(self) -> str:
        """Why this process should be killed, empty if the loop turns: a liveness check."""
        still_s = self._clock.monotonic_s() - self._last_turn_s
        return f"the consume loop has not turned for {still_s:.0f} s" if still_s > _STUCK_S else ""

    def behind(self) -> bool:
        """Whether more waits in Kafka than a batch takes at once in quiet times."""
        return self._lag_records > _BEHIND_RECORDS

    async def _poll(self, stream: Stream, batch_records: int) -> dict[int, list[Received]]:
        try:
            return await stream.poll(self.assignment.readable(), max_records=batch_records, timeout_s=_POLL_S)
        except OutOfRange as error:
            for number in error.partitions & self.assignment.partitions.keys():
                partition = self.assignment.partitions[number]
                partition.halt(f"its next offset is {partition.claim.next_offset}, Kafka has none there")
        except Transient as error:
            log("scorer.kafka_away", level="warning", reason=str(error))
            await asyncio.sleep(1.0)
        # What was taken of other partitions before one raised is lost on the way.
        for number in self.assignment.readable():
            stream.seek(number, self.assignment.partitions[number].claim.next_offset)
        return {}

    async def _count(self, stream: Stream, polled: Mapping[int, list[Received]]) -> None:
        """Count what was polled; on trouble, put the stream back to what is not counted yet."""
        records = [record for number, some in polled.items() for record in self._without_gap(number, some)]
        # Those of now: a batch that is refused after they were revoked is told and counted all the same.
        partitions = self._partitions(records)
        try:
            for piece in pieces(decode_records(records)):
                await self._follow_up(await self._commit_or_split(piece))
            for partition in partitions:
                partition.failures = 0
            self._halved = max(0, self._halved - 1)
        except (Transient, IdentityRace, Fenced) as error:
            await self._postpone(partitions, error)
        for partition in self._partitions(records):
            if partition.claim.next_offset <= _last(records, partition.number):
                await self._put_back(stream, partition)

    async def _look_for_older_database(self, stream: Stream) -> None:
        """Read again what the database does not have: it was replaced by an older copy, under our feet.

        The next batch of a partition would notice; one to which nothing comes would never have one.
        """
        for partition in await self.assignment.elsewhere():
            self._lose(partition)
            await self._put_back(stream, partition)

    async def _put_back(self, stream: Stream, partition: Partition) -> None:
        """Have a partition read again from where it really is."""
        if await self.assignment.recover(partition):
            stream.seek(partition.number, partition.claim.next_offset)

    def _without_gap(self, number: int, records: list[Received]) -> list[Received]:
        """Records of a partition from where it stands; none if Kafka has lost some before them."""
        partition = self.assignment.partitions.get(number)
        if partition is None or partition.revoked or partition.halted:
            return []
        expected = partition.claim.next_offset
        records = [record for record in records if record.offset >= expected]
        if records and records[0].offset > expected:
            partition.halt(f"offsets {expected} to {records[0].offset - 1} are missing in Kafka")
            return []
        return records

    def _partitions(self, records: Iterable[Received]) -> list[Partition]:
        """Those of these records that are still ours."""
        numbers = dict.fromkeys(record.partition for record in records)
        mine = self.assignment.partitions
        return [mine[number] for number in numbers if number in mine]

    async def _commit_or_split(self, batch: Sequence[Decoded]) -> list[Report]:
        """Commit a batch; if it holds poison, halve it until the one record stands alone."""
        batch = [one for one in batch if self._is_next(one.record)]
        if not batch:
            return []
        try:
            return [await self._commit(batch)]
        except (Transient, IdentityRace, Fenced, Misconfigured):
            raise
        except Exception as error:  # noqa: BLE001 - whatever one record breaks, its neighbours go on
            if len(batch) > 1:
                half = len(batch) // 2
                first = await self._commit_or_split(batch[:half])
                return first + await self._commit_or_split(batch[half:])
            _log_poison(batch[0].record, error)
            return [await self._commit([batch[0].rejected(_poison(error))])]

    async def _follow_up(self, reports: Sequence[Report]) -> None:
        """Do what committed batches ask for: what breaks here is none of their records' fault."""
        if any(report.to_regroup for report in reports):
            await self.regroup.work_off(within_s=_FOLLOW_UP_S)
        if any(report.to_look for report in reports):
            await self.neighbours.work_off()

    def _is_next(self, record: Received) -> bool:
        """Whether a record is still to be counted by us: its partition may be lost, halted, or put back."""
        partition = self.assignment.partitions.get(record.partition)
        return (
            partition is not None
            and not (partition.revoked or partition.halted or partition.lost)
            and record.offset >= partition.claim.next_offset
        )

    async def _commit(self, batch: Sequence[Decoded]) -> Report:
        """The transaction: offsets first, then everything else, then the books."""
        partitions = self._partitions(one.record for one in batch)
        records = [one.record for one in batch]
        moves = {one.claim: _last(records, one.number) + 1 for one in partitions}
        traces, topic = self._traces, self._offsets.topic
        with metrics.BATCH_SECONDS.time(), traced.counting(traces, topic, batch) as contexts:
            async with transaction(self._database) as connection:
                moved = await self._offsets.advance(connection, moves)
                kept = [one for one in batch if one.record.partition in moved.partitions]
                report = await self.counter.count(connection, kept, now=moved.now, contexts=contexts)
                await self._offsets.tally(connection, report.tallies)
        for partition in partitions:
            if partition.number in moved.partitions:
                partition.claim = replace(partition.claim, next_offset=moves[partition.claim])
            else:
                self._lose(partition)
        metrics.note(report)
        self._note(kept, moved.now)
        _tell_set_aside(report)
        return report

    def _lose(self, partition: Partition) -> None:
        """Another process has the partition, or the batch was committed already: leave its records out."""
        partition.lost = True
        metrics.RETRIES.labels(reason="fenced").inc()
        log("scorer.fenced", level="warning", partition=partition.number)

    def _note(self, batch: Sequence[Decoded], now: datetime) -> None:
        """Latencies and the poison limit, only after the commit."""
        metrics.BATCH_EVENTS.observe(len(batch))
        done = self._clock.now()
        for one in batch:
            partition = self.assignment.partitions.get(one.record.partition)
            if partition:
                partition.limit.saw(poison=isinstance(one.content, Invalid))
            if isinstance(one.content, Invalid):
                metrics.DEAD_LETTERS.labels(code=one.content.code).inc()
            else:
                age_s = (done - one.content.received_at).total_seconds()
                metrics.EVENT_TO_SCORE_SECONDS.observe(max(0.0, age_s))
        newest = {one.record.partition: one.record.timestamp_ms for one in batch}
        for number, timestamp_ms in newest.items():
            lag_s = max(0.0, now.timestamp() - timestamp_ms / 1000)
            metrics.LAG_SECONDS.labels(partition=str(number)).set(lag_s)
        for partition in self._partitions(one.record for one in batch):
            if partition.limit.exceeded and not partition.halted:
                partition.halt("too many of its records could not be processed; see dead_letters")

    async def _postpone(self, partitions: Sequence[Partition], error: Exception) -> None:
        """Say why a batch was rolled back, and wait if waiting can help."""
        if isinstance(error, Fenced):
            for partition in partitions:
                self._lose(partition)
            return
        for partition in partitions:
            partition.failures += 1
        failures = max((partition.failures for partition in partitions), default=1)
        # What is too much for one transaction is too much again. Each that gets through doubles the next.
        self._halved = min(self._halved + (failures > _TRIED_WHOLE), _MOST_HALVED)
        reason = "postgres" if isinstance(error, Transient) else "identity_race"
        metrics.RETRIES.labels(reason=reason).inc()
        if isinstance(error, Transient):
            log("scorer.batch_postponed", level="warning", reason=str(error))
        await asyncio.sleep(backoff_s(failures))

    def _refuse_to_idle(self, stream: Stream) -> None:
        """End the process if the group gave us a partition and we could not claim it, or lost the claim.

        A restart joins anew and gets a fresh claim; waiting would leave the partition unread.
        """
        orphans = stream.given() - self.assignment.partitions.keys() - self.assignment.claiming
        now_s = self._clock.monotonic_s()
        self._orphans_since_s = (self._orphans_since_s or now_s) if orphans else None
        if self._orphans_since_s is not None and now_s - self._orphans_since_s > _ORPHANED_S:
            raise Fenced(f"partitions {sorted(orphans)} are given to us but not claimed by us")

    async def _measure_halted(self, stream: Stream) -> None:
        """What waits in partitions that nobody reads: their consumer does not hear of what comes."""
        halted = [number for number, one in self.assignment.partitions.items() if one.halted]
        for number, end in (await stream.ends(halted)).items():
            if partition := self.assignment.partitions.get(number):
                lag = max(0, end - partition.claim.next_offset)
                metrics.LAG_RECORDS.labels(partition=str(number)).set(lag)

    def _measure_lag(self, stream: Stream) -> None:
        """What waits to be counted by us; partitions that have halted wait for a person."""
        self._lag_records = 0
        for number in self.assignment.readable():
            partition = self.assignment.partitions[number]
            lag = stream.lag_records(number, partition.claim.next_offset)
            if lag is not None:
                self._lag_records += lag
                metrics.LAG_RECORDS.labels(partition=str(number)).set(lag)
            if lag == 0:
                metrics.LAG_SECONDS.labels(partition=str(number)).set(0)


def _last(records: Iterable[Received], partition: int) -> int:
    """The offset of the last of these records that is of this partition."""
    return max(record.offset for record in records if record.partition == partition)


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
