"""Score every lead anew: a version was published, or put in the shadow.

In: rescores (a walk for each such version). Out: the same rows as an event makes.
Refuses to hurry: it takes a short stretch of leads per transaction, and while the scorer is behind a tenth of
the time, so that events are counted in between.
It goes on where it stopped, whatever ended the process; leads that an event reached first are passed by, and
so is one that breaks us, which would end every scorer again and again.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.count import BatchCounter
from services.scorer.models.in_force import InForce
from services.scorer.poison import PoisonLimit
from services.scorer.report import Report
from services.scorer.score_leads import shade_anew
from services.scorer.store import leads, rescores
from services.scorer.store.rescores import Walk
from shared.database import transaction
from shared.errors import Misconfigured, Transient
from shared.ids import LeadId
from shared.telemetry import log

STRETCH: Final = 100
_SHARE: Final = 10


class Rescore:
    """Walks while there is a walk to make; looks for one every `interval_s` seconds.

    behind:  whether events wait to be counted, which is more urgent
    """

    def __init__(
        self,
        *,
        database: AsyncEngine,
        counter: BatchCounter,
        interval_s: float,
        behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._counter = counter
        self._interval_s = interval_s
        self._behind = behind
        self._stretch: list[LeadId] = []

    async def run(self) -> None:
        """Rescore until cancelled; Postgres being away only makes it late."""
        clock = asyncio.get_running_loop().time
        while True:
            began_s = clock()
            try:
                walked = await self.turn_or_pass_by()
            except Transient as error:
                log("scorer.rescore_postponed", level="warning", reason=str(error))
                walked = False
            await asyncio.sleep(self._rest_s(clock() - began_s) if walked else self._interval_s)

    def _rest_s(self, worked_s: float) -> float:
        """How long to rest: while events wait, this loop takes a tenth of the time, on any machine."""
        return worked_s * (_SHARE - 1) if self._behind() else 0

    async def turn_or_pass_by(self) -> bool:
        """One turn; if a lead breaks it, its neighbours are scored singly and that one is passed by."""
        try:
            return await self.turn()
        except (Transient, Misconfigured):
            raise
        except Exception as error:
            if not self._stretch:
                raise  # no lead's doing
            log("scorer.rescore_broke", level="error", error=type(error).__name__, leads=len(self._stretch))
        limit = PoisonLimit()
        for _ in self._stretch.copy():
            await self._one(limit)
        return True

    async def _one(self, limit: PoisonLimit) -> None:
        """Score the next lead, or pass it by.

        Raises what a lead raised once so many break that the fault is likely ours.
        """
        try:
            await self.turn(1)
            limit.saw(poison=False)
        except (Transient, Misconfigured):
            raise
        except Exception as error:
            limit.saw(poison=True)
            if limit.exceeded or not self._stretch:
                raise
            log(
                "scorer.lead_passed_by",
                level="error",
                error=type(error).__name__,
                lead_id=str(self._stretch[0]),
            )
            await self._pass_by(self._stretch)

    async def _pass_by(self, broken: list[LeadId]) -> None:
        """Leave these leads as they are, unless another scorer has gone past them."""
        async with transaction(self._database) as connection:
            walk = await rescores.take(connection)
            if walk and await rescores.next_leads(connection, walk, len(broken)) == broken:
                await rescores.advance(connection, walk, broken, 0)

    async def turn(self, most: int = STRETCH) -> bool:
        """One stretch of the oldest walk; False if there is nothing to do, or another scorer does it."""
        self._stretch = []
        async with transaction(self._database) as connection:
            # Versions first, the walk second: the order in which a publish takes them.
            in_force = await self._counter.models.read(connection)
            walk = await rescores.take(connection)
            if walk is None:
                return False
            self._stretch = ids = await rescores.next_leads(connection, walk, most)
            report = await self._score(connection, in_force, walk, ids) if ids else Report()
            await rescores.advance(connection, walk, ids, len(report.passed))
        metrics.RESCORED.labels(purpose=walk.purpose).inc(len(ids))
        metrics.note(report)
        if not ids:
            log("scorer.rescored", version=walk.version, purpose=walk.purpose, active=in_force.active.version)
        return True

    async def _score(self, connection: Any, in_force: InForce, walk: Walk, ids: list[LeadId]) -> Report:
        now: datetime = await connection.fetchval("SELECT now()")
        present, _ = await leads.lock(connection, ids)
        if walk.purpose == "shadow":
            await shade_anew(connection, in_force, list(present.values()), now)
            return Report()
        stale = [
            replace(lead, due_at=None) for lead in present.values() if lead.model_version != walk.version
        ]
        return await self._counter.recount(connection, in_force, stale, now=now)
