"""Time passes without events: look again at the leads whose stage is due to change.

In: lead_due. Out: the same rows as an event makes: leads, transitions, the next due time.
Refuses to trust a due time: it is a hint, the lead is judged anew, so an early wake-up is harmless, two
sweepers share the work (SKIP LOCKED), and a late one only delays. The database's clock rules.
"""

import asyncio
from datetime import datetime
from typing import Final

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.count import BatchCounter
from services.scorer.poison import PoisonLimit
from services.scorer.store import leads
from shared.database import transaction
from shared.errors import Misconfigured, Transient
from shared.ids import LeadId
from shared.telemetry import log

_MOST: Final = 500
_OLDEST: Final = "SELECT coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 FROM lead_due"
_PUT_OFF: Final = "UPDATE lead_due SET due_at = now() + interval '1 hour' WHERE lead_id = ANY($1::uuid[])"


class Sweep:
    """Looks at due leads every `interval_s` seconds."""

    def __init__(self, *, database: AsyncEngine, counter: BatchCounter, interval_s: float) -> None:
        self._database = database
        self._counter = counter
        self._interval_s = interval_s
        self._due: list[LeadId] = []

    async def run(self) -> None:
        """Sweep until cancelled; Postgres being away only makes it late."""
        while True:
            try:
                if await self.turn_or_put_off() == _MOST:
                    continue
            except Transient as error:
                log("scorer.sweep_postponed", level="warning", reason=str(error))
            await asyncio.sleep(self._interval_s)

    async def turn_or_put_off(self) -> int:
        """One turn; if a lead breaks it, its neighbours are settled singly and that one is put off."""
        try:
            return await self.turn()
        except (Transient, Misconfigured):
            raise
        except Exception as error:
            if not self._due:
                raise  # no lead's doing
            log("scorer.sweep_broke", level="error", error=type(error).__name__, leads=len(self._due))
        limit = PoisonLimit()
        while await self._settle_one(limit):
            continue
        return 0

    async def _settle_one(self, limit: PoisonLimit) -> int:
        """Settle the oldest due lead, or put it off for an hour; returns how many were due.

        Raises what a lead raised once so many break that the fault is likely ours.
        """
        try:
            due = await self.turn(1)
            limit.saw(poison=False)
        except (Transient, Misconfigured):
            raise
        except Exception as error:
            limit.saw(poison=True)
            if limit.exceeded or not self._due:
                raise
            log("scorer.lead_put_off", level="error", error=type(error).__name__, leads=len(self._due))
            async with transaction(self._database) as connection:
                await connection.execute(_PUT_OFF, self._due)
            return len(self._due)
        return due

    async def turn(self, most: int = _MOST) -> int:
        """Settle the leads that are due now, a bounded number; returns how many were due."""
        self._due = []
        async with transaction(self._database) as connection:
            metrics.SWEEP_LAG_SECONDS.set(max(0.0, await connection.fetchval(_OLDEST)))
            # Versions first, leads second, as everybody takes them: a publish waits for the one who scores.
            in_force = await self._counter.models.read(connection)
            self._due = due = await leads.take_due(connection, most)
            if not due:
                return 0
            now: datetime = await connection.fetchval("SELECT now()")
            present, _ = await leads.lock(connection, due)
            again = [replace(lead, due_at=None) for lead in present.values()]
            report = await self._counter.recount(connection, in_force, again, now=now)
        metrics.SWEPT.inc(len(due))
        metrics.note(report)
        return len(due)
