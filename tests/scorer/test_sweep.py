"""Time alone changes a stage: the sweep, on a real Postgres with a model that forgets in minutes."""

from datetime import timedelta

import pytest

from services.scorer.sweep import Sweep
from tests.scorer.conftest import MODEL, Scorer, World, event
from tests.waiting import until

pytestmark = pytest.mark.asyncio


@pytest.fixture
def model() -> str:
    """Clicks that lose half their points every minute: 45 points are 30 after 35 s, and 28 after 41."""
    return MODEL.replace("half_life: 30d", "half_life: 1m").replace("score: 20", "score: 28")


async def stages(world: World) -> list[tuple[str, str]]:
    rows = await world.fetch("SELECT stage, cause FROM transitions ORDER BY sequence")
    return [(row["stage"], row["cause"]) for row in rows]


def sweep(scorer: Scorer) -> Sweep:
    return Sweep(database=scorer.engine, counter=scorer.consumer.counter, interval_s=0.05)


async def test_an_early_wake_up_is_harmless(world: World) -> None:
    """A lead looked at before its time keeps its stage, and is due again at the same moment."""
    scorer = world.scorer()
    await scorer.start()
    await world.send([event(f"c{n}", name="email.clicked", email="ada@example.com") for n in range(3)])
    await world.until_taken(3)
    assert await stages(world) == [("lead", "identified"), ("mql", "score")]
    due = await world.fetch("SELECT due_at FROM lead_due")
    assert len(due) == 1

    late = timedelta(minutes=5)
    await world.fetch("UPDATE lead_due SET due_at = due_at - $1::interval", late)
    await world.fetch("UPDATE leads SET due_at = due_at - $1::interval", late)
    assert await sweep(scorer).turn() == 1
    assert await stages(world) == [("lead", "identified"), ("mql", "score")], "woken early, and not fooled"
    again = await world.fetch("SELECT due_at FROM lead_due")
    assert abs(again[0]["due_at"] - due[0]["due_at"]) < timedelta(seconds=1)


async def test_a_due_lead_moves_down_with_the_receipt_of_that_moment(world: World) -> None:
    """When the line is crossed the transition says decay, and its score is below the line."""
    scorer = world.scorer()
    await scorer.start()
    age = timedelta(seconds=30)  # 45 points are 31.8 now: above 30 for another 5 seconds, above 28 for 11
    await world.send(
        [event(f"c{n}", name="email.clicked", email="ada@example.com", age=age) for n in range(3)]
    )
    await world.until_taken(3)
    assert ("mql", "score") in await stages(world)

    async def fallen() -> bool:
        await sweep(scorer).turn()
        return ("recycled", "decay") in await stages(world)

    await until(fallen, within_s=60)
    last = await world.fetch("SELECT score FROM transitions ORDER BY sequence DESC LIMIT 1")
    assert last[0]["score"] < 28


async def test_two_sweepers_share_the_work(world: World) -> None:
    """What one sweeper takes, the other does not see; nothing is judged twice."""
    scorer = world.scorer()
    await scorer.start()
    await world.send([event(f"c{n}", name="email.clicked", email=f"a{n}@example.com") for n in range(30)])
    await world.send([event(f"d{n}", name="email.clicked", email=f"a{n}@example.com") for n in range(30)])
    await world.until_taken(60)
    await world.fetch("UPDATE lead_due SET due_at = now() - interval '1 second'")
    waiting = (await world.fetch("SELECT count(*)::int AS n FROM lead_due"))[0]["n"]
    first, second = sweep(scorer), sweep(scorer)
    assert await first.turn() + await second.turn() == waiting > 0
