"""The router as a whole: a transition goes in, a signed webhook and a sales queue record come out."""

import asyncpg
import pytest

from tests.router.conftest import Running
from tests.router.receiver import Receiver
from tests.router.situations import eventually, write_transition


@pytest.mark.asyncio
async def test_a_transition_reaches_the_webhook_and_the_sales_queue(
    running: Running, receiver: Receiver, sql: asyncpg.Connection
) -> None:
    """A sales qualified lead is posted with a signature that verifies, and is on leads.sales.v1."""
    async with running() as broker:
        await write_transition(sql)
        await eventually(lambda: bool(receiver.got and broker.on("leads.sales.v1")))
    posted, queued = receiver.got[0], broker.on("leads.sales.v1")[0]
    assert posted.verified()["data"]["reasons"][0]["sentence"] == "Asked for a demo."
    assert queued.value == posted.body
    assert dict(queued.headers)["ce_id"] != posted.id.encode(), "each destination has its own delivery"
