"""Sales facts that come late, on a real Postgres: the stage, the ledger, the shadow, merged leads."""

from datetime import timedelta
from typing import Any

import pytest

from services.scorer.models import change_model
from shared import database as postgres
from shared.events import Event
from tests.scorer.conftest import AUTHOR, MODEL, World, event

pytestmark = pytest.mark.asyncio

STAGES = """
  opportunity:
    label: {en: Opportunity, de: Chance}
    enter: {from: [lead, mql], event: deal.created}
  recycled:
    label: {en: Recycled, de: Zurueck}
    enter: {from: opportunity, event: deal.lost}
"""


@pytest.fixture
def model() -> str:
    """The small model, with deals."""
    return MODEL[: MODEL.index("  recycled:")].rstrip() + STAGES


def said(message: str, name: str, age_s: int, email: str = "ada@example.com", **properties: Any) -> Event:
    """What a CRM says happened so many seconds ago."""
    age = timedelta(seconds=age_s)
    return event(message, name=name, kind="crm", age=age, email=email, properties=properties)


async def tell(world: World, *events: Event) -> None:
    """Send events one by one, each counted before the next is sent."""
    taken = (await world.books())["taken"]
    for number, one in enumerate(events, start=taken + 1):
        await world.send([one])
        await world.until_taken(number)


async def path(world: World) -> list[tuple[str, str, str]]:
    rows = await world.fetch("SELECT previous_stage, stage, cause FROM transitions ORDER BY sequence")
    return [(row["previous_stage"], row["stage"], row["cause"]) for row in rows]


async def test_a_deal_that_is_lost_before_it_is_created_ends_as_in_order(world: World) -> None:
    """Lost 60 s ago arrives first, created 600 s ago arrives then: recycled, with one transition."""
    await world.scorer().start()
    await tell(world, said("lost", "deal.lost", 60), said("created", "deal.created", 600))
    assert await path(world) == [("visitor", "lead", "identified"), ("lead", "recycled", "event")]
    (lead,) = await world.fetch("SELECT lead_id, stage FROM leads")
    assert lead["stage"] == "recycled"
    (moved,) = await world.fetch(
        "SELECT t.sequence, t.event_received_at = e.received_at AS told, e.name "
        "FROM transitions t JOIN events e ON e.event_id = t.cause_event WHERE t.cause = 'event'"
    )
    assert moved == {"sequence": 2, "told": True, "name": "deal.created"}


async def test_the_shadow_hears_late_facts_in_order_too(world: World, model: str) -> None:
    """The active model knows no deals, the shadow does: only the shadow has to look into the history."""
    await world.publish(MODEL)
    async with postgres.transaction(world.engine) as connection:
        number = await change_model.draft(connection, ("shadow", model, {}), AUTHOR)
        await change_model.shadow(connection, number, AUTHOR)
    await world.scorer().start()
    await tell(world, said("lost", "deal.lost", 60), said("created", "deal.created", 600))
    assert await world.fetch("SELECT stage FROM leads") == [{"stage": "lead"}]
    assert await world.fetch("SELECT stage FROM shadow_leads") == [{"stage": "recycled"}]


async def test_a_merged_lead_knows_what_sales_said_about_both(world: World) -> None:
    """A deal is lost under one address and created under another: late, after both became one person."""
    await world.scorer().start()
    await tell(
        world,
        said("lost", "deal.lost", 60, "ada@example.com", deal_id=7),
        event("visit", anonymous_id="a", user_id="u"),
        event("known", name="person.identified", user_id="u", email="ada@example.com"),
        said("created", "deal.created", 600, "ada@example.com", deal_id=7),
        said("again", "deal.created", 30, "ada@example.com", deal_id=7),
    )
    assert len(await world.fetch("SELECT 1 FROM lead_merges")) == 1
    assert await world.fetch("SELECT stage FROM leads WHERE merged_into IS NULL") == [{"stage": "recycled"}]
