"""Kafka and Postgres go away and come back: nobody is told a lie, nothing is lost or counted twice."""

import os
import signal
import time
from typing import Any

import httpx
import pytest

from tests.books import balanced
from tests.faults.conftest import World
from tests.installation import PRODUCT_KEY, Installation
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(240)]

ACK_S = 5.0


def batch(first: int, number: int) -> dict[str, Any]:
    """A batch of events with ids of their own."""
    return {
        "batch": [
            {"type": "track", "event": "Used", "anonymousId": f"a{n % 20}", "messageId": f"m{n}"}
            for n in range(first, first + number)
        ]
    }


async def post(leadscore: Installation, body: dict[str, Any]) -> httpx.Response:
    async with httpx.AsyncClient(base_url=leadscore.ingest, timeout=30) as client:
        return await client.post("/v1/batch", auth=(PRODUCT_KEY, ""), json=body)


async def test_frozen_kafka_is_a_503_within_the_deadline(world: World) -> None:
    """Kafka frozen: a 503 with seconds in Retry-After, in time; afterwards a repetition counts once."""
    leadscore = world.leadscore
    assert world.kafka.pid is not None
    assert (await post(leadscore, batch(0, 10))).status_code == 200
    os.kill(world.kafka.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = await post(leadscore, batch(10, 10))
        waited_s = time.monotonic() - began
    finally:
        os.kill(world.kafka.pid, signal.SIGCONT)
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["code"]
    assert answer.json()["message"]
    assert waited_s < ACK_S + 2
    await until(lambda: _accepted(leadscore, batch(10, 10)), within_s=60)
    await until(lambda: leadscore.counted(20), within_s=60)
    books = await leadscore.books()
    assert (books["counted"], books["dead_lettered"]) == (20, 0)
    assert balanced(books)
    assert await leadscore.off() == []


@pytest.mark.servers
async def test_a_killed_router_delivers_all_the_same(leadscore: Installation) -> None:
    """The router killed -9 and started again: every transition reaches the receiver, in order per lead."""
    router = leadscore.services["router"]
    # What it had claimed waits for the end of its lease: short ones, for a test.
    short = {"LEADSCORE_ROUTER_LEASE_S": "12", "LEADSCORE_ROUTER_REQUEST_TIMEOUT_S": "2"}
    router.environment = {**router.environment, **short}
    await leadscore.start()
    form = {"form": "demo-request"}
    items = [
        {
            "type": "track",
            "event": "form.submitted",
            "userId": f"u{n}",
            "messageId": f"f{n}",
            "properties": form,
            "context": {"traits": {"email": f"u{n}@engines{n}.example", "company": "Engines Ltd"}},
        }
        for n in range(40)
    ]
    assert (await post(leadscore, {"batch": items})).status_code == 200
    await until(lambda: bool(leadscore.receiver.hits), within_s=60)
    await router.kill()
    await router.start()
    await until(lambda: _all_delivered(leadscore), within_s=120)
    wanted = {
        str(row["delivery_id"])
        for row in await leadscore.fetch("SELECT delivery_id FROM deliveries WHERE destination = 'crm'")
    }
    assert {hit.headers["webhook-id"] for hit in leadscore.receiver.hits} == wanted
    assert wanted
    assert await leadscore.off() == []


async def _accepted(leadscore: Installation, body: dict[str, Any]) -> bool:
    return (await post(leadscore, body)).status_code == 200


async def _all_delivered(leadscore: Installation) -> bool:
    open_ones = await leadscore.fetch(
        "SELECT (SELECT count(*) FROM transitions WHERE planned_at IS NULL) "
        "+ (SELECT count(*) FROM deliveries WHERE state <> 'delivered') AS n, "
        "(SELECT count(*) FROM deliveries) AS made"
    )
    return bool(open_ones[0]["n"] == 0 and open_ones[0]["made"] > 0)
