"""The scorer: how many events per second it counts while there is always more to do.

In: a stage, a crowd. Out: a `Backlog`. Refuses to time the start of the processes: the clock runs from the
first batch that was committed when all were at work to the last one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from aiokafka import AIOKafkaProducer

from benchmarks.stage import Running, Setting, Stage, service, setting
from shared import codec, ids
from shared.events import PAGE_VIEWED, PERSON_IDENTIFIED, Event

_EVENTS_PER_LEAD: Final = 5
_PATHS: Final = ("/", "/pricing", "/product/scoring", "/docs/start")
_SPAN: Final = timedelta(days=20)
_LIMIT_S: Final = 150.0
_LOOK_S: Final = 0.05
_UNSENT: Final = 5_000

# How many events are done, and whether as many processes as there should be have their partitions.
_PROCESSED: Final = """
SELECT coalesce(sum(counted + duplicate + quarantined), 0)::bigint, count(DISTINCT owner) = {processes}
FROM partition_offsets
"""


Crowd = Callable[[int, datetime], Iterable[Event]]
"""Makes so many events as of a moment: `backlog` or `page_views`"""

Fill = Callable[[str], Awaitable[None]]
"""Puts more into the database of this URL before it is measured"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What scorers did; `cpu_us` is their own CPU time per event, start included, Postgres and Kafka not."""

    events: int
    leads: int
    per_s: float
    cpu_us: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One backlog to count.

    name:       of its database and topics
    processes:  scorers that share it
    """

    name: str
    events: int
    crowd: Crowd
    processes: int = 1
    fill: Fill | None = None


async def measure(on: Stage, events: int) -> Backlog:
    """The usual crowd, counted by one scorer."""
    return await count(on, Task(name="backlog", events=events, crowd=backlog))


async def count(on: Stage, task: Task) -> Backlog:
    """Fill the topic, start the scorers, wait until they have counted everything.

    Raises TimeoutError if that takes more than two and a half minutes.
    """
    within = await setting(on, task.name)
    if task.fill:
        await task.fill(within.database)
    await produce(within, task.crowd(task.events, datetime.now(UTC)))
    asked = _PROCESSED.format(processes=task.processes)
    watching = asyncio.create_task(watch(within.database, asked, task.events))
    async with AsyncExitStack() as running:
        starting = [service(within, "scorer", number) for number in range(task.processes)]
        scorers = await asyncio.gather(*map(running.enter_async_context, starting))
        return result(task, await watching, scorers)


def result(task: Task, per_s: float, workers: Sequence[Running]) -> Backlog:
    """What these processes did, their start included in the CPU time."""
    return Backlog(
        events=task.events,
        leads=leads_of(task.events),
        per_s=per_s,
        cpu_us=sum(worker.cpu_s() for worker in workers) / task.events * 1e6,
        peak_bytes=max(worker.peak_bytes() for worker in workers),
    )


def leads_of(events: int) -> int:
    """Of how many leads a crowd's events are."""
    return max(1, events // _EVENTS_PER_LEAD)


def person_of(lead: int) -> str:
    """The anonymous id of this lead."""
    return f"bench-{lead}"


def backlog(number: int, now: datetime) -> Iterator[Event]:
    """So many events of a fifth as many leads, in time order; each lead's third event makes it known."""
    leads = leads_of(number)
    for at in range(number):
        lead, round_ = at % leads, at // leads
        yield _event(lead, round_, now - _SPAN + _SPAN * (at / number), now)


def page_views(number: int, now: datetime) -> Iterator[Event]:
    """So many page views of a fifth as many visitors, in time order; nobody ever says who they are."""
    leads = leads_of(number)
    for at in range(number):
        lead, round_ = at % leads, at // leads
        yield _event(lead, -1 - round_, now - _SPAN + _SPAN * (at / number), now)


def _event(lead: int, round_: int, at: datetime, now: datetime) -> Event:
    known = round_ >= 2
    person = person_of(lead)
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


async def produce(within: Setting, events: Iterable[Event]) -> None:
    """Put these events into the events topic and return when all of them are there."""
    producer = AIOKafkaProducer(**within.kafka.arguments(), linger_ms=20, max_batch_size=262_144)
    await producer.start()
    try:
        acks: list[asyncio.Future[object]] = []
        for event in events:
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


async def watch(url: str, asked: str, events: int) -> float:
    """Events per second between the first look that saw everybody at work and the one that saw the last.

    asked: a statement for how many are done, and whether everybody is at work
    """
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(_LIMIT_S):
            first, began = 0, 0.0
            while True:
                done, everybody = await connection.fetchrow(asked)
                if done >= events:
                    return float((events - first) / (time.perf_counter() - began))
                if done and everybody and not first:
                    first, began = done, time.perf_counter()
                await asyncio.sleep(_LOOK_S)
    finally:
        await connection.close()
