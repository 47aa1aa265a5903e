"""Some people, all their events → what has to change so that each is one lead (pure).

In: `People`, the limits. Out: `Regrouping`. The same evidence gives the same people, whatever is stored now.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce

from msgspec.structs import replace

from services.scorer.identify.facts import Conflict, Facts, Held, Limits
from services.scorer.identify.keep_leads import Own, held_by, keep_leads, own_identifiers, successor
from services.scorer.identify.parties import Parties, Party, People, StoredEvent
from services.scorer.identify.picture import alone, together
from shared.ids import LeadId
from shared.leads.identifiers import Identifier


@dataclass(slots=True, kw_only=True)
class Regrouping:
    """What has to be written.

    owners:  identifiers with another owner; `gone`: those of before namespaces that they replace
    moved:   events, each with another lead for its row
    born:    leads that are new; `back`: leads that were merged away and are their own again
    merged:  lead → the lead it is merged into, of those where that changes
    facts:   of every lead that is left
    left:    lead → leads that took a person out of it
    """

    owners: dict[Identifier, Held] = field(default_factory=dict)
    gone: frozenset[Identifier] = frozenset()
    moved: list[tuple[StoredEvent, LeadId]] = field(default_factory=list)
    born: list[LeadId] = field(default_factory=list)
    back: list[LeadId] = field(default_factory=list)
    merged: dict[LeadId, LeadId] = field(default_factory=dict)
    facts: dict[LeadId, Facts] = field(default_factory=dict)
    left: dict[LeadId, set[LeadId]] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether anything is other than it was."""
        return bool(self.owners or self.gone or self.moved or self.back or self.merged)


def regroup(people: People, limits: Limits, fresh: Callable[[], LeadId]) -> Regrouping:
    """Which lead has what, and what that changes."""
    parties = Parties(people, limits)
    own = own_identifiers(people)
    leads, born = keep_leads(people, parties, own, fresh)
    merged = _merged(people, parties, own, leads)
    owners = _owners(people, parties, leads)
    return Regrouping(
        owners=owners,
        gone=people.former(),
        moved=_moved(parties, leads, merged),
        born=born,
        back=sorted(set(leads.values()) & people.merged.keys()),
        merged={lead: into for lead, into in merged.items() if people.merged.get(lead) != into},
        facts=_facts(people, parties, leads, merged),
        left=_left(people, owners, merged, {*born, *leads.values()} - people.live.keys()),
        conflicts=parties.found.conflicts,
    )


def _merged(
    people: People, parties: Parties, own: Own, leads: Mapping[Party, LeadId]
) -> dict[LeadId, LeadId]:
    """Every lead that is not its own, with the lead it is part of."""
    kept = {lead for party, lead in leads.items() if party[0] != "lead"}
    has = held_by(people)
    merged: dict[LeadId, LeadId] = {}
    for lead in (*people.live, *people.merged):
        if lead in kept:
            continue
        # Of one that had nothing of its own the last identifiers may have been taken out: they tell as well.
        into = successor(lead, own, parties, leads) or successor(lead, has, parties, leads)
        if into and into != lead:
            merged[lead] = into
    for lead, into in people.merged.items():
        if lead not in kept:
            merged.setdefault(lead, into)
    # Of a lead of which nothing is left the last winner may be merged away by now.
    return {lead: _end(into, merged) for lead, into in merged.items()}


def _end(lead: LeadId, merged: Mapping[LeadId, LeadId]) -> LeadId:
    for _ in merged:
        lead = merged.get(lead, lead)
    return lead


def _living(lead: LeadId, merged: Mapping[LeadId, LeadId]) -> LeadId:
    """Where a lead is when all is written; `merged` names the last winner already."""
    return merged.get(lead, lead)


def _owners(people: People, parties: Parties, leads: Mapping[Party, LeadId]) -> dict[Identifier, Held]:
    """Identifiers that belong to another lead than before."""
    owners = {}
    for one, party in parties.of_identifier.items():
        before, lead = people.held.get(one), leads[party]
        if before is None:
            since = min(each.evidence.at for each in people.events if one in each.evidence.strong)
            owners[one] = Held(lead, since, "in_use", one.namespace)
        elif before.lead != lead:
            owners[one] = before._replace(lead=lead, since=parties.serves_since(one) or before.since)
    return owners


def _moved(
    parties: Parties, leads: Mapping[Party, LeadId], merged: Mapping[LeadId, LeadId]
) -> list[tuple[StoredEvent, LeadId]]:
    """Events whose row leads to another lead than the one they belong to."""
    moved = []
    for each, party in parties.of_events:
        lead = _living(leads[party], merged)
        if merged.get(each.lead, each.lead) != lead:
            moved.append((each, lead))
    return moved


def _facts(
    people: People, parties: Parties, leads: Mapping[Party, LeadId], merged: Mapping[LeadId, LeadId]
) -> dict[LeadId, Facts]:
    """What decides about each lead that is left."""
    parts: defaultdict[LeadId, list[Facts]] = defaultdict(list)
    first = dict(people.live)
    for each, party in parties.of_events:
        lead = _living(leads[party], merged)
        first[lead] = min(first.get(lead, each.evidence.at), each.evidence.at)
    for one, party in parties.of_identifier.items():
        lead = _living(leads[party], merged)
        at = first.setdefault(lead, people.held[one].since if one in people.held else first[lead])
        if one not in people.held or people.held[one].status != "shared":
            parts[lead].append(replace(alone(one, at), apart=parties.marks(party)))
    nothing = {lead: Facts(known=False, first_seen_at=at) for lead, at in first.items() if lead not in merged}
    return {lead: reduce(together, parts[lead], empty) for lead, empty in nothing.items()}


def _left(
    people: People,
    owners: Mapping[Identifier, Held],
    merged: Mapping[LeadId, LeadId],
    new: Iterable[LeadId],
) -> dict[LeadId, set[LeadId]]:
    """Leads that somebody left: with a strong identifier, or as a visitor of their own."""
    appeared = set(new)
    left: defaultdict[LeadId, set[LeadId]] = defaultdict(set)
    for one, held in owners.items():
        before = people.held.get(one)
        if before is None or before.lead in merged or before.lead == held.lead:
            continue
        if one.kind != "anonymous_id" or held.lead in appeared:
            left[before.lead].add(held.lead)
    return dict(left)
