"""What a person decides about one event: it does not count, or it counts after all.

In: an event's id, a name and a note for the log. Out: rows, as an event of its own makes them; its lead.
Refuses (`Invalid`) what is so already, and an event that names nobody.
The books of partitions stay as they were: they say what the record became when it was taken.
"""

from dataclasses import dataclass
from typing import Any, Final

from services.scorer.count import BatchCounter
from services.scorer.identify.evidence import evidence
from services.scorer.judge.judge import Judged
from services.scorer.models.in_force import InForce
from services.scorer.store import events, histories, leads, verdicts
from services.scorer.store.histories import BY_HAND, By
from shared.codec import decode
from shared.errors import Invalid
from shared.ids import NOBODY, EventId, LeadId

# Locked: two people who decide about one event do it one after the other. Of copies that came too late to be
# duplicates, the newest is meant.
_FIND: Final = """
SELECT lead_id, quarantine, body FROM events WHERE event_id = $1
ORDER BY received_at DESC LIMIT 1 FOR UPDATE
"""
_LIVING: Final = "SELECT coalesce(merged_into, lead_id) FROM leads WHERE lead_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDecider:
    """Somebody who decides, in a transaction of the caller.

    by: for the log
    """

    connection: Any
    counter: BatchCounter
    by: By

    async def quarantine(self, event: EventId) -> LeadId:
        """Have an event not count: its lead is what its other events make of it.

        Raises Invalid (`no_such_event`, `already_quarantined`).
        """
        in_force = await self.counter.models.read(self.connection)
        row = await self._find(event)
        if row.quarantine is not None:
            raise Invalid("already_quarantined", f"this event does not count already: {row.quarantine}")
        await histories.quarantine(self.connection, [row.event], BY_HAND, self.by, lead=None)
        return await self._anew(in_force, row, taken=True)

    async def release(self, event: EventId) -> LeadId:
        """Have a quarantined event count, for whom it names; returns that lead.

        Raises Invalid (`no_such_event`, `not_quarantined`, `of_nobody`).
        """
        in_force = await self.counter.models.read(self.connection)
        row = await self._find(event)
        if row.quarantine is None:
            raise Invalid("not_quarantined", "this event counts already")
        await verdicts.forget(self.connection, [event])
        if row.lead != NOBODY and not evidence(row.event, self.counter.rules).strong:
            # Whose device it was then is known; whom that serves now may be somebody else.
            await histories.release(self.connection, [row.event], row.lead, self.by)
            return await self._anew(in_force, row, taken=False)
        lead = await self.counter.take_in(self.connection, in_force, row, self.by)
        await self.counter.regroup(self.connection, in_force, [lead], rescore=True)
        return await self._living(lead)

    async def _find(self, event: EventId) -> events.Row:
        row = await self.connection.fetchrow(_FIND, event)
        if row is None:
            raise Invalid("no_such_event", f"there is no event {event}. See `leadscore events list`")
        return events.Row(
            event=decode(row["body"]),
            lead=LeadId(row["lead_id"]),
            quarantine=row["quarantine"],
            body=row["body"],
        )

    async def _anew(self, in_force: InForce, row: events.Row, *, taken: bool) -> LeadId:
        """Group and score an event's lead anew from its history; a crowd is only scored."""
        report = await self.counter.regroup(
            self.connection, in_force, [row.lead], rescore=True, taken=row if taken else None
        )
        living = await self._living(row.lead)
        if report.regrouped == "too_large":
            judged = Judged()
            if taken:
                judged.add(living, row.event, BY_HAND)
            else:
                judged.give_back(living, row.event)
            locked, _ = await leads.lock(self.connection, [living])
            await self.counter.correct(self.connection, in_force, locked, judged)
        return living

    async def _living(self, lead: LeadId) -> LeadId:
        return LeadId(await self.connection.fetchval(_LIVING, lead))
