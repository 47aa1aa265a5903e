"""The scorer: how many events per second it counts while there is always more to do.

In: a stage. Out: a `Backlog`. Refuses to time the start of the process: the clock runs from the first batch
that is committed to the last one.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from aiokafka import AIOKafkaProducer

from benchmarks.stage import Setting, Stage, service, setting
from shared import codec, ids
from shared.events import PAGE_VIEWED, PERSON_IDENTIFIED, Event

_EVENTS_PER_LEAD: Final = 5
_PATHS: Final = ("/", "/pricing", "/product/scoring", "/docs/start")
_SPAN: Final = timedelta(days=20)
_LIMIT_S: Final = 150.0
_LOOK_S: Final = 0.05
_UNSENT: Final = 5_000

_PROCESSED: Final = (
    "SELECT coalesce(sum(counted + duplicate + quarantined), 0)::bigint FROM partition_offsets"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What the scorer did; `cpu_us` is its own CPU time per event."""

    events: int
    leads: int
    per_s: float
    cpu_us: float
    peak_bytes: int


async def measure(on: Stage, events: int) -> Backlog:
    """Fill the topic, start one scorer, wait until it has counted everything.

    Raises TimeoutError if that takes more than two and a half minutes.
    """
    within = await setting(on, "backlog")
    await _produce(within, events)
    watching = asyncio.create_task(_watch(within, events))
    async with service(within, "scorer") as scorer:
        per_s = await watching
        return Backlog(
            events=events,
            leads=events // _EVENTS_PER_LEAD,
            per_s=per_s,
            cpu_us=scorer.cpu_s() / events * 1e6,
            peak_bytes=scorer.peak_bytes(),
        )


def backlog(number: int, now: datetime) -> Iterator[Event]:
    """So many events of a fifth as many leads, in time order; each lead's third event makes it known."""
    leads = max(1, number // _EVENTS_PER_LEAD)
    for at in range(number):
        lead, round_ = at % leads, at // leads
        yield _event(lead, round_, now - _SPAN + _SPAN * (at / number), now)


def _event(lead: int, round_: int, at: datetime, now: datetime) -> Event:
    known = round_ >= 2
    person = f"bench-{lead}"
    path = _PATHS[(lead + round_) % len(_PATHS)]
    traits = {"email": f"{person}@company.example", "company": "Company", "employees": lead % 500}
    return Event(
        event_id=ids.event_id("product", f"{person}-{round_}"),
        source="product",
        kind="web",
        name=PERSON_IDENTIFIED if round_ == 2 else PAGE_VIEWED,
        occurred_at=at,
        received_at=now,
        anonymous_id=person,
        user_id=f"user-{lead}" if known else None,
        email=f"{person}@company.example" if round_ == 2 else None,
        traits=traits if round_ == 2 else {},
        properties={"path": path, "title": "A page of the website"},
        context={"page": {"url": f"https://www.example.com{path}", "path": path}},
    )


async def _produce(within: Setting, number: int) -> None:
    """Put the backlog into the events topic and return when all of it is there."""
    producer = AIOKafkaProducer(**within.kafka.arguments(), linger_ms=20, max_batch_size=262_144)
    await producer.start()
    try:
        acks: list[asyncio.Future[object]] = []
        for event in backlog(number, datetime.now(UTC)):
            ack = await producer.send(
                within.topics.events,
                key=codec.partition_key(event),
                value=codec.encode(event),
                headers=codec.cloudevent_headers(event),
            )
            acks.append(ack)
            if len(acks) == _UNSENT:
                await asyncio.gather(*acks)
                acks.clear()
        await asyncio.gather(*acks)
    finally:
        await producer.stop()


async def _watch(within: Setting, events: int) -> float:
    """Events per second between the first look that saw a commit and the one that saw the last."""
    connection = await asyncpg.connect(within.database)
    try:
        async with asyncio.timeout(_LIMIT_S):
            first, began = 0, 0.0
            while (done := await connection.fetchval(_PROCESSED)) < events:
                if done and not first:
                    first, began = done, time.perf_counter()
                await asyncio.sleep(_LOOK_S)
        return float((events - first) / (time.perf_counter() - began))
    finally:
        await connection.close()
