"""Several recipients of one company in the same seconds: looked for right after the batch with a click.

In: domain_clicks. Out: the same rows as a batch makes, of the leads whose clicks have neighbours.
Refuses to look in the batch itself: what another batch has written meanwhile is seen only after both are
committed, and the leads of others are locked in the order of everybody.
A lead that breaks us is passed by, or it would end every scorer again and again. Its clicks stay marked as
crowded, so that the next judgement of it knows.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.count import BatchCounter
from services.scorer.judge.news import Span
from services.scorer.models.in_force import InForce
from services.scorer.report import Report
from services.scorer.store import domain_clicks, leads, merges
from services.scorer.store.identities import IdentityRace
from shared.database import savepoint, transaction
from shared.errors import Misconfigured, Transient
from shared.ids import LeadId
from shared.telemetry import log

_MOST_CLICKS: Final = 500
_CLEAN_EVERY: Final = 3_600


class Neighbours:
    """Looks until no click is left whose neighbours nobody has looked at."""

    def __init__(self, *, database: AsyncEngine, counter: BatchCounter) -> None:
        self._database = database
        self._counter = counter

    async def run(self, interval_s: float) -> None:
        """Look until cancelled: a process may have ended right after its batch."""
        turns = 0
        while True:
            await self.work_off()
            if turns % _CLEAN_EVERY == 0:
                await self._clean()
            turns += 1
            await asyncio.sleep(interval_s)

    async def work_off(self) -> None:
        """Look while there is something; what fails now is found again later."""
        try:
            while reports := await self._turn():
                for report in reports:
                    metrics.note(report)
        except (Transient, IdentityRace) as error:
            log("scorer.neighbours_postponed", level="warning", reason=str(error))

    async def _turn(self) -> list[Report]:
        """Some clicks in one transaction; nothing if there is nothing to look at."""
        limits = self._counter.judge.limits
        if not limits.looks_at_neighbours:
            return []
        async with transaction(self._database) as connection:
            # Versions first, clicks second, leads last: nobody who holds a lead waits for a click.
            in_force = await self._counter.models.read(connection)
            found = await domain_clicks.look(connection, _MOST_CLICKS, limits.recipients)
            if found is None:
                return []
            spans = await _living(connection, found)
            return await self._judge_or_pass_by(connection, in_force, spans)

    async def _judge_or_pass_by(
        self, connection: Any, in_force: InForce, spans: Mapping[LeadId, Span]
    ) -> list[Report]:
        """Judge these leads; if one breaks that, each by itself, and that one is passed by."""
        try:
            async with savepoint(connection):
                return [await self._judge(connection, in_force, spans)]
        except (Transient, IdentityRace, Misconfigured):
            raise
        except Exception as error:  # noqa: BLE001 - whatever one lead breaks, the others go on
            log("scorer.neighbours_broke", level="error", error=type(error).__name__, leads=len(spans))
        reports = []
        for lead in sorted(spans):  # the order in which everybody locks leads
            try:
                async with savepoint(connection):
                    reports.append(await self._judge(connection, in_force, {lead: spans[lead]}))
            except (Transient, IdentityRace, Misconfigured):
                raise
            except Exception as error:  # noqa: BLE001 - as above
                name = type(error).__name__
                log("scorer.neighbour_passed_by", level="error", error=name, lead_id=str(lead))
        return reports or [Report()]

    async def _judge(self, connection: Any, in_force: InForce, spans: Mapping[LeadId, Span]) -> Report:
        locked, merged_meanwhile = await leads.lock(connection, spans)
        if merged_meanwhile:
            raise IdentityRace("people were merged while their neighbours were looked at")
        judged = await self._counter.judge.spans(connection, spans)
        changed = {lead: locked[lead] for lead in judged.corrected}
        return await self._counter.correct(connection, in_force, changed, judged) if changed else Report()

    async def _clean(self) -> None:
        try:
            async with transaction(self._database) as connection:
                await domain_clicks.clean(connection)
        except Transient as error:
            log("scorer.neighbours_postponed", level="warning", reason=str(error))


async def _living(connection: Any, found: list[tuple[LeadId, datetime]]) -> dict[LeadId, Span]:
    """When each lead clicked with neighbours, by the lead that it is part of now."""
    into = await merges.ends(connection, {lead for lead, _ in found})
    spans: dict[LeadId, Span] = {}
    for lead, at in found:
        living = into.get(lead, lead)
        spans[living] = spans.get(living, Span(at, at)).with_(Span(at, at))
    return spans
