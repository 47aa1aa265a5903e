"""Apply the retention: months made ahead, visitors forgotten, empty months dropped, bodies emptied.

In: a database, the settings. Out: `Done`, and gauges. A loop in every scorer; `leadscore retention --apply`
does the same at once. Refuses to hurry: one portion is one transaction, with a rest after it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.retention import empty, partitions
from services.scorer.retention.forget import forget
from services.scorer.retention.months import due
from services.scorer.retention.settings import RetentionSettings
from shared.database import transaction
from shared.errors import Transient
from shared.telemetry import log

INTERVAL_S: Final = 3600.0
_SOON_S: Final = 60.0
_REST_S: Final = 0.2


@dataclass(slots=True)
class Done:
    """What was done since the look began."""

    leads: int = 0
    events: int = 0
    partitions: int = 0
    deliveries: int = 0
    dead_letters: int = 0


class Retention:
    """Looks every hour.

    rest_s: after each portion, so that whoever scores comes first
    """

    def __init__(
        self, *, database: AsyncEngine, settings: RetentionSettings, rest_s: float = _REST_S
    ) -> None:
        self._database = database
        self._settings = settings
        self._rest_s = rest_s

    async def run(self) -> None:
        """Look until cancelled; whatever goes wrong only makes it late."""
        while True:
            try:
                await self.make_months()
                done = await self.apply()
                if done != Done():
                    log("scorer.retention_applied", **asdict(done))
                wait_s = INTERVAL_S
            except Transient as error:
                log("scorer.retention_postponed", level="warning", reason=str(error))
                wait_s = _SOON_S
            except Exception as error:  # noqa: BLE001 - events are counted, whatever is kept too long
                log("scorer.retention_broke", level="error", error=type(error).__name__)
                wait_s = INTERVAL_S
            await asyncio.sleep(wait_s)

    async def make_months(self) -> None:
        """Make the months of `events` that will be needed, and show how far they go."""
        try:
            async with transaction(self._database) as connection:
                await partitions.make(connection)
        finally:
            async with transaction(self._database) as connection:
                metrics.EVENT_MONTHS_AHEAD.set(await partitions.ahead(connection))

    async def apply(self) -> Done:
        """Do all that is due."""
        done, days = Done(), self._settings
        done.deliveries = await self._until_none(empty.empty_deliveries, days.retention_deliveries_days)
        done.dead_letters = await self._until_none(empty.empty_dead_letters, days.retention_dead_letters_days)
        for month in await self.due_months():
            await self._forget(month, done)
            done.partitions += await self._drop(month)
        return done

    async def _drop(self, month: date) -> bool:
        """Drop the month if it is empty; somebody who reads it, such as a dump, only makes that late."""
        try:
            async with transaction(self._database) as connection:
                return await partitions.drop_empty(connection, month)
        except Transient as error:
            log("scorer.retention_postponed", level="warning", reason=str(error))
            return False

    async def due_months(self) -> list[date]:
        """The months that may lose visitors, by the database's time."""
        async with transaction(self._database) as connection:
            now: datetime = await connection.fetchval("SELECT now()")
            return due(await partitions.names(connection), now, self._settings.retention_anonymous_days)

    async def _forget(self, month: date, done: Done) -> None:
        while True:
            async with transaction(self._database) as connection:
                portion = await forget(connection, month)
            if portion is None:
                return
            done.leads += portion.leads
            done.events += portion.counted + portion.quarantined
            metrics.FORGOTTEN.inc(portion.leads)
            if portion.finished:
                return
            await asyncio.sleep(self._rest_s)

    async def _until_none(self, some: Callable[[Any, int], Awaitable[int]], days: int) -> int:
        """Empty portion after portion; returns how many in all."""
        total = 0
        while True:
            async with transaction(self._database) as connection:
                emptied = await some(connection, days)
            if not emptied:
                return total
            total += emptied
            await asyncio.sleep(self._rest_s)
