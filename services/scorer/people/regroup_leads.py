"""Some leads may be other people than it seems: group them anew from their history, and write what changes.

In: leads. Out: rows of identities, events, leads and transitions; how it ended.
Refuses to trust the order in which things came: the history decides (identify/groups.py).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from services.scorer.correct import correct
from services.scorer.identify.facts import Limits, Merge
from services.scorer.identify.parties import People
from services.scorer.identify.regroup import Regrouping, regroup
from services.scorer.judge.judge import Judge, Judged
from services.scorer.models.in_force import InForce
from services.scorer.people.gather import Gathered, gather
from services.scorer.report import Report
from services.scorer.score_leads import Batch, score
from services.scorer.settle import ActiveModel, Change, Lead, absorb, newborn
from services.scorer.store import conflicts, histories, identities, merges
from services.scorer.store.events import Row
from services.scorer.store.histories import BY_HAND
from shared.events import Event
from shared.ids import EventId, Ids, LeadId
from shared.leads.identifiers import IdentityRules
from shared.leads.store.history import Histories
from shared.leads.store.history import histories as read_histories
from shared.scoring.engine.transitions import Transition
from shared.scoring.replay.life import live

_BY_NO_EVENT: Final = EventId(UUID(int=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """By what people are told apart and judged, and where the ids of new leads come from."""

    rules: IdentityRules
    limits: Limits
    ids: Ids
    judge: Judge


async def regroup_leads(  # noqa: PLR0913 - who, by what, and what is asked for
    connection: Any,
    start: Collection[LeadId],
    in_force: InForce,
    known: Known,
    *,
    rescore: bool,
    taken: Row | None = None,
) -> Report:
    """Group these leads, and whomever their evidence names, in the caller's transaction.

    taken: an event that somebody quarantined just now
    """
    gathered = await gather(connection, start, known.rules)
    if gathered is None:
        return Report(regrouped="too_large")
    await conflicts.done(connection, gathered.rows)
    people = gathered.people
    found = regroup(people, known.limits, lambda: LeadId(known.ids.fresh()))
    strong = {one for one in (*people.held, *found.owners) if one.kind != "anonymous_id"}
    await conflicts.replace(connection, strong, found.conflicts)
    if not (found.changes or rescore):
        return Report(regrouped="unchanged")
    await _write(connection, people, found)
    now: datetime = await connection.fetchval("SELECT now()")
    judged = await known.judge.leads(connection, found.facts)
    if taken is not None:
        judged.add(_whose(taken, people, found), taken.event, BY_HAND)
    lived = await read_histories(connection, sorted(found.facts))
    changes = _changes(gathered, found, in_force.active, lived, now)
    changes = [_corrected(one, judged, lived, in_force.active, now) for one in changes]
    origin = Batch(now=now, losers=_losers(found), other_leads=_others(found), corrected=judged.why)
    scored = await score(connection, in_force, changes, origin)
    return Report(
        passed=scored.passed,
        refolded=scored.refolded,
        merged=sum(lead in people.live for lead in found.merged),
        regrouped="changed",
        changed=judged.changes(),
    )


def _whose(taken: Row, people: People, found: Regrouping) -> LeadId:
    """The lead that has this event now: its row may say one that was merged away long ago."""
    moved = {each.event_id: lead for each, lead in found.moved}
    here = taken.lead if taken.lead in found.facts else people.merged.get(taken.lead, taken.lead)
    return moved.get(taken.event.event_id) or found.merged.get(here, here)


def _corrected(
    change: Change, judged: Judged, lived: Histories, active: ActiveModel, now: datetime
) -> Change:
    """The change without what was taken back; a lead that is another person stands where it lives anew."""
    lead = change.lead.lead_id
    taken, released = judged.taken.get(lead, []), judged.released.get(lead, [])
    if released:
        count = change.lead.event_count - len(released)
        change = replace(change, lead=replace(change.lead, event_count=count), events=released)
    if not taken or any(passed.cause == "unmerged" for passed in change.passed):
        return change
    return correct(change, taken, lived[lead], active, now)


async def _write(connection: Any, people: People, found: Regrouping) -> None:
    """Identifiers, merges and the rows of events as they have to be."""
    await merges.undo(connection, found.back)
    await merges.write(
        connection,
        [
            Merge(winner=into, loser=lead, cause=_BY_NO_EVENT)
            for lead, into in found.merged.items()
            if lead in people.live
        ],
    )
    await merges.point(
        connection, {lead: into for lead, into in found.merged.items() if lead in people.merged}
    )
    await identities.remove(connection, found.gone)
    known = {one: held for one, held in found.owners.items() if one in people.held}
    await identities.change(connection, known)
    await identities.attach(connection, {one: held for one, held in found.owners.items() if one not in known})
    await histories.move(connection, found.moved)


def _changes(
    gathered: Gathered, found: Regrouping, active: ActiveModel, lived: Histories, now: datetime
) -> list[Change]:
    """What is new about each lead that is left."""
    changes = []
    for lead in sorted(found.facts):
        present = gathered.rows.get(lead) or newborn(lead, found.facts[lead], active)
        change = Change(lead=_as_found(present, found), merged=True, judged=bool(lived[lead]))
        if lead in found.left or lead in found.back or lead in found.born:
            change = _lived_anew(change, active, lived[lead], now)
        else:
            change = _absorbed(change, gathered, found, now)
        changes.append(replace(change, lead=_counted(change.lead, lived[lead])))
    return changes


def _absorbed(change: Change, gathered: Gathered, found: Regrouping, now: datetime) -> Change:
    """The lead with what it takes over from those merged into it."""
    for other, into in found.merged.items():
        if into == change.lead.lead_id and other in gathered.people.live:
            change = absorb(change, gathered.rows[other], now)
    return change


def _as_found(present: Lead, found: Regrouping) -> Lead:
    back = present.lead_id in found.back
    return replace(present, facts=found.facts[present.lead_id], due_at=None if back else present.due_at)


def _counted(lead: Lead, history: Collection[Event]) -> Lead:
    """The lead with the number of events that count for it now."""
    last = max((event.occurred_at for event in history), default=lead.last_seen_at)
    return replace(lead, event_count=len(history), last_seen_at=last)


def _lived_anew(change: Change, active: ActiveModel, history: Collection[Event], now: datetime) -> Change:
    """A lead that is another person than it was: it stands where its own history leads, and says so."""
    before = change.lead.ledger
    stands = live(active.model, history, now).ledger
    if before.stage == stands.stage == "visitor":
        return change
    told = Transition(
        sequence=before.sequence + 1,
        previous_stage=before.stage,
        stage=stands.stage,
        at=now,
        cause="unmerged",
        rule=f"{stands.stage}: another person was taken out of this lead",
    )
    ledger = replace(
        stands,
        sequence=told.sequence,
        since=before.since if before.stage == stands.stage else stands.since,
        objected=before.objected,
    )
    return replace(change, lead=replace(change.lead, ledger=ledger), passed=(told,))


def _losers(found: Regrouping) -> Mapping[LeadId, list[LeadId]]:
    losers: dict[LeadId, list[LeadId]] = {}
    for lead, into in found.merged.items():
        losers.setdefault(into, []).append(lead)
    return losers


def _others(found: Regrouping) -> Mapping[LeadId, list[LeadId]]:
    """Lead → the leads that it was one with, in both directions."""
    others: dict[LeadId, set[LeadId]] = {lead: set(some) for lead, some in found.left.items()}
    for lead, some in found.left.items():
        for other in some:
            others.setdefault(other, set()).add(lead)
    return {lead: sorted(some) for lead, some in others.items()}
