"""Counted once, whatever is killed: the Segment SDK sends, scorers die, the books balance."""

import asyncio
import json
from collections.abc import Iterator
from threading import Event as Flag

import pytest
from segment.analytics.client import Client

from tests.installation import PRODUCT_KEY, Installation
from tests.waiting import until

EVENTS = 10_000
VISITORS = 200


def calls() -> Iterator[dict[str, object]]:
    """What a product sends: many people, some of whom say who they are."""
    for number in range(EVENTS):
        yield {
            "anonymous_id": f"visitor-{number % VISITORS}",
            "event": "Feature Used",
            "properties": {"feature": f"f{number % 17}", "number": number},
            "message_id": f"message-{number}",
        }


def send_all(host: str, failures: list[str], *, gzip: bool) -> None:
    """Send everything with the SDK as published; blocks until its queue is empty."""
    client = Client(
        PRODUCT_KEY,
        host=host,
        gzip=gzip,
        max_queue_size=EVENTS,
        on_error=lambda error, _batch: failures.append(repr(error)),
    )
    for call in calls():
        accepted, _ = client.track(**call)
        assert accepted, "the SDK's own queue was full"
    client.flush()
    client.join()


@pytest.mark.asyncio
@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
async def test_three_killed_scorers_count_every_event_once(leadscore: Installation, *, gzip: bool) -> None:
    """10,000 events from the unmodified SDK, three kill -9 of the scorer: 10,000 counted, none twice."""
    failures: list[str] = []
    sent = Flag()

    def send() -> None:
        send_all(leadscore.ingest, failures, gzip=gzip)
        sent.set()

    sending = asyncio.create_task(asyncio.to_thread(send))
    for kill_at in (500, 2_500, 6_000):
        await until(lambda at=kill_at: leadscore.counted(at), within_s=60)  # type: ignore[misc]
        await leadscore.scorer.kill()
        assert (await leadscore.books())["taken"] < EVENTS, "killed too late to interrupt anything"
        assert await leadscore.off() == []
        await leadscore.scorer.start()
    await asyncio.wait_for(sending, 60)
    assert failures == []
    await until(lambda: leadscore.taken(EVENTS), within_s=60)

    books = await leadscore.books()
    assert (books["counted"], books["dead_lettered"], books["quarantined"]) == (EVENTS, 0, 0)
    assert books["taken"] == books["counted"] + books["duplicate"]
    rows = await leadscore.fetch("SELECT convert_from(body, 'UTF8') AS body FROM events")
    numbers = sorted(json.loads(row["body"])["properties"]["number"] for row in rows)
    assert numbers == list(range(EVENTS))
    leads = await leadscore.fetch("SELECT sum(event_count)::int AS n FROM leads WHERE merged_into IS NULL")
    assert leads[0]["n"] == EVENTS
    assert await leadscore.off() == []
