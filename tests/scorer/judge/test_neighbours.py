"""Several recipients of one company, seen by scorers that know nothing of each other."""

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from services.scorer.judge.judge import Judge
from services.scorer.judge.neighbours import Neighbours
from services.scorer.judge.thresholds import Thresholds
from services.scorer.store import domain_clicks
from shared.database import transaction
from shared.leads.identifiers import IdentityRules
from tests.scorer.conftest import KEY, World, event
from tests.scorer.identity.people import RULES, decoded
from tests.scorer.judge.conftest import LIMITS
from tests.scorer.judge.mails import MailTown, clicked
from tests.waiting import until

pytestmark = pytest.mark.asyncio

PEOPLE = [f"{name}@kunde.example" for name in ("bo", "cy", "di")]
CROWD = [clicked(600 + n, who=who) for n, who in enumerate(PEOPLE)]


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"leadscore_scorer_{name}_total", labels) or 0.0


async def test_batches_that_cannot_see_each_other_find_the_crowd_together(town: MailTown) -> None:
    """One is committed while the other is under way: whoever is last sees all."""
    async with transaction(town.engine) as connection:
        now = await connection.fetchval("SELECT now()")
        await town.counter.count(connection, [decoded(one) for one in CROWD[:2]], now=now)
        await town.count(CROWD[2])
        assert await town.not_counted() == {}
    await town.neighbours.work_off()
    assert len(await town.not_counted()) == 3


async def test_whoever_comes_next_looks_for_a_process_that_ended(town: MailTown) -> None:
    """Clicks whose batch was committed, and nothing more: another scorer's loop finds them, once."""
    for one in CROWD:
        async with transaction(town.engine) as connection:
            now = await connection.fetchval("SELECT now()")
            await town.counter.count(connection, [decoded(one)], now=now)
    assert len(await town.not_counted()) < 3
    await Neighbours(database=town.engine, counter=town.counter).work_off()
    assert len(await town.not_counted()) == 3
    assert await town.fetch("SELECT 1 FROM domain_clicks WHERE NOT looked") == []


async def test_what_is_old_is_forgotten(town: MailTown) -> None:
    """A click without neighbours after three days, one of a crowd after a hundred."""
    await town.count(*CROWD, clicked(5_000, who="ed@other.example"))
    for days, left in ((2, 4), (4, 3), (101, 0)):
        async with transaction(town.engine) as connection:
            await connection.execute(
                "UPDATE domain_clicks SET noted_at = now() - $1::interval", timedelta(days=days)
            )
            await domain_clicks.clean(connection)
        assert len(await town.fetch("SELECT 1 FROM domain_clicks")) == left


async def test_without_a_number_of_recipients_nobody_has_neighbours(town: MailTown) -> None:
    """Switched off while clicks wait to be looked at: they are left, and no click is noted any more."""
    for one in CROWD[:2]:
        async with transaction(town.engine) as connection:
            now = await connection.fetchval("SELECT now()")
            await town.counter.count(connection, [decoded(one)], now=now)
    town.counter.judge = Judge(replace(LIMITS, recipients=0), RULES)
    await town.count(CROWD[2])
    assert await town.not_counted() == {}
    assert len(await town.fetch("SELECT 1 FROM domain_clicks")) == 2


async def test_a_scorer_looks_right_after_its_batch_and_counts_what_it_did(world: World) -> None:
    """Three of one company in three batches: none counts in the end, and the metrics say so."""
    before = (
        metric("corrected_events", change="taken_back"),
        metric("quarantined_events", reason="neighbours"),
    )
    scorer = world.scorer()
    scorer.consumer.counter.judge = Judge(Thresholds(), IdentityRules(key=KEY))
    await scorer.start()
    for number, who in enumerate(PEOPLE, start=1):
        await world.send([event(f"c{number}", name="email.clicked", kind="email", email=who)])
        await world.until_taken(number)

    async def all_quarantined() -> bool:
        return await world.fetch("SELECT 1 FROM events WHERE quarantine IS NULL") == []

    await until(all_quarantined)
    after = metric("corrected_events", change="taken_back"), metric("quarantined_events", reason="neighbours")
    assert (after[0] - before[0]) + (after[1] - before[1]) == 3
    assert after[1] - before[1] == 1
