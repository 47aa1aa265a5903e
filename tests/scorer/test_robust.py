"""One bad row, one odd record, one rebalance: the rest goes on."""

from datetime import timedelta

import pytest

from services.scorer.offsets import Fenced
from services.scorer.poison import CONSECUTIVE
from services.scorer.sweep import Sweep
from shared.events import Machine
from shared.kafka.publish import Record
from shared.testing import FrozenClock
from tests.books import balanced
from tests.scorer.conftest import TOPIC, World, event
from tests.waiting import until

pytestmark = pytest.mark.asyncio


async def test_a_row_from_the_future_does_not_stop_the_calendar(world: World) -> None:
    """A clock that ran ahead left a row where a month will be: the other months are made all the same."""
    world.broken_by_hand = True
    await world.fetch(
        "INSERT INTO events (event_id, received_at, occurred_at, lead_id, source, name, body) "
        "SELECT gen_random_uuid(), now() + interval '5 months', now(), gen_random_uuid(), 'web', 'x', ''"
    )
    made = await world.fetch("SELECT ensure_event_partitions(7) AS n")
    assert made[0]["n"] == 3


async def test_a_due_lead_that_breaks_us_is_put_off(world: World) -> None:
    """One lead with an unreadable ledger: its neighbours are judged, it waits, and the sweep lives."""
    world.broken_by_hand = True
    scorer = world.scorer()
    await scorer.start()
    await world.send(
        [
            event(f"{who}{n}", name="email.clicked", email=f"{who}@example.com")
            for who in "ab"
            for n in range(3)
        ]
    )
    await world.until_taken(6)
    await world.fetch("UPDATE lead_due SET due_at = now() - interval '1 minute'")
    await world.fetch(
        "UPDATE leads SET ledger = 'broken' "
        "WHERE lead_id = (SELECT lead_id FROM lead_due ORDER BY due_at LIMIT 1)"
    )
    sweep = Sweep(database=scorer.engine, counter=scorer.consumer.counter, interval_s=0.05)
    await sweep.turn_or_put_off()
    waits = await world.fetch("SELECT due_at - now() AS wait FROM lead_due ORDER BY due_at")
    assert len(waits) == 2
    assert all(row["wait"] > timedelta(minutes=30) for row in waits)


async def test_a_dead_letter_keeps_odd_headers(world: World) -> None:
    """A header without a value, or with a NUL in its name, is no reason not to keep a dead letter."""
    odd = [("empty", None), ("nul\x00name", b"1")]
    await world.broker.publish(
        [Record(topic=TOPIC, key=b"k", value=b"not an event", headers=odd)],  # type: ignore[arg-type]
        deadline_s=1,
    )
    await world.scorer().start()
    books = await world.until_taken(1)
    assert books["dead_lettered"] == 1


async def test_a_machine_neither_merges_nor_qualifies(world: World) -> None:
    """A scanner's click with another cookie merges nobody; a machine's form makes no transition."""
    machine = Machine(reason="scanner")
    await world.send(
        [
            event("a", anonymous_id="a"),
            event("b", name="email.clicked", email="ada@example.com"),
        ]
    )
    await world.scorer().start()
    await world.until_taken(2)
    before = await world.fetch("SELECT count(*)::int AS n FROM transitions")
    await world.send(
        [
            event("s", name="email.clicked", anonymous_id="a", email="ada@example.com", machine=machine),
            event("f", name="form.submitted", email="bot@example.com", machine=machine),
        ]
    )
    books = await world.until_taken(4)
    assert (books["counted"], books["quarantined"]) == (2, 2)
    assert await world.fetch("SELECT lead_id FROM leads WHERE merged_into IS NOT NULL") == []
    assert await world.fetch("SELECT count(*)::int AS n FROM transitions") == before


async def test_poison_is_limited_within_a_batch_too(world: World) -> None:
    """A batch of nothing but poison is not dead-lettered whole before anybody counts."""
    await world.send([b"poison"] * 90)
    scorer = world.scorer()
    await scorer.start()
    await until(lambda: "dead_letters" in scorer.consumer.assignment.trouble())
    books = await world.books()
    assert CONSECUTIVE < books["dead_lettered"] <= 2 * CONSECUTIVE
    assert balanced(books)


async def test_records_that_are_gone_halt_their_partition(world: World) -> None:
    """A topic that was made anew under us: its partitions stop and say why; no offset goes back by itself."""
    await world.send([event(f"m{n}", anonymous_id=f"a{n}") for n in range(30)])
    scorer = world.scorer()
    await scorer.start()
    before = await world.until_taken(30)
    for records in world.broker.logs[TOPIC].values():
        records.clear()
    await until(lambda: scorer.consumer.assignment.trouble().count("Kafka has none there") == 3)
    assert await world.books() == before


async def test_a_halt_outlives_a_rebalance(world: World) -> None:
    """A partition that waits for a person is not read again because another member came or went."""
    await world.send([b"poison"] * 90)
    scorer = world.scorer()
    await scorer.start()
    await until(lambda: "dead_letters" in scorer.consumer.assignment.trouble())
    before = await world.books()
    await scorer.stream.rebalance()
    assert "dead_letters" in scorer.consumer.assignment.trouble()
    assert await world.books() == before


async def test_a_partition_given_but_not_claimed_ends_the_process(world: World) -> None:
    """A newer generation holds the rows: we do not read, and after half a minute we end, not idle."""
    await world.fetch(
        "INSERT INTO partition_offsets "
        "(consumer_group, topic, partition, epoch, generation, owner, started_at_offset, next_offset) "
        "SELECT 'test', $1, n, 1, 99, 'somebody newer', 0, 0 FROM generate_series(0, 2) n",
        TOPIC,
    )
    await world.send([event("m", anonymous_id="a")])
    clock = FrozenClock()
    scorer = world.scorer(clock=clock)
    await scorer.start()
    task = scorer.task
    assert task is not None

    def ended() -> bool:
        clock.advance(timedelta(seconds=5))
        return task.done()

    await until(ended)
    assert isinstance(task.exception(), Fenced)
    assert scorer.consumer.assignment.trouble() == "no partition assigned"
    assert (await world.books())["taken"] == 0
    scorer.task = None


async def test_of_copies_in_one_batch_the_first_counts(world: World) -> None:
    """Two messages with one id in one batch: the first one's content is what is stored."""
    await world.send(
        [event("m", name="first.seen", anonymous_id="a"), event("m", name="second.seen", anonymous_id="a")]
    )
    await world.scorer().start()
    books = await world.until_taken(2)
    assert (books["counted"], books["duplicate"]) == (1, 1)
    assert await world.fetch("SELECT name FROM events") == [{"name": "first.seen"}]
