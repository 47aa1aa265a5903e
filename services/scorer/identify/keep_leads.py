"""Which lead each party keeps (pure).

In: parties, the leads as they are. Out: for each party its lead.
A party keeps the lead that it began with: the one of whose own identifiers (those it had before others were
merged into it) it has most. Leads that live come first; one that was merged away comes back if its person is
somebody of its own again; only then a new one is made.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping

from services.scorer.identify.parties import Parties, Party, People
from shared.ids import LeadId
from shared.leads.identifiers import Identifier

Own = Mapping[LeadId, frozenset[Identifier]]
"""Lead → the identifiers it had before others were merged into it."""


def own_identifiers(people: People) -> Own:
    """What each lead began with, of the live ones and of those merged away."""
    brought = people.brought
    has = held_by(people)
    own = {lead: has.get(lead, frozenset()) for lead in people.live}
    for lead, into in people.merged.items():
        own[into] -= brought.get(lead, frozenset())
    for lead, some in brought.items():
        smaller = [other for key, other in brought.items() if key != lead and other < some]
        # What was taken out of its winner since is somebody else's.
        own[lead] = some.intersection(has.get(people.merged[lead], ())).difference(*smaller)
    return own


def held_by(people: People) -> Own:
    """The identifiers that each lead has now."""
    has: defaultdict[LeadId, set[Identifier]] = defaultdict(set)
    for one, held in people.held.items():
        has[held.lead].add(one)
    return {lead: frozenset(some) for lead, some in has.items()}


def keep_leads(
    people: People, parties: Parties, own: Own, fresh: Callable[[], LeadId]
) -> tuple[dict[Party, LeadId], list[LeadId]]:
    """Each party's lead, and those of them that are new."""
    wanted = {party for _, party in parties.of_events} | set(parties.of_identifier.values())
    leads: dict[Party, LeadId] = {party: party[1] for party in wanted if party[0] == "lead"}  # type: ignore[misc]
    open_ = {party for party in wanted if party[0] != "lead"}
    for some in (people.live, people.merged):
        matched = _best_matches(open_, {lead: own.get(lead, frozenset()) for lead in some}, parties, people)
        leads |= matched
        open_ -= matched.keys()
    born = {party: fresh() for party in sorted(open_, key=repr)}
    return leads | born, list(born.values())


def successor(lead: LeadId, own: Own, parties: Parties, leads: Mapping[Party, LeadId]) -> LeadId | None:
    """The lead that has most of these identifiers of this one; None if nothing of it is left anywhere."""
    counts = Counter(leads[party] for one in own.get(lead, ()) if (party := parties.of_identifier.get(one)))
    return min(counts, key=lambda one: (-counts[one], one)) if counts else None


def _best_matches(
    open_: Collection[Party], own: Own, parties: Parties, people: People
) -> dict[Party, LeadId]:
    """Parties and leads that have most identifiers in common, each once; of equals the older lead."""
    common: Counter[tuple[Party, LeadId]] = Counter()
    for lead, some in own.items():
        for one in some:
            party = parties.of_identifier.get(one)
            if party is not None and party in open_:
                common[party, lead] += 1
    seen = people.live
    ranked = sorted(
        common, key=lambda pair: (-common[pair], str(seen.get(pair[1], "")), pair[1], repr(pair[0]))
    )
    matches: dict[Party, LeadId] = {}
    for party, lead in ranked:
        if party not in matches and lead not in matches.values():
            matches[party] = lead
    return matches
