"""More than a transaction can hold, or than Postgres lets through now: others go on, nothing is lost."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.scorer.board.keep import BoardKeeper
from services.scorer.board.noted import Noted, NotedLeads
from services.scorer.offsets import Claim, Offsets
from shared.database import engine as make_engine
from shared.database import transaction
from shared.errors import Transient
from shared.ids import LeadId, SystemIds
from shared.kafka.stream import Received
from shared.leads.store.history import stored_histories
from shared.testing import FrozenClock
from tests.scorer.conftest import World, event
from tests.waiting import until

pytestmark = pytest.mark.asyncio

AWAY = "postgresql://nobody@127.0.0.1:1/nothing"


async def test_who_reads_a_long_history_is_given_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is folded we say nothing to Postgres, which would take us for frozen; and only then."""
    await world.send([event("m", anonymous_id="a")])
    await world.scorer().start()
    await world.until_taken(1)
    [row] = await world.fetch("SELECT lead_id FROM leads")
    limits = []
    for long_bytes in (10**6, 10):
        monkeypatch.setattr("shared.leads.store.history._LONG_BYTES", long_bytes)
        async with transaction(world.engine) as connection:
            await stored_histories(connection, [LeadId(row["lead_id"])])
            limits.append(await connection.fetchval("SHOW idle_in_transaction_session_timeout"))
    async with transaction(world.engine) as connection:
        limits.append(await connection.fetchval("SHOW idle_in_transaction_session_timeout"))
    assert limits == ["5s", "1min", "5s"]


async def test_a_batch_that_does_not_get_through_becomes_smaller(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the same would be read again and again, for ever."""
    monkeypatch.setattr("services.scorer.consume.backoff_s", lambda failures: 0.0)
    scorer = world.scorer()
    counter = scorer.consumer.counter
    works, sizes = counter.count, []

    async def count(connection: Any, batch: Sequence[Any], **others: Any) -> Any:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise Transient("more than a transaction can hold")
        return await works(connection, batch, **others)

    counter.count = count  # type: ignore[method-assign]
    await world.send([event(f"m{n}", anonymous_id="a") for n in range(40)])
    await scorer.start()
    books = await world.until_taken(40)
    assert (books["counted"], books["duplicate"], max(sizes)) == (40, 0, 40)
    # It is whole again soon, or what an outage left to do would be done one by one.
    counter.count = works  # type: ignore[method-assign]
    await world.send([event(f"n{n}", anonymous_id="a") for n in range(12)])
    await world.until_taken(52)
    assert scorer.consumer._halved < 6


async def test_a_regroup_that_does_not_get_through_lets_others_pass(world: World) -> None:
    """It waits for some seconds; the oldest request is not always the only one that is tried."""
    scorer = world.scorer()
    regroup = scorer.consumer.regroup
    works, tried = scorer.consumer.counter.regroup, []

    async def refuse(connection: Any, in_force: Any, start: Sequence[LeadId], **others: Any) -> Any:
        tried.append(start)
        if start == tried[0]:
            raise Transient("more than a transaction can hold")
        return await works(connection, in_force, start, **others)

    scorer.consumer.counter.regroup = refuse  # type: ignore[method-assign]
    await scorer.start()
    for number in (1, 2):
        await world.send(
            [
                event(f"b{number}", user_id=f"b{number}", email=f"x{number}@x.example"),
                event(f"a{number}", user_id=f"a{number}", email=f"x{number}@x.example"),
            ]
        )
        await world.until_taken(2 * number)
    await until(lambda: len({tuple(leads) for leads in tried}) == 2)

    async def waits() -> list[timedelta]:
        return [row["wait"] for row in await world.fetch("SELECT requested_at - now() AS wait FROM regroups")]

    async def one_is_left() -> bool:
        return len(await waits()) == 1

    await until(one_is_left)
    assert timedelta(0) < (await waits())[0] < timedelta(seconds=11)
    scorer.consumer.counter.regroup = works  # type: ignore[method-assign]
    await world.fetch("UPDATE regroups SET requested_at = now() RETURNING 1")
    await regroup.work_off()


async def test_the_board_forgets_nobody_while_postgres_is_away() -> None:
    """However long that is: nobody could look."""
    noted = NotedLeads()
    lead = LeadId(SystemIds().fresh())
    noted.restore({lead: Noted(scored_at=None, said=None)})
    away = make_engine(AWAY, application="test", pool_size=1)
    keeps = BoardKeeper(database=away, noted=noted, interval_s=1)
    with pytest.raises(Transient):
        await keeps.turn()
    assert (len(noted), noted.take(1)[lead].since_s) == (1, None)
    await away.dispose()


async def test_who_was_merged_away_is_looked_at_once() -> None:
    """It is on the board no more: there is nothing to wait for."""
    noted, lead = NotedLeads(), LeadId(SystemIds().fresh())
    loser = {lead: Noted(scored_at=None, said=frozenset())}
    assert (noted.put_back(loser, {}, 0.0), len(noted)) == (1, 0)


async def test_a_claim_that_waits_for_postgres_ends_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebalance while Postgres is away: the partitions are ours, and claimed once it is back."""
    works, away = Offsets.claim, True

    async def claim(self: Offsets, *given: Any, **others: Any) -> Claim | None:
        if away:
            raise Transient("Postgres is away")
        return await works(self, *given, **others)

    monkeypatch.setattr(Offsets, "claim", claim)
    clock = FrozenClock()
    scorer = world.scorer(clock=clock)
    await world.send([event("m", anonymous_id="a")])
    starting = asyncio.create_task(scorer.start())
    await until(lambda: bool(scorer.consumer.assignment.claiming))
    scorer.task = running = asyncio.create_task(scorer.consumer.run(scorer.stream, batch_records=100))
    for _ in range(10):
        clock.advance(timedelta(seconds=10))
        await until(lambda: running.done() or scorer.consumer._last_turn_s == clock.monotonic_s())
    assert not running.done()
    await scorer.stop()
    away = False
    await starting
    assert (await world.until_taken(1))["counted"] == 1


async def test_what_was_taken_before_another_partition_raised_is_read_again(world: World) -> None:
    """The client loses the records of a call that raises, and has gone past them."""
    scorer = world.scorer()
    works, raised = scorer.stream.poll, False

    async def poll(partitions: Any, **others: Any) -> dict[int, list[Received]]:
        nonlocal raised
        polled = await works(partitions, **others)
        if polled and not raised:
            raised = True
            raise Transient("Kafka could not be read: CorruptRecordException.")
        return polled

    scorer.stream.poll = poll  # type: ignore[method-assign]
    await world.send([event(f"m{n}", anonymous_id=f"a{n}") for n in range(12)])
    await scorer.start()
    books = await world.until_taken(12)
    assert (raised, books["counted"], scorer.consumer.assignment.trouble()) == (True, 12, "")
