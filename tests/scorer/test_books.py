"""The books as metrics: what was taken, what became of it, and whether that adds up (P6)."""

import pytest
from prometheus_client import REGISTRY

from services.scorer.books import Books
from services.scorer.metrics import BOOKED
from services.scorer.offsets import Offsets
from shared.database import snapshot
from tests.scorer.conftest import TOPIC, World, event
from tests.waiting import until

pytestmark = pytest.mark.asyncio


def shown() -> dict[str, float | None]:
    name = "leadscore_scorer_books_records"
    return {result: REGISTRY.get_sample_value(name, {"result": result}) for result in BOOKED}


async def test_what_was_taken_and_what_became_of_it_is_shown(world: World) -> None:
    """Counted, duplicate and dead-lettered add up to what was taken; a dead letter is open until resolved."""
    scorer = world.scorer()
    await scorer.start()
    again = event("twice", anonymous_id="a")
    await world.send([event("once", anonymous_id="a"), again, again, b"no event"])
    await world.until_taken(4)
    books = Books(database=world.engine, offsets=Offsets(group="test", topic=TOPIC, owner="books"))
    await books.look()
    assert shown() == {"taken": 4, "counted": 2, "duplicate": 1, "quarantined": 0, "dead_lettered": 1}
    assert REGISTRY.get_sample_value("leadscore_scorer_books_unbalanced_records") == 0
    assert REGISTRY.get_sample_value("leadscore_scorer_unresolved_dead_letters") == 1

    await world.fetch("UPDATE dead_letters SET resolved_at = now()")
    await books.look()
    assert REGISTRY.get_sample_value("leadscore_scorer_unresolved_dead_letters") == 0


async def test_books_that_are_off_in_both_directions_do_not_cancel_out(world: World) -> None:
    """One partition with a record too many and one with a record too few are two records off."""
    world.broken_by_hand = True
    wrong = "INSERT INTO partition_offsets (consumer_group, topic, partition, epoch, generation, owner, "
    wrong += f"started_at_offset, next_offset, counted) VALUES ('test', '{TOPIC}', $1, 1, 1, 'x', 0, 5, $2)"
    await world.fetch(wrong, 90, 4)
    await world.fetch(wrong, 91, 6)
    await Books(database=world.engine, offsets=Offsets(group="test", topic=TOPIC, owner="books")).look()
    assert REGISTRY.get_sample_value("leadscore_scorer_books_unbalanced_records") == 2


async def test_a_snapshot_that_somebody_holds_is_shown(world: World) -> None:
    """Open for some time: its age. Ended: nothing that is older than this look."""
    books = Books(database=world.engine, offsets=Offsets(group="test", topic=TOPIC, owner="books"))
    name = "leadscore_scorer_oldest_snapshot_seconds"
    async with snapshot(world.engine) as connection:
        await connection.fetch("SELECT count(*) FROM leads")
        await connection.execute("SELECT pg_sleep(0.3)")
        await books.look()
        assert (REGISTRY.get_sample_value(name) or 0) >= 0.3
    await books.look()
    assert REGISTRY.get_sample_value(name) == 0


async def test_a_partition_that_is_not_ours_has_no_lag(world: World) -> None:
    """Its next owner shows it; two processes that show one partition's lag would be added up."""
    scorer = world.scorer()
    await scorer.start()
    await world.send([event("one", user_id="ada")])
    await world.until_taken(1)
    mine = [str(number) for number in scorer.consumer.assignment.partitions]
    lag = "leadscore_scorer_lag_records"
    assert any(REGISTRY.get_sample_value(lag, {"partition": number}) is not None for number in mine)
    await scorer.consumer.assignment.revoked([int(number) for number in mine])
    assert [REGISTRY.get_sample_value(lag, {"partition": number}) for number in mine] == [None] * len(mine)


async def test_what_waits_in_a_halted_partition_is_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would look as if events were lost; and it keeps no walk waiting: a person has to come."""
    monkeypatch.setattr("services.scorer.consume._MIRROR_EVERY_S", 0.02)
    monkeypatch.setattr("services.scorer.consume._BEHIND_RECORDS", 3)
    scorer = world.scorer()
    await scorer.start()
    await world.send([event("m", user_id="ada")])
    await world.until_taken(1)
    [number] = [n for n, one in scorer.consumer.assignment.partitions.items() if one.claim.next_offset]
    scorer.consumer.assignment.partitions[number].halt("by hand")
    await world.send([event(f"m{n}", user_id="ada") for n in range(8)])
    labels = {"partition": str(number)}
    await until(lambda: REGISTRY.get_sample_value("leadscore_scorer_lag_records", labels) == 8)
    assert not scorer.consumer.behind()
