"""Everything there is about some leads and all those that evidence ties them to, locked.

In: leads. Out: `Gathered`: what identify/regroup.py needs, and the leads as rows. Refuses (None) crowds: what
a thousand people share is no evidence about any of them.

It first reads without a lock whom the evidence leads to, then locks all of them in the order of their ids,
and reads again: if somebody was added meanwhile, the whole is tried again (`IdentityRace`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from services.scorer.identify.evidence import evidence
from services.scorer.identify.facts import Held
from services.scorer.identify.groups import Decision
from services.scorer.identify.parties import People, StoredEvent
from services.scorer.judge.signals import REASONS
from services.scorer.settle import Lead
from services.scorer.store import conflicts, decisions, histories, identities, leads, merges
from services.scorer.store.identities import IdentityRace
from shared.ids import LeadId
from shared.leads.identifiers import Identifier, IdentityRules

MOST_LEADS: Final = 200
MOST_EVENTS: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """People, and their leads as rows: the living ones, and `merged` ones too."""

    people: People
    rows: dict[LeadId, Lead]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What is known about some leads at one moment."""

    family: dict[LeadId, LeadId | None]
    held: dict[Identifier, Held]
    events: list[StoredEvent]
    decisions: list[Decision]
    reaches: frozenset[LeadId]


async def gather(connection: Any, start: Collection[LeadId], rules: IdentityRules) -> Gathered | None:
    """All about these leads and whomever their evidence names; None if that is a crowd.

    Raises IdentityRace if more people were added while they were being locked.
    """
    wanted = await _living(connection, start)
    while (reading := await _read(connection, wanted, rules)) and not reading.reaches <= wanted:
        wanted |= reading.reaches
    if reading is None:
        return None
    locked = await leads.lock_all(connection, reading.family)
    again = await _read(connection, wanted, rules)
    living = {lead for lead, into in reading.family.items() if into is None}
    if again is None or again.family != reading.family or not again.reaches <= wanted <= living:
        raise IdentityRace("the people to be grouped anew kept changing")
    return Gathered(people=await _people(connection, again, locked), rows=locked)


async def _read(connection: Any, wanted: Collection[LeadId], rules: IdentityRules) -> _Reading | None:
    """These leads, their identifiers and events, and the leads that these lead to; None for too many."""
    family = await merges.families(connection, wanted)
    if len(wanted) > MOST_LEADS or await histories.at_least(connection, family, MOST_EVENTS):
        return None
    held = await identities.of_leads(connection, wanted)
    events = [
        StoredEvent(
            row.event.event_id,
            row.event.received_at,
            row.lead,
            row.quarantine is None or row.quarantine in REASONS,
            evidence(row.event, rules),
        )
        for row in await histories.rows(connection, family)
    ]
    named = {one for each in events if each.counted for one in each.evidence.strong}
    strong = named | {one for one in held if one.kind != "anonymous_id"}
    about = await decisions.about(connection, held)
    decided = {one for each in about for one in (*each.one, *each.other)}
    partners = await conflicts.partners(connection, strong)
    owners = await identities.read(connection, strong | decided | partners)
    reaches = frozenset(each.lead for each in owners.values())
    return _Reading(family=family, held=held, events=events, decisions=about, reaches=reaches)


async def _people(connection: Any, reading: _Reading, locked: dict[LeadId, Lead]) -> People:
    merged = {lead: LeadId(into) for lead, into in reading.family.items() if into is not None}
    return People(
        live={
            lead: locked[lead].facts.first_seen_at for lead, into in reading.family.items() if into is None
        },
        merged=merged,
        brought=await merges.brought(connection, merged),
        held=reading.held,
        events=reading.events,
        decisions=reading.decisions,
    )


async def _living(connection: Any, start: Iterable[LeadId]) -> set[LeadId]:
    """These leads, or where they were merged to."""
    family = await merges.families(connection, start)
    return {LeadId(family[lead] or lead) for lead in start if lead in family}
