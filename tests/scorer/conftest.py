"""A scorer on a real Postgres, fed from memory: what it writes, and what it refuses to write twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.reconcile.walk import reconcile
from services.scorer.consume import Consumer
from services.scorer.count import BatchCounter
from services.scorer.models import change_model
from services.scorer.models.in_force import ModelsInForce
from services.scorer.offsets import Offsets
from services.scorer.store.models import Author
from shared import database as postgres
from shared.clock import Clock, SystemClock
from shared.codec import encode, partition_key
from shared.events import Event
from shared.ids import SystemIds, event_id
from shared.kafka.publish import Record
from shared.leads.identifiers import IdentityRules
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.read import load_model
from shared.testing import MemoryBroker, MemoryStream
from tests.books import BOOKS
from tests.waiting import until

TOPIC = "events"
KEY = b"an identity key for tests"
AUTHOR = Author(name="test")

MODEL = """
name: test
dimensions:
  fit: {label: {en: Fit, de: Passung}, between: [0, 40]}
  engagement: {label: {en: Engagement, de: Interesse}, between: [0, 60]}
groups:
  web: {dimension: engagement, label: {en: Web, de: Web}, between: [0, 25]}
  direct: {dimension: engagement, label: {en: Direct, de: Direkt}}
  who: {dimension: fit, label: {en: Who, de: Wer}}
engagement:
  view:
    event: page.viewed
    group: web
    points: 4
    half_life: 14d
    limit: {times: 3, per: week}
    label: {en: "Page visited {times}", de: "Seite {times} besucht"}
  click:
    event: email.clicked
    group: direct
    points: 15
    half_life: 30d
    label: {en: "E-mail clicked {times}", de: "E-Mail {times} angeklickt"}
  form:
    event: form.submitted
    group: direct
    points: 30
    label: {en: "Form sent {times}", de: "Formular {times} gesendet"}
fit:
  company:
    when: {company: {exists: true}}
    group: who
    points: 10
    label: {en: Company known, de: Firma bekannt}
grade:
  fit: {A: 30, B: 20, C: 10}
  engagement: {"1": 40, "2": 20, "3": 5}
stages:
  lead:
    label: {en: Lead, de: Lead}
  mql:
    label: {en: MQL, de: MQL}
    enter: {at_least: {score: 30}}
    leave: {below: {score: 20}, to: recycled}
  recycled:
    label: {en: Recycled, de: Zurueck}
"""


def event(message: str, *, name: str = "page.viewed", age: timedelta = timedelta(0), **fields: Any) -> Event:
    """An event of the source `web` that occurred `age` ago."""
    now = datetime.now(UTC)
    return Event(
        event_id=event_id("web", message),
        source="web",
        kind=fields.pop("kind", "web"),
        name=name,
        occurred_at=now - age,
        received_at=now,
        **fields,
    )


@dataclass(slots=True, kw_only=True)
class Scorer:
    """A scorer with its own stream and claim, as one process has."""

    engine: AsyncEngine
    consumer: Consumer
    stream: MemoryStream
    task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.stream.start()
        self.task = asyncio.create_task(self.consumer.run(self.stream, batch_records=100))

    async def stop(self) -> None:
        if self.task is None:
            return
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        await self.consumer.finish()
        self.task = None


@dataclass(slots=True, kw_only=True)
class World:
    """A broker, a database, and scorers on them.

    broken_by_hand: the test writes rows that no scorer writes, so that reconcile may find faults in the end
    """

    broker: MemoryBroker
    engine: AsyncEngine
    model: Compiled
    scorers: list[Scorer] = field(default_factory=list)
    broken_by_hand: bool = False
    names: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def scorer(self, engine: AsyncEngine | None = None, clock: Clock | None = None) -> Scorer:
        """One more scorer process, not started."""
        database = engine or self.engine
        consumer = Consumer(
            offsets=Offsets(group="test", topic=TOPIC, owner=f"scorer-{self.names()}"),
            database=database,
            counter=BatchCounter(
                models=ModelsInForce(),
                rules=IdentityRules(key=KEY),
                topic=TOPIC,
                ids=SystemIds(),
            ),
            clock=clock or SystemClock(),
        )
        made = Scorer(
            engine=database,
            consumer=consumer,
            stream=MemoryStream(self.broker, topic=TOPIC, owner=consumer.assignment),
        )
        self.scorers.append(made)
        return made

    async def publish(self, text: str, *, silent: bool = False) -> int:
        """Make this the active model; returns its version."""
        name = load_model(text, file="test.yaml").name
        async with postgres.transaction(self.engine) as connection:
            number = await change_model.draft(connection, (name, text, {}), AUTHOR)
            await change_model.publish(connection, number, AUTHOR, silent=silent)
        return number

    async def send(self, events: Sequence[Event | bytes]) -> None:
        """Publish events, or bytes that are none."""
        records = [
            Record(topic=TOPIC, key=b"broken", value=one)
            if isinstance(one, bytes)
            else Record(topic=TOPIC, key=partition_key(one), value=encode(one))
            for one in events
        ]
        await self.broker.publish(records, deadline_s=1)

    async def fetch(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        """Rows of a query."""
        async with postgres.transaction(self.engine) as connection:
            return [dict(row) for row in await connection.fetch(sql, *arguments)]

    async def books(self) -> dict[str, int]:
        """The tallies of all partitions together."""
        return (await self.fetch(BOOKS))[0]

    async def until_taken(self, records: int, *, within_s: float = 20) -> dict[str, int]:
        """Wait until so many records are committed; returns the books."""

        async def taken() -> bool:
            return (await self.books())["taken"] >= records

        await until(taken, within_s=within_s)
        return await self.books()


@pytest.fixture
def model() -> str:
    return MODEL


@pytest_asyncio.fixture
async def world(database: str, model: str) -> AsyncIterator[World]:
    broker = MemoryBroker()
    await broker.start()
    engine = postgres.engine(database, application="test", pool_size=6)
    made = World(broker=broker, engine=engine, model=load_model(model, file="test.yaml"))
    await made.publish(model)
    yield made
    for scorer in made.scorers:
        await scorer.stop()
    off = (await reconcile(engine)).document()["faults"]
    await engine.dispose()
    assert made.broken_by_hand or off == []
