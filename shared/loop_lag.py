"""How late the event loop comes to what is due: one blocking call delays every request and every batch.

In: the running loop. Out: a histogram. Refuses to be part of the work: it only sleeps, twice a second.
"""

import asyncio
from typing import Final

from prometheus_client import Histogram

from shared.lifecycle import BackgroundTask

LAG_SECONDS = Histogram(
    "leadscore_event_loop_lag_seconds",
    "How late the event loop came to a task that was due, looked at twice a second.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_EVERY_S: Final = 0.5


def loop_lag() -> BackgroundTask:
    """The part of a process that measures its loop."""
    return BackgroundTask("loop_lag", measure)


async def measure() -> None:
    """Measure until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + _EVERY_S
        await asyncio.sleep(_EVERY_S)
        LAG_SECONDS.observe(max(0.0, loop.time() - due_s))
