"""What is asked of an installation while something breaks: how far it is, who owns what, how long it paused.

In: a running installation. Out: numbers; waiting always has a limit.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.faults.aftermath import ends_of_events, taken_of_events
from tests.installation import Installation, Service
from tests.waiting import until

SESSION_S = 6.0  # LEADSCORE_SCORER_SESSION_S of tests/installation.py
FENCED = 'leadscore_scorer_batch_retries_total{reason="fenced"}'


async def counted_more(leadscore: Installation, events: int, within_s: float = 60) -> None:
    """Wait until so many more events are counted."""
    before = (await leadscore.books())["counted"]
    await until(lambda: leadscore.counted(before + events), within_s=within_s)


async def all_taken_until_now(leadscore: Installation, within_s: float = 60) -> float:
    """Wait until what Kafka has now is committed, in every partition; returns the seconds it took."""
    began, ends = time.monotonic(), await ends_of_events(leadscore)

    async def taken() -> bool:
        there = await taken_of_events(leadscore)
        return all(there.get(number, 0) >= end for number, end in ends.items())

    await until(taken, within_s=within_s)
    return time.monotonic() - began


async def owners(leadscore: Installation) -> set[int]:
    """The process ids of those who hold partitions."""
    rows = await leadscore.fetch("SELECT DISTINCT owner FROM partition_offsets")
    return {int(row["owner"].rsplit(":", 1)[1]) for row in rows}


async def until_owned_by(leadscore: Installation, *scorers: Service, within_s: float = 60) -> None:
    """Wait until these and no others hold partitions."""

    async def owned() -> bool:
        return await owners(leadscore) == {scorer.pid for scorer in scorers}

    await until(owned, within_s=within_s)


@dataclass(slots=True)
class Pause:
    """How long nothing was counted at the longest."""

    longest_s: float = 0.0


@asynccontextmanager
async def watched(leadscore: Installation) -> AsyncIterator[Pause]:
    """Look at the books for as long as the block lasts."""
    pause = Pause()
    task = asyncio.create_task(_watch(leadscore, pause))
    try:
        yield pause
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _watch(leadscore: Installation, pause: Pause) -> None:
    counted, since = 0, time.monotonic()
    while True:
        now_counted, now = (await leadscore.books())["counted"], time.monotonic()
        pause.longest_s = max(pause.longest_s, now - since)
        if now_counted > counted:
            counted, since = now_counted, now
        await asyncio.sleep(0.1)
