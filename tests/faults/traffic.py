"""Traffic with known event ids, drawn from a seed: what senders do while something breaks.

In: an installation, a source of chance, how much. Out: batches posted to ingest, each until it is
acknowledged, as every SDK does, and the ids of all that were. Refuses to count a batch as acknowledged
without its 200.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import httpx

from shared.ids import EventId, event_id
from tests.installation import PRODUCT_KEY, Installation

SOURCE: Final = "product"
_BATCH: Final = 25
_PACE_S: Final = 0.05
_REFUSED_PACE_S: Final = 0.2
_LAST_BATCH_S: Final = 120.0

Make = Callable[[Random, str], dict[str, Any]]


def visit(chance: Random, message: str, *, people: int = 60) -> dict[str, Any]:
    """One event: mostly somebody unknown, sometimes one who says who it is, asks for a demo, or logs in."""
    who = chance.randrange(people)
    item: dict[str, Any] = {"type": "track", "event": "Feature Used", "messageId": message}
    drawn = chance.random()
    if drawn < 0.80:
        return {**item, "anonymousId": f"a{who}", "properties": {"feature": f"f{chance.randrange(9)}"}}
    if drawn < 0.90:
        return {**item, "userId": f"u{who}", "anonymousId": f"a{who}"}
    traits = {"email": f"u{who}@engines{who}.example", "company": f"Engines {who} Ltd"}
    asked = {**item, "event": "form.submitted", "properties": {"form": "demo-request"}}
    return {**asked, "userId": f"u{who}", "anonymousId": f"a{who}", "context": {"traits": traits}}


def any_time(chance: Random, message: str, *, days: float = 7) -> dict[str, Any]:
    """A visit that happened at some time of the last days, whenever it is told."""
    happened = datetime.now(UTC) - timedelta(days=chance.random() * days)
    return {**visit(chance, message), "timestamp": happened.isoformat()}


@dataclass(slots=True)
class Traffic:
    """Senders, and what they know.

    prefix:        of the message ids, so that several do not send the same
    sent:          ids of everything that was posted, acknowledged or not
    acknowledged:  ids of what got a 200
    repeated:      events posted again because the answer was no 200: at most so many are duplicates
    """

    leadscore: Installation
    chance: Random
    make: Make = visit
    prefix: str = "m"
    sent: set[EventId] = field(default_factory=set)
    acknowledged: set[EventId] = field(default_factory=set)
    repeated: int = 0
    ending: bool = False
    _number: int = 0

    async def send(self, events: int) -> list[dict[str, Any]]:
        """So many events, all acknowledged; returns them as they were posted."""
        items = [self.make(self.chance, message) for message in self._messages(events)]
        async with self._client() as client:
            for first in range(0, events, _BATCH):
                await self.post(client, items[first : first + _BATCH])
        return items

    async def flow(self) -> None:
        """Go on sending until `ending`."""
        async with self._client() as client:
            while not self.ending:
                items = [self.make(self.chance, message) for message in self._messages(_BATCH)]
                await self.post(client, items)
                await asyncio.sleep(_PACE_S)

    async def post(self, client: httpx.AsyncClient, items: list[dict[str, Any]]) -> None:
        """One batch, again and again until it is acknowledged."""
        ids = {event_id(SOURCE, item["messageId"]) for item in items}
        self.sent |= ids
        while not await self._accepted(client, items):
            self.repeated += len(items)
            await asyncio.sleep(_REFUSED_PACE_S)
        self.acknowledged |= ids

    async def _accepted(self, client: httpx.AsyncClient, items: list[dict[str, Any]]) -> bool:
        try:
            answer = await client.post("/v1/batch", auth=(PRODUCT_KEY, ""), json={"batch": items})
        except httpx.HTTPError:
            return False
        assert answer.status_code in {200, 503}, answer.text
        return answer.status_code == 200

    def _messages(self, number: int) -> Iterator[str]:
        for _ in range(number):
            self._number += 1
            yield f"{self.prefix}{self._number}"

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.leadscore.ingest, timeout=30)


@asynccontextmanager
async def flowing(leadscore: Installation, chance: Random, **given: Any) -> AsyncIterator[Traffic]:
    """Traffic for as long as the block lasts; the last batch is acknowledged before it ends."""
    traffic = Traffic(leadscore, chance, **given)
    task = asyncio.create_task(traffic.flow())
    try:
        yield traffic
        traffic.ending = True
        await asyncio.wait_for(asyncio.shield(task), _LAST_BATCH_S)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
