"""The main job, on the real servers: from a page view to a signed webhook."""

import json
import time
import uuid
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from standardwebhooks.webhooks import Webhook

from tests.installation import WEBHOOK_SECRET, WEBSITE_KEY, Installation
from tests.waiting import until

pytestmark = pytest.mark.asyncio

EMAIL = "ada@engines.example"


async def view_pricing(client: httpx.AsyncClient, anonymous_id: str) -> None:
    """One page view, as the tracking snippet and Segment's browser SDK send it."""
    answer = await client.post(
        "/v1/page",
        auth=(WEBSITE_KEY, ""),
        json={
            "anonymousId": anonymous_id,
            "messageId": str(uuid.uuid4()),
            "properties": {"path": "/pricing", "url": "https://www.example.com/pricing"},
            "context": {"campaign": {"source": "ads", "medium": "cpc", "name": "spring"}},
        },
    )
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


async def request_demo(client: httpx.AsyncClient, anonymous_id: str) -> None:
    """A plain HTML form, as a browser posts it."""
    answer = await client.post(
        f"/v1/forms/demo-request?writeKey={WEBSITE_KEY}",
        headers={"Accept": "text/html,application/xhtml+xml", "Origin": "https://www.example.com"},
        data={
            "email": EMAIL,
            "name": "Ada Lovelace",
            "company": "Engines Ltd",
            "anonymous_id": anonymous_id,
        },
    )
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "https://www.example.com/thanks"


async def click_mail(leadscore: Installation) -> None:
    """A click in an e-mail, as SendGrid reports it."""
    answer = await leadscore.mail.post(
        f"{leadscore.ingest}/v1/hooks/sendgrid/email",
        [
            {
                "event": "click",
                "email": EMAIL,
                "timestamp": round(time.time()),
                "sg_event_id": uuid.uuid4().hex,
                "sg_message_id": "m-1",
                "url": "https://www.example.com/pricing",
                "useragent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140 Safari/537.36",
            }
        ],
    )
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1), answer.text


async def sales_queue(leadscore: Installation) -> list[dict[str, Any]]:
    """Everything on leads.sales.v1, with its key."""
    consumer = AIOKafkaConsumer(bootstrap_servers=leadscore.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(leadscore.topics.sales, number) for number in range(3)]
        consumer.assign(partitions)
        wanted = sum((await consumer.end_offsets(partitions)).values())
        found: list[dict[str, Any]] = []
        while len(found) < wanted:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [{"key": record.key.decode(), **json.loads(record.value)} for record in records]
        return found
    finally:
        await consumer.stop()


async def stages(leadscore: Installation) -> list[str]:
    rows = await leadscore.fetch("SELECT stage FROM transitions ORDER BY sequence")
    return [row["stage"] for row in rows]


async def months_are_made_ahead(leadscore: Installation) -> bool:
    return await leadscore.scorer.metric("leadscore_scorer_event_months_ahead") == 3


async def test_a_visitor_becomes_sales_qualified(leadscore: Installation) -> None:
    """Anonymous views, then a form, then a click: one lead, MQL then SQL, and sales knows why."""
    await until(lambda: months_are_made_ahead(leadscore))
    async with httpx.AsyncClient(base_url=leadscore.ingest) as client:
        await view_pricing(client, "visitor-1")
        await view_pricing(client, "visitor-1")
        await until(lambda: leadscore.counted(2))
        await request_demo(client, "visitor-1")
        await until(lambda: _reached(leadscore, "mql"))
    assert await stages(leadscore) == ["lead", "mql"]
    await click_mail(leadscore)
    await until(lambda: _reached(leadscore, "sql"))
    await until(lambda: len(leadscore.receiver.hits) >= 2)

    assert await stages(leadscore) == ["lead", "mql", "sql"]
    leads = await leadscore.fetch("SELECT * FROM leads WHERE merged_into IS NULL")
    assert [(lead["stage"], lead["event_count"]) for lead in leads] == [("sql", 4)]

    bodies = [verified(leadscore, number) for number in range(2)]
    assert [body["data"]["stage"] for body in bodies] == ["mql", "sql"]
    for body in bodies:
        assert body["type"] == "lead.stage_changed"
        assert sum(reason["points"] for reason in body["data"]["reasons"]) == body["data"]["score"]
    assert bodies[1]["data"]["score"] == leads[0]["score"]

    queued = await sales_queue(leadscore)
    assert [one["data"]["stage"] for one in queued] == ["mql", "sql"]
    assert {one["key"] for one in queued} == {str(leads[0]["lead_id"])}


async def test_what_came_twice_is_told_once(leadscore: Installation) -> None:
    """The same form sent again with the same ids makes neither points nor a second webhook."""
    message = {
        "type": "track",
        "event": "form.submitted",
        "anonymousId": "visitor-2",
        "messageId": "the-same-message",
        "properties": {"form": "demo-request"},
        "context": {"traits": {"email": EMAIL, "company": "Engines Ltd"}},
    }
    async with httpx.AsyncClient(base_url=leadscore.ingest) as client:
        for _ in range(5):
            answer = await client.post(
                "/v1/batch", auth=(WEBSITE_KEY, ""), json={"batch": [message, message]}
            )
            assert answer.status_code == 200
    await until(lambda: leadscore.taken(10))
    books = await leadscore.books()
    assert (books["counted"], books["duplicate"]) == (1, 9)


def verified(leadscore: Installation, number: int) -> dict[str, Any]:
    """The body of a request the receiver got, after the standardwebhooks package accepted its signature."""
    hit = leadscore.receiver.hits[number]
    body: dict[str, Any] = Webhook(WEBHOOK_SECRET).verify(hit.body, dict(hit.headers))
    return body


async def _reached(leadscore: Installation, stage: str) -> bool:
    return stage in await stages(leadscore)
