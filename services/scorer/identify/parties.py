"""Some leads, everything about them → who each identifier and each event belongs to (pure).

In: `People`. Out: `Parties`: for each identifier and event a party, before it is said which lead that is.
A party is a person (a group of strong identifiers), a visitor (devices on which nobody became known), or, for
what no evidence is left of, the lead that has it now.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from services.scorer.identify.evidence import Evidence
from services.scorer.identify.facts import Held, Limits
from services.scorer.identify.groups import Decision, Groups, Pair, groups
from services.scorer.identify.served import Served
from shared.ids import EventId, LeadId
from shared.leads.identifiers import Identifier

Party = tuple[str, int | Identifier | LeadId]
"""("person", group), ("visitor", smallest device) or ("lead", lead)."""


class StoredEvent(NamedTuple):
    """One row of `events`.

    lead:     the lead in its row, which may be merged into another one
    counted:  it is evidence: it counts, or a machine's deed is all that is held against it
    """

    event_id: EventId
    received_at: datetime
    lead: LeadId
    counted: bool
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everything there is about some leads that may be other people than it seems.

    live:    leads that are not merged away, with when each was first seen
    merged:  leads that are, each with the live one; `brought`: the identifiers that each brought along
    held:    every identifier of the live leads
    """

    live: Mapping[LeadId, datetime]
    merged: Mapping[LeadId, LeadId]
    brought: Mapping[LeadId, frozenset[Identifier]]
    held: Mapping[Identifier, Held]
    events: Sequence[StoredEvent]
    decisions: Sequence[Decision]

    def former(self) -> frozenset[Identifier]:
        """Identifiers as releases before namespaces hashed them, that were another system's all along."""
        told = {each.evidence.former for each in self.events}
        own = {one for each in self.events if each.counted for one in each.evidence.strong}
        return frozenset(
            one
            for one, held in self.held.items()
            if held.namespace is None and one in told and one not in own
        )

    def lead_of(self, each: StoredEvent) -> LeadId:
        """The lead an event counts for now."""
        return self.merged.get(each.lead, each.lead)

    def usable(self, seen: Evidence) -> Evidence:
        """The evidence without suspended identifiers, shared devices and names that were no user's before."""
        strong = tuple(one for one in seen.strong if not self._has(one, "suspended"))
        weak = tuple(one for one in seen.weak if not self._has(one, "shared"))
        is_user = bool(strong) and strong[0].kind == "user_id"
        former = self.held.get(seen.former) if seen.former else None
        was_one = seen.unnamed and former is not None and former.namespace is None
        previous = seen.previous if is_user else None
        return seen._replace(strong=strong, weak=weak, previous=previous, unnamed=was_one)

    def _has(self, one: Identifier, status: str) -> bool:
        return one in self.held and self.held[one].status == status


class Parties:
    """Who everything belongs to: `of_identifier`, and `of_events`, each event with its party."""

    def __init__(self, people: People, limits: Limits) -> None:
        seen = [people.usable(each.evidence) for each in people.events if each.counted]
        self._people = people
        self._former = people.former()
        suspended = {one for one, held in people.held.items() if held.status == "suspended"}
        self.found: Groups = groups(
            seen, people.decisions, [*self._unnamed(seen), *_alone(suspended)], limits
        )
        self._served = Served(seen, self.found)
        self._replaced_by = {
            each.previous: each.strong[0] for each in sorted(seen, key=_when, reverse=True) if each.previous
        }
        self._devices = {
            device for each in people.events for device in people.usable(each.evidence).weak
        } & people.held.keys()
        self.of_identifier = {one: self._owner(one) for one in self._identifiers()}
        self.of_events = [(each, self._whose(each)) for each in people.events]

    def _whose(self, each: StoredEvent) -> Party:
        """Whose this event is."""
        seen = self._people.usable(each.evidence)
        objection_by_name = seen.objection and each.evidence.strong
        if seen.weak and not seen.strong and not objection_by_name:
            return self._visitor(seen.weak, seen.at)
        # Of what is suspended only: whoever has that identifier.
        first = next(iter(seen.strong or each.evidence.strong), None)
        group = self.found.of(first) if first else None
        return ("person", group) if group is not None else ("lead", self._people.lead_of(each))

    def serves_since(self, device: Identifier) -> datetime | None:
        """Since when a device serves the person it serves now."""
        last = self._served.last(device)
        return last.at if last else None

    def marks(self, party: Party) -> frozenset[str]:
        """What people decided about a party."""
        if party[0] == "person":
            return self.found.marks_of(party[1])  # type: ignore[arg-type]
        return self.found.marks.get(party[1], frozenset())  # type: ignore[arg-type]

    def _identifiers(self) -> set[Identifier]:
        named = {one for some in self.found.members for one in some}
        return named | {one for one in self._people.held if one not in self._former}

    def _owner(self, one: Identifier) -> Party:
        if (group := self.found.of(one)) is not None:
            return ("person", group)
        if one in self._devices:
            last = self._served.last(one)
            return ("person", last.group) if last else self._visitor((one,), self._people.held[one].since)
        user = self._replaced_by.get(one)
        group = self.found.of(user) if user else None
        return ("person", group) if group is not None else ("lead", self._people.held[one].lead)

    def _visitor(self, devices: Sequence[Identifier], at: datetime) -> Party:
        group = self._served.group_at(devices, at)
        return ("person", group) if group is not None else ("visitor", min(self._served.together(devices[0])))

    def _unnamed(self, seen: Iterable[Evidence]) -> list[Pair]:
        """Strong identifiers that no event names any more, each with one of its lead that has a name."""
        named = {one for each in seen for one in each.strong}
        of_lead: defaultdict[LeadId, list[Identifier]] = defaultdict(list)
        for one, held in sorted(self._people.held.items()):
            if one.kind != "anonymous_id" and held.status == "in_use" and one not in self._former:
                of_lead[held.lead].append(one)
        return [
            Pair(self._people.held[one].since, EventId(lead), _anchor(some, named), one)
            for lead, some in of_lead.items()
            for one in some
            if one not in named
        ]


def _alone(suspended: Iterable[Identifier]) -> list[Pair]:
    """Identifiers that are not believed: each is somebody of its own, tied to nobody."""
    never = datetime.min.replace(tzinfo=UTC)
    return [Pair(never, EventId(UUID(int=0)), one, one) for one in suspended]


def _anchor(some: Sequence[Identifier], named: set[Identifier]) -> Identifier:
    return next((one for one in some if one in named), some[0])


def _when(seen: Evidence) -> tuple[datetime, EventId]:
    return seen.at, seen.event_id
