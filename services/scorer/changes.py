"""A placed batch → what is new about each lead (pure).

In: the picture after placing, the leads as they were locked, the rows to be written. Out: one `Change`
per lead that has to be written. Refuses to touch leads that were merged away: their winner has it all.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from services.scorer.identify.facts import Facts
from services.scorer.identify.picture import Picture
from services.scorer.settle import ActiveModel, Change, Lead, absorb, newborn
from services.scorer.store.events import Row
from shared.events import Event
from shared.ids import NOBODY, EventId, LeadId


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A batch whose events have their leads.

    locked: the leads as they are in the database, under our locks
    contexts: traced event → its `traceparent`
    """

    picture: Picture
    locked: Mapping[LeadId, Lead]
    rows: Sequence[Row]
    contexts: Mapping[EventId, str] = field(default_factory=dict)
    counted: Mapping[LeadId, list[Event]] = field(init=False)
    losers: Mapping[LeadId, list[LeadId]] = field(init=False)

    def __post_init__(self) -> None:
        counted: defaultdict[LeadId, list[Event]] = defaultdict(list)
        for row in self.rows:
            if row.quarantine is None:
                counted[row.lead].append(row.event)
        losers: defaultdict[LeadId, list[LeadId]] = defaultdict(list)
        for merge in self.picture.merges:
            losers[self.picture.final(merge.loser)].append(merge.loser)
        object.__setattr__(self, "counted", counted)
        object.__setattr__(self, "losers", losers)

    def changes(self, active: ActiveModel, now: datetime) -> list[Change]:
        """What is new about each lead, in the order of their ids."""
        return [
            self._change(lead, active, now)
            for lead in sorted(self._touched() | self.losers.keys())
            if self.picture.final(lead) == lead
        ]

    def _touched(self) -> set[LeadId]:
        """Leads with an event, a quarantined one too, or with other identifiers than before."""
        facts = self.picture.facts
        changed = {lead for lead, row in self.locked.items() if facts[lead] is not row.facts}
        return (changed | {row.lead for row in self.rows}) - {NOBODY}

    def _change(self, lead: LeadId, active: ActiveModel, now: datetime) -> Change:
        facts = self.picture.facts[lead]
        present = self.locked.get(lead)
        change = Change(
            lead=_with_facts(present, facts) if present else newborn(lead, facts, active),
            events=self.counted.get(lead, []),
            judged=bool(self.counted.get(lead)),
        )
        losers = self.losers.get(lead)
        if not losers:
            return change
        change = replace(change, merged=True, judged=True)
        for loser in losers:
            if loser in self.locked:
                change = absorb(change, self.locked[loser], now)
        return change


def _with_facts(lead: Lead, facts: Facts) -> Lead:
    """Mostly they are what they were, and a copy costs."""
    return lead if facts is lead.facts else replace(lead, facts=facts)
