"""Rows 4 and 7 of the fault matrix: the line to Postgres is cut during COMMIT, Postgres is killed."""

import asyncio
import time
from random import Random

import pytest
from sqlalchemy import make_url

from tests.faults.aftermath import all_is_well
from tests.faults.conftest import World, kill
from tests.faults.proxy import CUTS, Proxy
from tests.faults.report import Row
from tests.faults.seed import ROUNDS
from tests.faults.traffic import flowing
from tests.faults.watching import all_taken_until_now, counted_more
from tests.installation import Installation
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(240 + 120 * ROUNDS)]


@pytest.mark.fault(4, "the line to Postgres cut during COMMIT")
async def test_row_04_the_line_is_cut_during_commit(
    leadscore: Installation, proxy: Proxy, chance: Random, row: Row
) -> None:
    """Whether the batch was committed, its offset row says: nothing is lost, nothing is taken again."""
    await leadscore.start()
    cuts = [how for _ in range(ROUNDS) for how in CUTS]
    chance.shuffle(cuts)
    async with flowing(leadscore, chance) as traffic:
        for number, how in enumerate(cuts, 1):
            proxy.cut_next = how
            await until(lambda number=number: proxy.cuts == number, within_s=60)  # type: ignore[misc]
            await counted_more(leadscore, chance.randrange(1, 100))
    postponed = await leadscore.scorer.metric('leadscore_scorer_batch_retries_total{reason="postgres"}')
    row.note(cuts=len(cuts), batches_in_doubt=postponed)
    books = await all_is_well(row, leadscore, traffic)
    assert postponed >= len(cuts)
    # A batch that was committed and read again would be nothing but duplicates.
    assert books["duplicate"] <= traffic.repeated


@pytest.mark.slow
@pytest.mark.parametrize("synchronous_commit", ["on", "off"])
@pytest.mark.fault(7, "Postgres killed -9 and started again")
async def test_row_07_postgres_killed(
    world: World, chance: Random, row: Row, synchronous_commit: str
) -> None:
    """Counting waits and goes on; offsets are where the rows are; the webhook was told nothing that is gone.

    With `synchronous_commit` off for the scorer's role, its last commits are lost: their offsets too.
    """
    leadscore = world.leadscore
    await leadscore.scorer.stop()
    await leadscore.fetch("CREATE ROLE scorer SUPERUSER LOGIN")
    await leadscore.fetch(f"ALTER ROLE scorer SET synchronous_commit = {synchronous_commit}")
    url = make_url(leadscore.database).set(username="scorer").render_as_string(hide_password=False)
    leadscore.scorer.environment = {**leadscore.scorer.environment, "DATABASE_URL": url}
    await leadscore.scorer.start()
    worst_s, lost = 0.0, 0
    async with flowing(leadscore, chance) as traffic:
        for _ in range(1 + ROUNDS):
            await counted_more(leadscore, chance.randrange(100, 400))
            taken = await _taken_just_before(leadscore, world)
            began = time.monotonic()
            await world.postgres.start()
            lost += max(0, taken - (await leadscore.books())["taken"])
            await all_taken_until_now(leadscore)
            worst_s = max(worst_s, time.monotonic() - began)
    row.fault += f", synchronous_commit {synchronous_commit}"
    row.note(kills=1 + ROUNDS, recovered_s=worst_s, commits_lost_for=f"{lost} records")
    books = await all_is_well(row, leadscore, traffic)
    assert synchronous_commit == "off" or lost == 0
    assert books["duplicate"] <= traffic.repeated


async def _taken_just_before(leadscore: Installation, world: World) -> int:
    """Kill Postgres; returns how many records were committed as far as anybody knew."""
    seen = (await leadscore.books())["taken"]
    looking = asyncio.create_task(leadscore.books())
    await asyncio.wait({looking})
    seen = max(seen, looking.result()["taken"])
    await kill(world.postgres)
    return seen
