"""One run: send everything, watch it being counted and delivered, report.

In: a plan, senders, a watcher. Out: a `Report`, and every half a second a word about how far it is.
Refuses to wait for ever: it gives up when nothing has moved for a while, and the report says what is missing.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from services.cli.demo.plan import Plan
from services.cli.demo.report import Report, Sent, Times
from services.cli.demo.send import Address, Browser, Mailer, Shop
from services.cli.demo.watch import Standing, Watcher

_LOOK_S: Final = 0.25


@dataclass(slots=True)
class Progress:
    """How far a run is, in events; `sent` is written by the sending thread."""

    sent: int = 0
    standing: Standing | None = None


Tell = Callable[[Progress], None]


async def replay(plan: Plan, address: Address, watcher: Watcher, *, tell: Tell, still_s: float) -> Report:
    """Send the plan and wait until it is counted and delivered.

        tell:     called with the progress a few times a second
        still_s:  give up when nothing has moved for so many seconds

    Raises httpx.HTTPError or Transient if ingest or the database cannot be reached at all.
    """
    progress = Progress()
    began = time.monotonic()
    sending = asyncio.create_task(asyncio.to_thread(_send, plan, address, progress))
    while not (await asyncio.wait({sending}, timeout=_LOOK_S))[0]:
        progress.standing = await watcher.look()
        tell(progress)
    refused = await sending
    sent_at = time.monotonic()
    counted_at, standing = await _follow(watcher, progress, tell, still_s)
    return Report(
        run=plan.run.id,
        sent=Sent(calls=len(plan.calls), mails=len(plan.mails), forms=len(plan.submits), refused=refused),
        intake=standing.intake,
        tally=standing.tally,
        leads=await watcher.leads(),
        deliveries=standing.deliveries,
        times=Times(
            sending=sent_at - began, counting=counted_at - sent_at, delivering=time.monotonic() - counted_at
        ),
    )


async def _follow(watcher: Watcher, progress: Progress, tell: Tell, still_s: float) -> tuple[float, Standing]:
    """Look until all is delivered or nothing moves; when everything was counted (by time.monotonic)."""
    counted_at: float | None = None
    moved_at = time.monotonic()
    while True:
        standing = await watcher.look()
        now = time.monotonic()
        if standing != progress.standing:
            moved_at = now
        progress.standing = standing
        tell(progress)
        if standing.counted and counted_at is None:
            counted_at = now
        if standing.delivered or now - moved_at > still_s:
            return counted_at or now, standing
        await asyncio.sleep(_LOOK_S)


def _send(plan: Plan, address: Address, progress: Progress) -> int:
    """Send it all, in time order; return how many events were refused. Runs in a thread: the SDK blocks."""
    with (
        closing(Shop(address)) as shop,
        closing(Mailer(address)) as mailer,
        closing(Browser(address)) as browser,
    ):
        for portion in plan.portions():
            shop.send(portion.calls)
            mailer.send(portion.mails)
            progress.sent += len(portion.calls) + len(portion.mails)
        shop.finish()
        browser.send(plan.submits)
        progress.sent += len(plan.submits)
        return shop.refused + mailer.refused + browser.refused
