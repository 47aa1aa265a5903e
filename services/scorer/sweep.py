"""Time passes without events: look again at the leads whose stage is due to change.

In: lead_due. Out: the same rows as an event makes: leads, transitions, the next due time.
Refuses to trust a due time: it is a hint, the lead is judged anew, so an early wake-up is harmless, two
sweepers share the work (SKIP LOCKED), and a late one only delays. The database's clock rules.
"""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.count import Counter
from services.scorer.settle import Lead, fold_in, from_history, settle
from services.scorer.store import events, leads
from shared.database import transaction
from shared.errors import Transient
from shared.telemetry import log

_MOST: Final = 500
_OLDEST: Final = "SELECT coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 FROM lead_due"
_PARTITIONS: Final = "SELECT ensure_event_partitions(3)"
_PARTITIONS_EVERY_S: Final = 6 * 3600.0


class Sweep:
    """Looks at due leads every `interval_s` seconds; keeps the months of `events` ahead of the calendar."""

    def __init__(self, *, database: AsyncEngine, counter: Counter, interval_s: float) -> None:
        self._database = database
        self._counter = counter
        self._interval_s = interval_s

    async def run(self) -> None:
        """Sweep until cancelled; Postgres being away only makes it late."""
        made_partitions_s = float("-inf")
        while True:
            try:
                now_s = asyncio.get_running_loop().time()
                if now_s - made_partitions_s > _PARTITIONS_EVERY_S:
                    await self._make_partitions()
                    made_partitions_s = now_s
                if await self.turn() == _MOST:
                    continue
            except Transient as error:
                log("scorer.sweep_postponed", level="warning", reason=str(error))
            await asyncio.sleep(self._interval_s)

    async def turn(self) -> int:
        """Settle the leads that are due now, a bounded number; returns how many were due."""
        async with transaction(self._database) as connection:
            metrics.SWEEP_LAG_SECONDS.set(max(0.0, await connection.fetchval(_OLDEST)))
            due = await leads.take_due(connection, _MOST)
            if not due:
                return 0
            now: datetime = await connection.fetchval("SELECT now()")
            present, _ = await leads.lock(connection, due)
            passed = await self._settle(
                connection, [replace(one, due_at=None) for one in present.values()], now
            )
        metrics.SWEPT.inc(len(due))
        for previous_stage, stage in passed:
            metrics.TRANSITIONS.labels(previous_stage=previous_stage, stage=stage).inc()
        return len(due)

    async def _settle(self, connection: Any, due: list[Lead], now: datetime) -> list[tuple[str, str]]:
        """Judge these leads at `now`; one scored by another model is computed from its history first."""
        active = self._counter.active
        states = {lead.lead_id: fold_in(active, lead, []) for lead in due}
        hard = [lead for lead, state in states.items() if state is None]
        history = await events.history(connection, hard) if hard else {}
        settled = [
            settle(
                active,
                lead,
                states[lead.lead_id] or from_history(active, history.get(lead.lead_id, [])),
                [],
                now,
            )
            for lead in due
        ]
        return await self._counter.store(connection, settled, {})

    async def _make_partitions(self) -> None:
        async with transaction(self._database) as connection:
            await connection.fetchval(_PARTITIONS)
