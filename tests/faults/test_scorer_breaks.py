"""Rows 1, 2, 3, 5, 6 of the fault matrix: a scorer dies, freezes, comes and goes, or has a twin."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import asyncpg
import pytest

from tests.faults.aftermath import all_is_well
from tests.faults.proxy import Proxy
from tests.faults.report import Row
from tests.faults.seed import ROUNDS
from tests.faults.traffic import Traffic, flowing
from tests.faults.watching import (
    FENCED,
    SESSION_S,
    all_taken_until_now,
    counted_more,
    until_owned_by,
    watched,
)
from tests.installation import Installation, Service
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(240 + 120 * ROUNDS)]


@pytest.mark.fault(1, "a scorer killed -9 at random times")
async def test_row_01_a_scorer_killed_at_random_times(
    leadscore: Installation, chance: Random, row: Row
) -> None:
    """Another takes over within its session and five seconds; what it had not committed counts once."""
    await leadscore.start()
    scorers = [leadscore.scorer, leadscore.another_scorer()]
    await scorers[1].start()
    worst_s, kills = 0.0, 1 + 2 * (ROUNDS - 1)
    async with flowing(leadscore, chance) as traffic:
        for _ in range(kills):
            await counted_more(leadscore, chance.randrange(20, 400))
            victim = chance.choice(scorers)
            await victim.kill()
            worst_s = max(worst_s, await all_taken_until_now(leadscore))
            await victim.start()
    row.note(kills=kills, recovered_s=worst_s)
    books = await all_is_well(row, leadscore, traffic)
    assert worst_s <= SESSION_S + 5
    assert books["duplicate"] <= traffic.repeated


@pytest.mark.slow
@pytest.mark.fault(2, "a scorer frozen longer than its session, then awake")
async def test_row_02_a_frozen_scorer_wakes_up_fenced(
    leadscore: Installation, proxy: Proxy, chance: Random, row: Row
) -> None:
    """Another owns its partitions by then: the batch in its hand is refused, and it goes on as a member.

    It is frozen with records in its hand and no transaction open: one that is open, Postgres ends (row 3).
    """
    # Only batches begin transactions: nobody looks for due leads.
    quiet = {"LEADSCORE_SCORER_SWEEP_INTERVAL_S": "3600"}
    frozen, other = leadscore.scorer, leadscore.another_scorer(DATABASE_URL=leadscore.database)
    frozen.environment = {**frozen.environment, **quiet}
    await leadscore.start()
    await other.start()
    traffic = Traffic(leadscore, chance)
    worst_s = 0.0
    for number in range(1, ROUNDS + 1):
        await until_owned_by(leadscore, frozen, other)
        proxy.hold_next = True
        await traffic.send(chance.randrange(200, 1_000))
        await until(proxy.held.is_set)
        frozen.freeze()
        began = time.monotonic()
        await traffic.send(500)
        await until_owned_by(leadscore, other)
        await all_taken_until_now(leadscore)
        worst_s = max(worst_s, time.monotonic() - began)
        proxy.release()
        frozen.thaw()
        await until(lambda number=number: _fenced(frozen, number))  # type: ignore[misc]
    await until_owned_by(leadscore, frozen, other)
    row.note(took_over_s=worst_s, fenced=await frozen.metric(FENCED))
    books = await all_is_well(row, leadscore, traffic)
    assert worst_s <= SESSION_S + 5
    assert books["duplicate"] <= traffic.repeated


async def _fenced(scorer: Service, times: int) -> bool:
    return await scorer.metric(FENCED) >= times


# The last statement before COMMIT adds to the books: who waits for this lock there is about to commit.
_HOLD: Final = 815_003
_TRIGGER: Final = f"""
DO $do$ BEGIN
  CREATE FUNCTION wait_before_commit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared({_HOLD}); RETURN NEW; END $$;
  CREATE TRIGGER wait_before_commit BEFORE UPDATE OF counted ON partition_offsets
    FOR EACH ROW EXECUTE FUNCTION wait_before_commit();
END $do$
"""
_WAITS: Final = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {_HOLD} AND NOT granted"
_HOLDS: Final = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {_HOLD} AND granted"


@asynccontextmanager
async def held_before_commit(leadscore: Installation) -> AsyncIterator[None]:
    """No scorer gets past its last statement while the block lasts; it begins when one waits there."""
    holder = await asyncpg.connect(leadscore.database)
    try:
        await holder.execute(f"SELECT pg_advisory_lock({_HOLD})")
        yield
    finally:
        await holder.close()


@pytest.mark.slow
@pytest.mark.fault(3, "a scorer frozen inside its transaction, before COMMIT")
async def test_row_03_frozen_before_commit(leadscore: Installation, chance: Random, row: Row) -> None:
    """Postgres ends the idle transaction, its locks are free, the next owner's claim succeeds."""
    await leadscore.start()
    await leadscore.fetch(_TRIGGER)
    frozen, other = leadscore.scorer, leadscore.another_scorer()
    traffic = Traffic(leadscore, chance)
    freed_s = took_over_s = 0.0

    async def one(sql: str, *, there: bool) -> bool:
        return bool(await leadscore.fetch(sql)) is there

    for _ in range(ROUNDS):
        await until_owned_by(leadscore, frozen)
        async with held_before_commit(leadscore):
            await traffic.send(chance.randrange(1, 500))
            await until(lambda: one(_WAITS, there=True))
            frozen.freeze()
        # The lock that the trigger waited for is the frozen transaction's now, until somebody ends that.
        await until(lambda: one(_HOLDS, there=True))
        began = time.monotonic()
        await until(lambda: one(_HOLDS, there=False))
        freed_s = max(freed_s, time.monotonic() - began)
        await other.start()
        await traffic.send(300)
        await until_owned_by(leadscore, other)
        await all_taken_until_now(leadscore)
        took_over_s = max(took_over_s, time.monotonic() - began)
        frozen.thaw()
        await until_owned_by(leadscore, frozen, other)
        await other.stop()
    row.note(freed_s=freed_s, took_over_s=took_over_s)
    books = await all_is_well(row, leadscore, traffic)
    assert freed_s <= 5 + 2, "idle_in_transaction_session_timeout is 5 s"
    assert books["duplicate"] <= traffic.repeated


@pytest.mark.slow
@pytest.mark.fault(5, "scorers join and leave all the time")
async def test_row_05_rebalance_storm(leadscore: Installation, chance: Random, row: Row) -> None:
    """However often partitions move, something is counted in every half minute, and everything once."""
    await leadscore.start()
    moves = 6 * ROUNDS
    guests: list[Service] = []
    async with flowing(leadscore, chance) as traffic, watched(leadscore) as pause:
        for _ in range(moves):
            if len(guests) == 3 or (guests and chance.random() < 0.4):
                leaving = guests.pop(chance.randrange(len(guests)))
                await (leaving.kill() if chance.random() < 0.3 else leaving.stop())
            else:
                guests.append(leadscore.another_scorer())
                await guests[-1].start()
        await counted_more(leadscore, 1)
    row.note(moves=moves, longest_pause_s=pause.longest_s)
    await all_is_well(row, leadscore, traffic)
    assert pause.longest_s < 30


_TWIN: Final = """
import os, runpy, socket
os.getpid, socket.gethostname = lambda: 1, lambda: "scorer"
runpy.run_module("services.scorer", run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.fault(6, "two scorers with one name")
async def test_row_06_two_scorers_with_one_name(leadscore: Installation, chance: Random, row: Row) -> None:
    """Owner and client id are alike, as in two containers: epochs tell them apart, a frozen twin is fenced.

    There is no static membership (shared/kafka/stream.py): no group_instance_id can be given twice.
    """
    twins = [leadscore.scorer, leadscore.another_scorer()]
    for twin in twins:
        twin.program = _TWIN
    await leadscore.start()
    await twins[1].start()
    traffic = Traffic(leadscore, chance)
    async with watched(leadscore) as pause:
        for _ in range(ROUNDS):
            frozen = chance.choice(twins)
            sending = asyncio.create_task(traffic.send(3_000))
            await counted_more(leadscore, chance.randrange(100, 1_000))
            frozen.freeze()
            await sending
            await all_taken_until_now(leadscore)
            frozen.thaw()
            await traffic.send(500)
            await all_taken_until_now(leadscore)
            await until(frozen.is_ready, within_s=60)
    row.note(longest_pause_s=pause.longest_s, fenced=sum([await twin.metric(FENCED) for twin in twins]))
    assert [dict(one) for one in await leadscore.fetch("SELECT DISTINCT owner FROM partition_offsets")] == [
        {"owner": "scorer:1"}
    ]
    await all_is_well(row, leadscore, traffic)
    assert pause.longest_s < 60
