"""The walk through all leads after a publish: it gives way, and ends whatever a lead is like."""

import pytest

from services.scorer.models.rescore import Rescore
from tests.scorer.conftest import Scorer, World
from tests.scorer.test_model_life import DEARER, click, leads, rescore, scorer

pytestmark = pytest.mark.asyncio
__all__ = ["scorer"]  # a fixture


async def test_a_lead_that_breaks_us_is_passed_by(world: World, scorer: Scorer) -> None:
    """One lead with an unreadable ledger: everybody else gets the new score, and the walk ends."""
    world.broken_by_hand = True
    await click(world, *"abcde")
    version = await world.publish(DEARER)
    await world.fetch(
        "UPDATE leads SET ledger = 'broken' "
        "WHERE lead_id = (SELECT lead_id FROM leads ORDER BY lead_id OFFSET 2 LIMIT 1)"
    )
    part = rescore(scorer)
    while await part.turn_or_pass_by():
        continue
    assert sorted(row["score"] for row in await leads(world)) == [15, 32, 32, 32, 32]
    last = (await world.fetch("SELECT * FROM rescores ORDER BY rescore_id DESC"))[0]
    assert (last["version"], last["leads"], last["finished_at"] is not None) == (version, 5, True)


async def test_while_events_wait_a_walk_takes_a_tenth_of_the_time(world: World, scorer: Scorer) -> None:
    """On any machine; else it does not rest between its stretches."""
    waiting = True
    part = Rescore(
        database=scorer.engine, counter=scorer.consumer.counter, interval_s=1, behind=lambda: waiting
    )
    assert part._rest_s(0.5) == 4.5
    waiting = False
    assert part._rest_s(0.5) == 0
