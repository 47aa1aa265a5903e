"""The board after scorers were killed: what a killed one had noted is found by the walk of the next."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shared import database as postgres
from tests.installation import CRM_KEY, PRODUCT_KEY, Installation
from tests.scorer.board.reading import agrees, shown
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]

PEOPLE = 400


def calls(number: int) -> list[dict[str, Any]]:
    """What somebody does: says who they are, and something more."""
    person = {"userId": f"u{number}", "timestamp": datetime.now(UTC).isoformat()}
    traits = {"email": f"u{number}@firm.example", "name": f"Person {number}", "company": "Firm"}
    return [
        {"type": "identify", "messageId": f"i{number}", "traits": traits, **person},
        {"type": "track", "event": "Report Exported", "messageId": f"t{number}", **person},
    ]


async def post(leadscore: Installation, key: str, batch: list[dict[str, Any]]) -> None:
    async with httpx.AsyncClient(auth=(key, ""), timeout=30) as client:
        answer = await client.post(f"{leadscore.ingest}/v1/batch", json={"batch": batch})
        assert answer.json()["accepted"] == len(batch)


async def test_a_killed_scorer_leaves_no_hole_in_the_board(leadscore: Installation) -> None:
    """Kill -9 while it counts and shows, twice, then merges by a CRM: once quiet all is shown."""
    events = [call for number in range(PEOPLE) for call in calls(number)]
    for start in range(0, len(events), 200):
        await post(leadscore, PRODUCT_KEY, events[start : start + 200])
    for kill_at in (100, 500):
        await until(lambda at=kill_at: leadscore.counted(at), within_s=60)  # type: ignore[misc]
        await leadscore.scorer.kill()
        assert (await leadscore.books())["taken"] < len(events), "killed too late to interrupt anything"
        await leadscore.scorer.start()
    merges = [
        {
            "type": "identify",
            "userId": f"c{n}",
            "messageId": f"c{n}",
            "traits": {"email": f"u{n}@firm.example"},
        }
        for n in range(20)
    ]
    alone = [{"type": "track", "event": "Called", "userId": f"c{n}", "messageId": f"a{n}"} for n in range(20)]
    await post(leadscore, CRM_KEY, alone)
    await post(leadscore, CRM_KEY, merges)
    await until(lambda: leadscore.taken(len(events) + 40), within_s=60)
    engine = postgres.engine(leadscore.database, application="test", pool_size=1)
    await until(lambda: agrees(engine), within_s=60)
    assert len(await shown(engine)) == PEOPLE
    await engine.dispose()
    assert await leadscore.off() == []
