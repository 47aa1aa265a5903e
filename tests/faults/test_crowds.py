"""Rows 18 and 29 of the fault matrix: everybody turns out to be somebody else, and one does most of it."""

import asyncio
import time
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import httpx
import pytest

from shared.codec import encode, partition_key
from shared.ids import event_id
from tests.faults.aftermath import all_is_well, ends_of_events, taken_of_events
from tests.faults.raw import produce
from tests.faults.report import Row
from tests.faults.seed import ROUNDS
from tests.faults.traffic import Traffic, flowing
from tests.faults.watching import counted_more, watched
from tests.installation import CRM_KEY, PRODUCT_KEY, WEBSITE_KEY, Installation
from tests.scorer.conftest import event
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(300 + 120 * ROUNDS)]

_KEYS: Final = {"product": PRODUCT_KEY, "crm": CRM_KEY, "web": WEBSITE_KEY}
_SOURCES: Final = {"product": "product", "crm": "crm", "web": "website"}
PAIRS: Final = 60
POINTS: Final = 1_500
USERS: Final = 200
_DEADLOCKS: Final = "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()"

Told = tuple[str, dict[str, Any]]


def both_ways() -> list[Told]:
    """Two leads each of whom is the other, told by two systems at once, and a third who is both."""
    told: list[Told] = []
    for n in range(PAIRS):
        traits = {"email": f"pair{n}@both{n}.example"}
        told += [
            ("product", {"userId": f"pair{n}", "anonymousId": f"pair{n}"}),
            ("crm", {"userId": f"contact{n}"}),
            ("product", {"userId": f"pair{n}", "traits": traits}),
            ("crm", {"userId": f"contact{n}", "traits": traits}),
            ("web", {"anonymousId": f"device{n}", "traits": traits}),
        ]
    return told


def chains() -> list[Told]:
    """Device, user, address, contact, another address, another device: one person each, link by link."""
    told: list[Told] = []
    for n in range(PAIRS):
        first, second = (f"chain{n}@{one}.example" for one in ("first", "second"))
        told += [
            ("web", {"anonymousId": f"link{n}", "traits": {"email": first}}),
            ("product", {"userId": f"chain{n}", "traits": {"email": first}}),
            ("product", {"userId": f"chain{n}", "traits": {"email": second}}),
            ("crm", {"userId": f"last{n}", "traits": {"email": second}}),
            ("web", {"anonymousId": f"end{n}", "traits": {"email": second}}),
        ]
    return told


def star() -> list[Told]:
    """One user with very many devices."""
    return [("product", {"userId": "star", "anonymousId": f"ray{n}"}) for n in range(POINTS)]


def kiosk() -> list[Told]:
    """One device that very many users share."""
    return [("product", {"userId": f"visitor{n}", "anonymousId": "kiosk"}) for n in range(USERS)]


async def tell(leadscore: Installation, traffic: Traffic, told: Sequence[Told]) -> None:
    """Tell it all, in order, each source by its own key."""
    async with httpx.AsyncClient(base_url=leadscore.ingest, timeout=30) as client:
        for key, name in _KEYS.items():
            items = [
                {"type": "identify", "messageId": str(traffic.chance.getrandbits(64)), **body}
                for source, body in told
                if source == key
            ]
            for first in range(0, len(items), 50):
                some = items[first : first + 50]
                answer = await client.post("/v1/batch", auth=(name, ""), json={"batch": some})
                assert (answer.status_code, answer.json()["accepted"]) == (200, len(some)), answer.text
                ids = {event_id(_SOURCES[key], item["messageId"]) for item in some}
                traffic.sent |= ids
                traffic.acknowledged |= ids


@pytest.mark.slow
@pytest.mark.parametrize("ties", [100, 1_000_000], ids=["limited", "unlimited"])
@pytest.mark.fault(18, "merge races")
async def test_row_18_merge_races(leadscore: Installation, chance: Random, row: Row, ties: int) -> None:
    """Three scorers merge circles, chains and stars at once: one person each, and nobody waits for long."""
    row.fault += f", at most {ties} ties per hour"
    scorers = [leadscore.scorer, leadscore.another_scorer(), leadscore.another_scorer()]
    for each in scorers:
        each.environment = {**each.environment, "LEADSCORE_SCORER_IDENTIFIER_TIES_PER_HOUR": str(ties)}
    await leadscore.start()
    for each in scorers[1:]:
        await each.start()
    traffic = Traffic(leadscore, chance)
    told = [*both_ways(), *chains(), *star(), *kiosk()]
    async with watched(leadscore) as pause:
        shares = [chance.sample(told, len(told)) for _ in range(1 + ROUNDS)]
        await asyncio.gather(*(tell(leadscore, traffic, share) for share in shares))
    deadlocks = (await leadscore.fetch(_DEADLOCKS))[0]["deadlocks"]
    races = [
        await each.metric('leadscore_scorer_batch_retries_total{reason="identity_race"}') for each in scorers
    ]
    await all_is_well(row, leadscore, traffic)
    row.note(longest_pause_s=pause.longest_s, deadlocks=deadlocks, identity_races=sum(races))
    pairs = await _people(leadscore, "pair%@both%.example")
    assert len(pairs) == PAIRS
    suspended = await leadscore.fetch("SELECT 1 FROM identities WHERE status = 'suspended'")
    assert bool(suspended) == (ties == 100)
    assert pause.longest_s < 15


async def _people(leadscore: Installation, like: str) -> set[Any]:
    """The leads that events with such an address count for."""
    rows = await leadscore.fetch(
        "SELECT DISTINCT coalesce(l.merged_into, l.lead_id) AS lead "
        "FROM events e JOIN leads l USING (lead_id) "
        "WHERE convert_from(e.body, 'UTF8')::jsonb ->> 'email' LIKE $1",
        like,
    )
    return {row["lead"] for row in rows}


HOT: Final = 20_000
BATCH: Final = 1_000
FETCH_BYTES: Final = 1_048_576


@pytest.mark.slow
@pytest.mark.fault(29, "one lead takes most of the events")
async def test_row_29_a_hot_key(leadscore: Installation, chance: Random, row: Row) -> None:
    """While its partition has a backlog, events of others wait for a few batches of it, not for all."""
    more = {"LEADSCORE_SCORER_BATCH_RECORDS": str(BATCH)}
    leadscore.scorer.environment = {**leadscore.scorer.environment, **more}
    await leadscore.start()
    hot = [event(f"hot{n}", anonymous_id="hot") for n in range(HOT * ROUNDS)]
    ids = {one.event_id for one in hot}
    async with flowing(leadscore, chance) as traffic:
        await counted_more(leadscore, 100)
        began = time.monotonic()
        flood = asyncio.create_task(
            produce(leadscore, [(None, encode(one), partition_key(one)) for one in hot])
        )
        waits = await _hot_before_others(leadscore, flood)
        hot_s = time.monotonic() - began
        await flood
    traffic.sent |= ids
    traffic.acknowledged |= ids
    row.note(hot_per_s=len(hot) / hot_s, hot_before_others=max(waits), looks=len(waits))
    await all_is_well(row, leadscore, traffic)
    # What a fetch of the hot partition holds, some 4,000, is counted first; one more is on its way.
    assert max(waits) <= 2 * FETCH_BYTES / len(encode(hot[0])) + BATCH


async def _hot_before_others(leadscore: Installation, flood: asyncio.Task[None]) -> list[int]:
    """How many hot events were counted until the others that lay there were, while there is a backlog."""
    waits: list[int] = []
    while True:
        ends = await ends_of_events(leadscore)
        hottest = max(ends, key=ends.__getitem__)
        before = (await taken_of_events(leadscore)).get(hottest, 0)

        async def others_taken(ends: dict[int, int] = ends, hottest: int = hottest) -> bool:
            taken = await taken_of_events(leadscore)
            return all(taken.get(number, 0) >= end for number, end in ends.items() if number != hottest)

        await until(others_taken, within_s=60)
        waits.append((await taken_of_events(leadscore))[hottest] - before)
        if flood.done() and (await taken_of_events(leadscore)).get(hottest, 0) >= ends[hottest]:
            return waits
