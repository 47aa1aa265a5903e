"""Leads scored anew from their history, whatever is kept of them.

In: leads, in a transaction of the caller. Out: the same rows as an event makes.
Refuses leads that were merged away: their winner has their events.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from services.scorer.models.in_force import InForce
from services.scorer.score_leads import Batch, score
from services.scorer.settle import Change
from services.scorer.store import leads
from shared.ids import LeadId
from shared.leads.store.history import histories


async def refold_leads(
    connection: Any, in_force: InForce, some: Sequence[LeadId], *, silent: Collection[LeadId]
) -> None:
    """Score these leads anew from all their counted events.

    silent: those of them whose moves are recorded and not delivered
    """
    now: datetime = await connection.fetchval("SELECT now()")
    locked, _ = await leads.lock(connection, some)
    lived = await histories(connection, list(locked))
    changes = [
        Change(
            lead=replace(lead, event_count=len(lived[lead.lead_id]), due_at=None),
            merged=True,
            judged=bool(lived[lead.lead_id]),
        )
        for lead in locked.values()
    ]
    await score(connection, in_force, changes, Batch(now=now, silent=silent))


async def bring_up_to_date(connection: Any, in_force: InForce, some: Sequence[LeadId]) -> None:
    """Have the active version score those of these leads that another version scored last.

    What the change of version moves is told apart, and delivered or not as its publish said.
    """
    now: datetime = await connection.fetchval("SELECT now()")
    locked, _ = await leads.lock(connection, some)
    changes = [
        Change(lead=replace(lead, due_at=None), judged=lead.event_count > 0)
        for lead in locked.values()
        if lead.model_version != in_force.active.version
    ]
    await score(connection, in_force, changes, Batch(now=now))
