"""Requests to group leads anew: worked off right after the batch that made them, or by whoever finds them.

In: regroups. Out: the same rows as an event makes. Refuses to hurry others: one request, one transaction.
"""

import asyncio
import math
from contextlib import suppress
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.count import BatchCounter
from services.scorer.report import Report
from services.scorer.store import conflicts
from services.scorer.store.conflicts import Request
from services.scorer.store.identities import IdentityRace
from shared.database import transaction
from shared.errors import Misconfigured, Transient
from shared.telemetry import log

_LITTLE: Final = timedelta(seconds=10)
_LONG: Final = timedelta(hours=1)


class Regroup:
    """Works requests off until none is left."""

    def __init__(self, *, database: AsyncEngine, counter: BatchCounter) -> None:
        self._database = database
        self._counter = counter

    async def run(self, interval_s: float) -> None:
        """Look for requests until cancelled: a process may have ended right after its batch."""
        while True:
            await self.work_off()
            await asyncio.sleep(interval_s)

    async def work_off(self, *, within_s: float = math.inf) -> None:
        """Regroup while there is a request, and begin none after so long; the rest is found later."""
        clock = asyncio.get_running_loop().time
        until_s = clock() + within_s
        try:
            while await self.turn() and clock() < until_s:
                continue
        except (Transient, IdentityRace) as error:
            log("scorer.regroup_postponed", level="warning", reason=str(error))

    async def turn(self) -> bool:
        """One request, put off if it breaks us; False if there is none, or another scorer works on it."""
        request = None
        try:
            async with transaction(self._database) as connection:
                # Versions first, the request second, leads last: the order in which everybody takes them.
                in_force = await self._counter.models.read(connection)
                request = await conflicts.take(connection)
                if request is None:
                    return False
                report = await self._counter.regroup(connection, in_force, request.leads)
        except (Transient, IdentityRace):
            if request is not None:
                await self._let_others_pass(request)
            raise
        except Misconfigured:
            raise
        except Exception as error:
            if request is None:
                raise  # no request's doing
            await self._put_off(request, error)
            return True
        metrics.note(report)
        if report.regrouped == "too_large":
            log("scorer.regroup_too_large", level="warning", leads=len(request.leads))
        return True

    async def _let_others_pass(self, request: Request) -> None:
        """Have what did not get through now wait a little: it may be more than a transaction can hold."""
        with suppress(Transient):
            async with transaction(self._database) as connection:
                await conflicts.put_off(connection, request, _LITTLE)

    async def _put_off(self, request: Request, error: Exception) -> None:
        """The batch that asked is committed: what breaks here is none of its records' fault."""
        log("scorer.regroup_broke", level="error", error=type(error).__name__, leads=len(request.leads))
        metrics.note(Report(regrouped="broke"))
        async with transaction(self._database) as connection:
            await conflicts.put_off(connection, request, _LONG)
