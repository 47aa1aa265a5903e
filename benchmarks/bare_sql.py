"""The limit of the scorer: the SQL of its transactions, with everything that Python works out left out.

In: a stage, events. Out: rates of the same batches, in one process without Kafka: as they are counted, and as
nothing but the recorded statements with their values, sent once more to a database as empty as the first.
Refuses to invent statements: they are those that the scorer really sent.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from benchmarks.populate import publish
from benchmarks.stage import ROOT, Setting, Stage, setting
from services.scorer.collector import spare_what_stays
from services.scorer.count import BatchCounter, decode_records
from services.scorer.models.in_force import ModelsInForce
from services.scorer.offsets import Claim, Offsets
from shared import codec
from shared import database as postgres
from shared.events import Event
from shared.ids import SystemIds
from shared.kafka.stream import Received
from shared.leads.identifiers import IdentityRules

_BATCH: Final = 500
_MODEL: Final = ROOT / "deploy" / "config" / "scoring.yaml"
_STATEMENTS: Final = ("fetch", "fetchrow", "fetchval", "execute", "copy_records_to_table")

Statement = tuple[str, tuple[Any, ...], dict[str, Any]]
"""A method of the driver, and what it was called with"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Events per second, CPU microseconds of this process for one; what was sent, and how much a batch."""

    counted_per_s: float
    counted_cpu_us: float
    bare_per_s: float
    per_batch: float
    statements: list[Statement]


class Recorder:
    """A connection that remembers what it was asked."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.statements: list[Statement] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._connection, name)
        if name not in _STATEMENTS:
            return method

        def call(*arguments: Any, **named: Any) -> Any:
            if "records" in named:
                named["records"] = list(named["records"])
            self.statements.append((name, arguments, named))
            return method(*arguments, **named)

        return call


async def measure(on: Stage, events: Sequence[Event]) -> Limit:
    """Count these events, then send the same statements to a fresh database."""
    counted = await setting(on, "counted")
    await _publish(counted.database)
    recorded, counted_s, counted_cpu_s = await count_recorded(counted.database, events)
    bare_s = await _send(await setting(on, "bare_sql"), recorded)
    number = len(events)
    return Limit(
        counted_per_s=number / counted_s,
        counted_cpu_us=counted_cpu_s / number * 1e6,
        bare_per_s=number / bare_s,
        per_batch=sum(map(len, recorded)) / len(recorded),
        statements=[each for some in recorded for each in some],
    )


async def count_recorded(
    url: str, events: Sequence[Event], key: str = "the key of a benchmark"
) -> tuple[list[list[Statement]], float, float]:
    """Count these events under the active model, in batches.

        key:  the installation's identity key

    Returns the statements of each batch, and the seconds on the clock and of CPU that counting took.
    """
    batches = [events[first : first + _BATCH] for first in range(0, len(events), _BATCH)]
    engine = postgres.engine(url, application="leadscore-bench", pool_size=1)
    offsets = Offsets(group="bench", topic="events", owner="bench")
    counter = BatchCounter(
        models=ModelsInForce(changed=spare_what_stays),
        rules=IdentityRules(key=key.encode()),
        topic="events",
        ids=SystemIds(),
    )
    async with postgres.transaction(engine) as connection:
        claim = await offsets.claim(connection, 0, generation=1, first=0)
    assert claim is not None
    recorded = []
    began, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        decoded = decode_records(_records(claim, batch))
        async with postgres.transaction(engine) as connection:
            recorder = Recorder(connection)
            moved = await offsets.advance(recorder, {claim: claim.next_offset + len(batch)})
            report = await counter.count(recorder, decoded, now=moved.now)
            await offsets.tally(recorder, report.tallies)
        recorded.append(recorder.statements)
        claim = Claim(partition=0, epoch=claim.epoch, next_offset=claim.next_offset + len(batch))
    times = time.perf_counter() - began, time.process_time() - cpu
    await engine.dispose()
    return recorded, *times


async def _send(within: Setting, recorded: Sequence[Sequence[Statement]]) -> float:
    """Send what was recorded, a transaction at a time; seconds on the clock."""
    await _publish(within.database)
    engine = postgres.engine(within.database, application="leadscore-bench", pool_size=1)
    async with postgres.transaction(engine) as connection:
        await Offsets(group="bench", topic="events", owner="bench").claim(
            connection, 0, generation=1, first=0
        )
    began = time.perf_counter()
    for statements in recorded:
        async with postgres.transaction(engine) as connection:
            for method, arguments, named in statements:
                await getattr(connection, method)(*arguments, **named)
    seconds = time.perf_counter() - began
    await engine.dispose()
    return seconds


async def _publish(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await publish(connection, _MODEL)
    finally:
        await connection.close()


def _records(claim: Claim, batch: Sequence[Event]) -> Iterator[Received]:
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    for at, event in enumerate(batch):
        yield Received(
            partition=0,
            offset=claim.next_offset + at,
            timestamp_ms=now_ms,
            key=codec.partition_key(event),
            value=codec.encode(event),
        )
