"""One run from sending to report, with nobody who counts."""

from datetime import UTC, datetime

import httpx
import pytest

from services.cli.demo.plan import plan
from services.cli.demo.replay import Progress, replay
from services.cli.demo.rows import Row
from services.cli.demo.send import Address
from services.cli.demo.watch import Watcher
from shared.database import engine
from tests.cli.demo.conftest import Listener

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.asyncio
async def test_nobody_counts(database: str, listener: Listener, address: Address, rows: list[Row]) -> None:
    """Without a scorer the run ends by itself, and reports how many accepted events are not counted."""
    made = plan(rows[-250:], NOW, "r")
    told: list[int] = []

    def tell(progress: Progress) -> None:
        told.append(progress.sent)

    def metrics(_request: httpx.Request) -> httpx.Response:
        accepted = made.events if listener.got else 0
        return httpx.Response(200, text=f"leadscore_ingest_accepted_events_total {accepted}\n")

    tables = engine(database, application="tests", pool_size=1)
    async with httpx.AsyncClient(transport=httpx.MockTransport(metrics)) as client:
        watcher = await Watcher.begin(tables, client, "http://metrics/")
        report = await replay(made, address, watcher, tell=tell, still_s=0.5)
    await tables.dispose()
    assert report.sent.events == made.events > 250
    assert report.sent.refused == 0
    assert told[-1] == made.events
    assert report.tally.processed == 0
    [shortfall] = report.shortfalls()
    assert f"{made.events} accepted events are not counted" in shortfall
