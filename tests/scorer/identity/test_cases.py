"""Who is who, over the real ingest and the real database: stories that went wrong in other products.

Every story in every order of its steps (a sample, where there are many), and with each step sent twice.
"""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, permutations
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
import yaml

from services.ingest import app as http
from services.ingest import source_file
from services.ingest.limits import Limits
from services.ingest.middleware import Admission
from services.ingest.publish import ParcelPublisher
from services.ingest.receive import Receiver
from services.router import route_file
from services.router.loop_health import LoopHealth
from services.router.plan import Planner
from shared.clock import SystemClock
from shared.codec import decode
from shared.database import transaction
from shared.events import Event
from shared.ids import SystemIds
from shared.leads.find import find
from shared.testing import FrozenClock, MemoryBroker
from shared.topics import Topics
from tests.ingest.senders import SENDGRID_PUBLIC_KEY
from tests.scorer.identity.people import RULES, Town, consistent

CONFIG = Path(__file__).resolve().parents[3] / "deploy" / "config"
CASES = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text())
GUIDE = [
    yaml.safe_load(block)
    for block in re.findall(
        r"```yaml\n(.*?)```", (CONFIG.parents[1] / "docs" / "guides" / "identity.md").read_text(), re.DOTALL
    )
]
KEYS = {"website": "w" * 20, "product": "p" * 20, "crm": "c" * 20}
ENVIRONMENT = {
    **{f"LEADSCORE_KEY_{name.upper()}": key for name, key in KEYS.items()},
    "SENDGRID_PUBLIC_KEY": SENDGRID_PUBLIC_KEY,
}
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "origin": "http://localhost:8000"}
MOST_ORDERS = 24
ROUTING = """
version: 1
destinations: [{name: sales, kind: kafka}]
routes: [{name: qualified, when: {stage: mql}, to: [sales]}]
"""


@pytest_asyncio.fixture
async def ingest() -> AsyncIterator[tuple[httpx.AsyncClient, MemoryBroker]]:
    """The real app with the shipped sources, before a Kafka in memory."""
    registry = source_file.read(
        (CONFIG / "sources.yaml").read_text(), file="sources.yaml", environment=ENVIRONMENT
    )
    broker = MemoryBroker()
    await broker.start()
    receiver = Receiver(
        registry=registry,
        parcels=ParcelPublisher(broker, Topics()),
        clock=SystemClock(),
        ids=SystemIds(),
        limits=Limits(),
    )
    app = http.create(receiver, registry, Admission(max_in_flight=64, trouble=broker.trouble))
    transport = httpx.ASGITransport(app=app, client=("203.0.113.77", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest.test") as client:
        yield client, broker


def expanded(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each step as often as it says, with its number."""
    return [
        {
            key: value.replace("{n}", str(n)) if isinstance(value, str) else value
            for key, value in step.items()
            if key != "repeat"
        }
        for step in steps
        for n in range(1, step.get("repeat", 1) + 1)
    ]


def orders(steps: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Every order of a few steps; of many the first ones, and each rotation backwards."""
    if len(steps) <= 4:
        yield from (list(order) for order in permutations(steps))
        return
    yield from (list(order) for order in islice(permutations(steps), 0, None, 997) if order)


async def sent(
    client: httpx.AsyncClient, broker: MemoryBroker, step: dict[str, Any], message: str
) -> list[Event]:
    """Send one step over HTTP; the events that ingest made of it."""
    before = len(broker.on(Topics().events))
    if "form" in step:
        body = {key: value for key, value in step.items() if key in {"email", "anonymous_id"}}
        answer = await client.post(
            f"/v1/forms/{step['form']}", json={**body, "_id": message}, headers=BROWSER
        )
    else:
        at = datetime.now(UTC) - timedelta(seconds=step.get("ago", 0))
        body = {key: value for key, value in step.items() if key not in {"source", "call", "ago", "email"}}
        if "email" in step:
            body["context"] = {"traits": {"email": step["email"]}}
        if "ago" in step:
            body["timestamp"] = at.isoformat()
        answer = await client.post(
            f"/v1/{step['call']}", json={**body, "messageId": message}, auth=(KEYS[step["source"]], "")
        )
    assert answer.status_code == 200, answer.text
    return [decode(record.value) for record in broker.on(Topics().events)[before:]]


@pytest.mark.asyncio
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_a_story_ends_as_people_expect(
    reference_town: Town, ingest: tuple[httpx.AsyncClient, MemoryBroker], case: dict[str, Any]
) -> None:
    """In every order, with every step twice."""
    steps = expanded(case["steps"])
    for order in islice(orders(steps), MOST_ORDERS):
        await reference_town.clear()
        for step in order:
            message = str(uuid4())
            for _ in range(2):
                await reference_town.count(*await sent(*ingest, step, message))
        await expected(reference_town, case["expect"])
        await consistent(reference_town)


@pytest.mark.asyncio
@pytest.mark.parametrize("story", GUIDE, ids=range(len(GUIDE)))
async def test_what_the_guide_tells_is_true(
    reference_town: Town, ingest: tuple[httpx.AsyncClient, MemoryBroker], story: dict[str, Any]
) -> None:
    """Every story of docs/guides/identity.md ends as it says there."""
    for step in expanded(story["steps"]):
        await reference_town.count(*await sent(*ingest, step, str(uuid4())))
    await expected(reference_town, story["expect"])


async def expected(town: Town, expect: dict[str, Any]) -> None:
    """Everything that a story says about its end."""
    live = await town.fetch("SELECT lead_id, stage FROM leads WHERE merged_into IS NULL")
    assert len(live) == expect["leads"]
    if "stage" in expect:
        assert {row["stage"] for row in live} == {expect["stage"]}
    async with transaction(town.engine) as connection:
        for who, stage in expect.get("stages", {}).items():
            lead = await find(connection, who, RULES)
            assert [row["stage"] for row in live if row["lead_id"] == lead] == [stage]
        found = {await find(connection, who, RULES) for who in expect.get("found_by", [])}
        assert len(found) <= 1
    if "conflicts" not in expect and "deliveries" not in expect:
        assert not await town.fetch("SELECT 1 FROM identity_conflicts")
    nobody = await town.fetch("SELECT 1 FROM events WHERE quarantine = 'nobody'")
    assert len(nobody) == expect.get("of_nobody", 0)
    if "conflicts" in expect:
        assert len(await town.fetch("SELECT 1 FROM identity_conflicts")) == expect["conflicts"]
    if "deliveries" in expect:
        assert await planned(town) == expect["deliveries"]


async def planned(town: Town) -> int:
    """How many deliveries the router makes of it."""
    routing = route_file.parse(ROUTING, {})
    planner = Planner(
        town.engine, routing, batch=50, pulse=LoopHealth("plan", FrozenClock()), planned=lambda: None
    )
    while await planner.turn():
        continue
    return len(await town.fetch("SELECT 1 FROM deliveries"))
