"""What is known about identifiers and leads while one batch is placed; grows with each event (no I/O).

In: what the database has. Out: what to write. The rules that change it are in people.py and devices.py.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from services.scorer.identify.evidence import Evidence
from services.scorer.identify.facts import Conflict, Facts, Held, Limits, Merge, Reason, Status
from shared.ids import EventId, LeadId
from shared.leads.identifiers import Identifier

TIES_OF_AN_ADDRESS: Final = 10
"""A person has many devices in a year, and few addresses: one counts as much as ten devices."""


@dataclass(slots=True)
class Picture:
    """Who has which identifier, and what becomes of it.

        owners:  identifier → who has it, as the database has it (leads locked by us)
        facts:   of every lead in `owners`
        into:    leads merged away → where; of those of before, only whom a device served lately
        latest:  of every lead in `owners`, when its last event happened
        objecting:  leads whose person objects to being scored, or said something about that in this batch
        fresh:   makes the id of a new lead

    To be written after all events are placed:

        created:    leads
        given:      identifiers with a new content; those in `new` had no row
        merges:     in their order
        conflicts:  by their two identifiers, the smaller first
        late:       those of them that did not happen after all that is known of the two people: the history
                    may decide otherwise, while what is refused in time would be refused again
        suspended:  identifiers that tied too many others together; `shared`: devices of too many people
        review:     leads to be grouped anew from their history
        late_uses:  two leads each, to be grouped anew at once: one's event on the other's device came late

    ties: what the event at hand brought to its lead, in devices
    """

    owners: dict[Identifier, Held]
    facts: dict[LeadId, Facts]
    fresh: Callable[[], LeadId]
    limits: Limits = field(default_factory=Limits)
    into: dict[LeadId, LeadId] = field(default_factory=dict)
    latest: dict[LeadId, datetime] = field(default_factory=dict)
    objecting: set[LeadId] = field(default_factory=set)
    created: list[LeadId] = field(default_factory=list)
    new: set[Identifier] = field(default_factory=set)
    given: dict[Identifier, Held] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)
    conflicts: dict[tuple[Identifier, Identifier], Conflict] = field(default_factory=dict)
    late: set[tuple[Identifier, Identifier]] = field(default_factory=set)
    suspended: list[Identifier] = field(default_factory=list)
    shared: list[Identifier] = field(default_factory=list)
    review: set[LeadId] = field(default_factory=set)
    late_uses: set[tuple[LeadId, LeadId]] = field(default_factory=set)
    ties: int = 0

    def final(self, lead: LeadId) -> LeadId:
        """Where a lead ended after all merges so far."""
        end = lead
        while end in self.into:
            end = self.into[end]
        if end is not lead and self.into[lead] is not end:
            self.into[lead] = end  # a chain of merges is walked once
        return end

    def owner(self, identifier: Identifier) -> LeadId:
        """The lead that has this identifier; it must have one."""
        return self.final(self.owners[identifier].lead)

    def has(self, identifier: Identifier | None, status: Status) -> bool:
        """Whether an identifier has an owner, and this status."""
        held = self.owners.get(identifier) if identifier else None
        return held is not None and held.status == status

    def objects(self, lead: LeadId) -> bool:
        """Whether a lead may stand under an objection: its own, or of one that was merged into it."""
        return lead in map(self.final, self.objecting)

    def usable(self, identifiers: Iterable[Identifier]) -> list[Identifier]:
        """Those that say whose event it is: new ones, and those in use."""
        return [one for one in identifiers if one not in self.owners or self.has(one, "in_use")]

    def create(self, seen: Evidence) -> LeadId:
        """A new lead."""
        lead = self.fresh()
        self.created.append(lead)
        self.facts[lead] = Facts(known=False, first_seen_at=seen.at)
        return lead

    def give(self, identifier: Identifier, lead: LeadId, seen: Evidence, status: Status = "in_use") -> LeadId:
        """Give an identifier that nobody has to a lead, which is returned."""
        self.new.add(identifier)
        self.change(identifier, Held(lead, seen.at, status, identifier.namespace))
        self.facts[lead] = with_one_more(self.facts[lead], identifier)
        self.tie(identifier)
        return lead

    def tie(self, identifier: Identifier) -> None:
        """Count that the event at hand brought this identifier to a lead."""
        self.ties += 1 if identifier.kind == "anonymous_id" else TIES_OF_AN_ADDRESS

    def change(self, identifier: Identifier, held: Held) -> None:
        """Have an identifier be like this."""
        self.owners[identifier] = self.given[identifier] = held

    def take_device(self, lead: LeadId) -> None:
        """Count one device less for this lead."""
        facts = self.facts[lead]
        self.facts[lead] = replace(facts, anonymous_ids=max(0, facts.anonymous_ids - 1))

    def add_device(self, lead: LeadId) -> None:
        """Count one device more for this lead."""
        facts = self.facts[lead]
        self.facts[lead] = replace(facts, anonymous_ids=facts.anonymous_ids + 1)

    def merge(self, one: LeadId, other: LeadId, cause: EventId) -> LeadId:
        """Make two leads one; the known one, then the older one is left, and returned."""
        winner, loser = sorted((one, other), key=self._seniority)
        self.facts[winner] = together(self.facts[winner], self.facts[loser])
        if loser in self.latest:
            self.happened(winner, self.latest[loser])
        self.into[loser] = winner
        self.merges.append(Merge(winner=winner, loser=loser, cause=cause))
        return winner

    def refuse(self, one: Identifier, other: Identifier, reason: Reason, seen: Evidence) -> None:
        """Note that these two stay with two people; of many events the earliest."""
        pair = (min(one, other), max(one, other))
        before = self.conflicts.get(pair)
        if one != other and (before is None or seen.at < before.at):
            self.conflicts[pair] = Conflict(
                one=pair[0], other=pair[1], reason=reason, event=seen.event_id, at=seen.at
            )
            if not self._comes_last(pair, seen.at):
                self.late.add(pair)

    def happened(self, lead: LeadId, at: datetime) -> None:
        """Note that something happened to this lead at this moment."""
        self.latest[lead] = max(at, self.latest.get(lead, at))

    def _comes_last(self, pair: Iterable[Identifier], at: datetime) -> bool:
        leads = {self.owner(one) for one in pair if one in self.owners}
        return all(self.latest[lead] < at for lead in leads if lead in self.latest)

    def _seniority(self, lead: LeadId) -> tuple[bool, datetime, LeadId]:
        facts = self.facts[lead]
        return (not facts.known, facts.first_seen_at, lead)


def with_one_more(facts: Facts, identifier: Identifier) -> Facts:
    """A lead that gets this identifier."""
    kind, strong = identifier.kind, identifier.kind != "anonymous_id"
    return Facts(
        known=facts.known or strong,
        first_seen_at=facts.first_seen_at,
        namespaces=facts.namespaces | {identifier.namespace} if kind == "user_id" else facts.namespaces,
        addresses=facts.addresses + (kind == "email"),
        anonymous_ids=facts.anonymous_ids + (not strong),
        apart=facts.apart,
    )


def alone(identifier: Identifier, at: datetime) -> Facts:
    """A lead that has nothing but this identifier."""
    return with_one_more(Facts(known=False, first_seen_at=at), identifier)


def together(a: Facts, b: Facts) -> Facts:
    """Two leads as one."""
    return Facts(
        known=a.known or b.known,
        first_seen_at=min(a.first_seen_at, b.first_seen_at),
        namespaces=a.namespaces | b.namespaces,
        addresses=a.addresses + b.addresses,
        anonymous_ids=a.anonymous_ids + b.anonymous_ids,
        apart=a.apart | b.apart,
    )
