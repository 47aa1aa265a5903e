"""A mail gateway that makes an MQL, on the real servers: the CRM is told, and told that it was none."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.installation import PRODUCT_KEY, Installation
from tests.waiting import until

pytestmark = pytest.mark.asyncio

ADA = "ada@engines.example"
WHO = {"email": ADA, "company": "Engines", "employees": 250, "title": "Head of Sales"}
DAY_S = 86_400


def mail(event: str, sent_at: int, number: int = 0) -> dict[str, Any]:
    """What SendGrid reports of the mail that was delivered then; clicks a second after it."""
    told = {
        "event": event,
        "email": ADA,
        "timestamp": sent_at + (event == "click"),
        "sg_event_id": f"{event}-{sent_at}-{number}",
        "sg_message_id": f"mail-{sent_at}.filter{number}",
    }
    return (
        {**told, "url": f"https://www.example.com/{number}", "ip": "203.0.113.9"}
        if event == "click"
        else told
    )


async def reported(leadscore: Installation, *events: dict[str, Any]) -> None:
    answer = await leadscore.mail.post(f"{leadscore.ingest}/v1/hooks/sendgrid/email", list(events))
    assert (answer.status_code, answer.json()["accepted"]) == (200, len(events)), answer.text


async def test_six_links_at_delivery_on_two_days_are_taken_back(leadscore: Installation) -> None:
    """A click of each day arrives first: MQL. The deliveries and ten clicks follow: lead.corrected."""
    days = [round(time.time()) - 2 * DAY_S, round(time.time()) - DAY_S]
    async with httpx.AsyncClient(base_url=leadscore.ingest) as client:
        await client.post("/v1/identify", auth=(PRODUCT_KEY, ""), json={"userId": "user-1", "traits": WHO})
    await until(lambda: leadscore.counted(1))
    for number, day in enumerate(days, start=2):
        await reported(leadscore, mail("click", day))
        await until(lambda number=number: leadscore.counted(number))  # type: ignore[misc]
    await until(lambda: len(leadscore.receiver.hits) == 1)

    await reported(leadscore, *(mail("delivered", day) for day in days))
    await reported(leadscore, *(mail("click", day, number) for day in days for number in range(1, 6)))
    await until(lambda: len(leadscore.receiver.hits) == 2)
    first, second = (json.loads(hit.body) for hit in leadscore.receiver.hits)
    assert (first["type"], first["data"]["stage"]) == ("lead.stage_changed", "mql")
    assert (second["type"], second["data"]["stage"]) == ("lead.corrected", "lead")
    assert second["data"]["sequence"] == first["data"]["sequence"] + 1
    assert second["data"]["score"] == 32
    await until(lambda: leadscore.taken(15))
    rows = await leadscore.fetch("SELECT name FROM events WHERE quarantine IS NULL ORDER BY name")
    assert [row["name"] for row in rows] == ["email.delivered", "email.delivered", "person.identified"]
    assert await leadscore.off() == []
