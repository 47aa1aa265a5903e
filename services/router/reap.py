"""What a queue needs beside senders: expired leases given back, depths measured.

In: an interval. Out: rows pending again, gauges. Refuses to reset attempts: a delivery that kills its router
every time must run out of them.
"""

import asyncio
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.router import metrics, queue
from services.router.loop_health import LoopHealth
from shared.database import transaction
from shared.errors import Transient
from shared.telemetry import log

INTERVAL_S: Final = 5.0

_UNPLANNED: Final = "SELECT count(*) FROM transitions WHERE planned_at IS NULL"


class Reaper:
    """Looks after the queue of all destinations.

    destinations: those of routing.yaml; rows of any other wait for nobody, and are told about
    """

    def __init__(self, database: AsyncEngine, destinations: frozenset[str], pulse: LoopHealth) -> None:
        self._database = database
        self._destinations = destinations
        self._pulse = pulse
        self._stranded: set[str] = set()

    async def run(self) -> None:
        """Tend until cancelled."""
        while True:
            try:
                await self.turn()
                self._pulse.beat()
            except Transient as error:
                self._pulse.miss(str(error))
            await asyncio.sleep(INTERVAL_S)

    async def turn(self) -> None:
        """Reap and measure once."""
        async with transaction(self._database) as connection:
            reaped = await queue.reap(connection)
        if reaped:
            metrics.LEASES_EXPIRED.inc(reaped)
            log("router.leases_expired", level="warning", deliveries=reaped)
        async with transaction(self._database) as connection:
            await self._measure(connection)

    async def _measure(self, connection: Any) -> None:
        depths = await queue.depth(connection)
        # One that left routing.yaml and waits no more is shown as 0 once: its series would stay as it was.
        for name in self._destinations | self._stranded | depths.keys():
            known = depths.get(name)
            metrics.WAITING.labels(destination=name).set(known.waiting if known else 0)
            metrics.OLDEST_SECONDS.labels(destination=name).set(known.oldest_s if known else 0)
        metrics.UNPLANNED.set(await connection.fetchval(_UNPLANNED))
        self._tell_stranded(depths.keys() - self._destinations)

    def _tell_stranded(self, stranded: set[str]) -> None:
        """Deliveries of a destination that left routing.yaml wait for ever: say so once."""
        for name in sorted(stranded - self._stranded):
            log("router.deliveries_stranded", level="warning", destination=name)
        self._stranded = stranded
