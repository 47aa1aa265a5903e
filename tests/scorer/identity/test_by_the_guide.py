"""Random people, devices, sources, mistakes and orders: who is who is what docs/guides/identity.md says.

The model of identity that the product is held against (guide.py) was written from the guide alone.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
import pytest

from services.scorer.consume import Consumer
from services.scorer.count import BatchCounter
from services.scorer.models.in_force import ModelsInForce
from services.scorer.offsets import Offsets
from shared import database as postgres
from shared.clock import SystemClock
from shared.codec import decode, encode, partition_key
from shared.events import Event
from shared.ids import EventId, LeadId, SystemIds
from shared.kafka.publish import Record
from shared.leads.store.present import decode_ledger
from shared.testing import MemoryBroker, MemoryStream
from tests.scorer.conftest import World
from tests.scorer.identity.guide import (
    NOBODY,
    Name,
    Owner,
    hashed,
    history,
    owners,
    people,
    said,
)
from tests.scorer.identity.people import RULES, Town, consistent
from tests.waiting import until

pytestmark = pytest.mark.asyncio

TRIALS: Final = 25
ROUNDS_OF_SCORERS: Final = 6

_WITHOUT_IDENTIFIERS: Final = """
SELECT 1 FROM leads l
WHERE merged_into IS NULL AND NOT EXISTS (SELECT FROM identities i WHERE i.lead_id = l.lead_id)
"""


@pytest.mark.parametrize("half", range(2))
async def test_known_people_are_the_same_whatever_the_order(town: Town, half: int) -> None:
    """(a), (b), (d): in any order, in any batches, with repeated messages."""
    for trial in range(TRIALS):
        dice = random.Random(10_000 * half + trial)
        events = _some_history(dice)
        await town.clear()
        for batch in _batches(dice, _shuffled(dice, events)):
            await town.count(*batch)
        await _right(town, events)


@pytest.mark.parametrize("scorers", [2, 3])
async def test_known_people_are_the_same_however_many_count(world: World, scorers: int) -> None:
    """(a), (b), (d): with several scorers at the same time, each with partitions of its own."""
    town = Town(engine=world.engine, counter=_counter("none"), model=world.model)
    for trial in range(ROUNDS_OF_SCORERS):
        dice = random.Random(10_000 * scorers + trial)
        events = [event for _ in range(3) for event in _renamed(_some_history(dice), dice)]
        await town.clear()
        await town.fetch("DELETE FROM partition_offsets RETURNING 1")
        await _counted_by(world, scorers, _shuffled(dice, events), dice)
        await _right(town, events)


@pytest.mark.parametrize("half", range(2))
async def test_anonymous_events_in_time_belong_to_whom_the_guide_says(town: Town, half: int) -> None:
    """(c), (d): whatever the batches, if events arrive in the order in which they happened."""
    for trial in range(TRIALS):
        dice = random.Random(20_000 * (half + 1) + trial)
        events = _some_history(dice)
        await town.clear()
        for batch in _batches(dice, events):
            await town.count(*batch)
        await _right(town, events)
        expected = {event: _visible(owner, events) for event, owner in owners(events).items()}
        assert await _whose(town, events) == expected


async def test_a_late_anonymous_event_changes_nothing_but_itself(town: Town) -> None:
    """(c): all other events, and all known people, are as if it had come in time."""
    for trial in range(TRIALS):
        dice = random.Random(30_000 + trial)
        events = _some_history(dice)
        late = [one for one in events if said(one).device and not said(one).strong]
        if not late:
            continue
        moved = dice.choice(late)
        place = events.index(moved)
        rest = [*events[:place], *events[place + 1 :]]
        place = dice.randint(place, len(rest))
        await town.clear()
        for batch in _batches(dice, [*rest[:place], moved, *rest[place:]]):
            await town.count(*batch)
        await _right(town, events)
        found = await _whose(town, events)
        expected = {event: _visible(owner, events) for event, owner in owners(events).items()}
        assert found.keys() == expected.keys()
        assert {one for one in found if found[one] != expected[one]} <= {moved.event_id}


def _some_history(dice: random.Random) -> list[Event]:
    return history(dice, dice.choice((6, 10, 15, 25)))


def _batches(dice: random.Random, events: Sequence[Event]) -> Iterable[Sequence[Event]]:
    rest = list(events)
    while rest:
        size = dice.choice((1, 2, 3, 8, 40))
        yield rest[:size]
        rest = rest[size:]


def _shuffled(dice: random.Random, events: Sequence[Event]) -> list[Event]:
    """In any order; a quarter of the messages come twice, some of these as new to ingest."""
    again = [
        msgspec.structs.replace(one, received_at=one.received_at + timedelta(minutes=dice.choice((0, 5))))
        for one in dice.sample(events, len(events) // 4)
    ]
    arriving = [*events, *again]
    dice.shuffle(arriving)
    return arriving


async def _right(town: Town, events: Sequence[Event]) -> None:
    """Known people are those of the guide's model, and what is stored of them agrees with itself."""
    found = {frozenset(names) for names in (await _known(town, events)).values()}
    expected = {_visible(frozenset(some), events) for some in people(events).of.values()}
    assert found == expected - {frozenset()}
    await consistent(town)
    await _books(town, events)


async def _books(town: Town, events: Sequence[Event]) -> None:
    """Each event has one row, each live lead an identifier, each transition the number after the last."""
    assert sorted(decode(body).event_id for body in await town.bodies()) == sorted(
        {one.event_id for one in events}
    )
    assert not await town.fetch(_WITHOUT_IDENTIFIERS)
    told = await town.fetch(
        "SELECT l.ledger, array_agg(sequence ORDER BY sequence) AS numbers "
        "FROM transitions t JOIN leads l USING (lead_id) GROUP BY l.lead_id"
    )
    for row in told:
        assert row["numbers"] == list(range(1, decode_ledger(row["ledger"]).sequence + 1))


async def _known(town: Town, events: Sequence[Event]) -> dict[LeadId, set[Name]]:
    """Each lead with the names that it has of those in these events."""
    names = {hashed(name)[:2]: name for one in events for name in said(one).strong}
    found: dict[LeadId, set[Name]] = {}
    for row in await town.fetch("SELECT kind, value, lead_id FROM identities"):
        if name := names.get((row["kind"], row["value"])):
            found.setdefault(LeadId(row["lead_id"]), set()).add(name)
    return found


async def _whose(town: Town, events: Sequence[Event]) -> dict[EventId, Owner]:
    """Each event's owner as the guide's model names it."""
    names = await _known(town, events)
    texts = {found.value: one for one in ("laptop", "phone", "Tablet") if (found := RULES.anonymous_id(one))}
    for row in await town.fetch("SELECT value, lead_id FROM identities WHERE kind = 'anonymous_id'"):
        if text := texts.get(row["value"]):
            names.setdefault(row["lead_id"], {f"device {text}"})
    return {event: frozenset(names.get(lead, ())) for event, lead in (await town.whose()).items()}


def _visible(owner: Owner, events: Sequence[Event]) -> Owner:
    """Without user ids that only alias calls named: nothing shows whether they are a user's."""
    named = {name for one in events for name in said(one).strong}
    return frozenset(name for name in owner if name in named or name.startswith("device "))


def _renamed(events: Sequence[Event], dice: random.Random) -> list[Event]:
    """The same about other people, an hour or so later, so that scorers have several families at once."""
    suffix = f"{dice.randrange(10**9)}"

    def other(text: str | None) -> str | None:
        if text is None or text in NOBODY:
            return text
        name, at, domain = text.partition("@")
        return f"{name}{suffix}{at}{domain}"

    return [
        msgspec.structs.replace(
            one,
            event_id=EventId(UUID(int=dice.getrandbits(128))),
            user_id=other(one.user_id),
            previous_id=other(one.previous_id),
            email=other(one.email),
            anonymous_id=other(one.anonymous_id),
        )
        for one in events
    ]


async def _counted_by(world: World, scorers: int, arriving: Sequence[Event], dice: random.Random) -> None:
    """Have several scorers take these events: a message always from the same partition."""
    topics = [f"events-{number}" for number in range(scorers)]
    async with AsyncExitStack() as stack:
        for topic in topics:
            mine = [one for one in arriving if sum(partition_key(one)) % scorers == topics.index(topic)]
            await stack.enter_async_context(_scorer(world, topic, mine, most=dice.choice((1, 4, 9))))
        await world.until_taken(len(arriving), within_s=30)

        async def nothing_left() -> bool:
            return not await world.fetch("SELECT 1 FROM regroups")

        await until(nothing_left)
    books = await world.books()
    assert books["dead_lettered"] == 0
    assert books["taken"] == len(arriving)


@asynccontextmanager
async def _scorer(world: World, topic: str, events: Sequence[Event], *, most: int) -> AsyncIterator[None]:
    """A scorer as one process is: its own topic, connections, and background regroups."""
    engine = postgres.engine(
        world.engine.url.render_as_string(hide_password=False), application="test", pool_size=6
    )
    broker = MemoryBroker()
    await broker.start()
    await broker.publish(
        [Record(topic=topic, key=partition_key(one), value=encode(one)) for one in events], deadline_s=1
    )
    consumer = Consumer(
        offsets=Offsets(group="test", topic=topic, owner=topic),
        database=engine,
        counter=_counter(topic),
        clock=SystemClock(),
    )
    stream = MemoryStream(broker, topic=topic, owner=consumer.assignment)
    await stream.start()
    tasks = [
        asyncio.create_task(consumer.run(stream, batch_records=most)),
        asyncio.create_task(consumer.regroup.run(0.05)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await consumer.finish()
        await engine.dispose()


def _counter(topic: str) -> BatchCounter:
    return BatchCounter(models=ModelsInForce(), rules=RULES, topic=topic, ids=SystemIds())
