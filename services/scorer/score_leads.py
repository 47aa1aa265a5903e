"""The second half of the recipe: changes of leads → scored leads, transitions, shadows, in the database.

In: the models in force, what is new about each lead, the database's time. Out: rows; what was passed.
Refuses to decide: `settle` and `shade` do. What the shadow model says reaches nobody.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from services.scorer.accounts.notes import notes
from services.scorer.models.in_force import InForce
from services.scorer.objection import is_muted
from services.scorer.settle import (
    ActiveModel,
    Change,
    Lead,
    Settled,
    fold_in,
    from_history,
    settle,
    told_late,
    why_hard,
)
from services.scorer.shadow import Shadow, shade
from services.scorer.store import account_queue, leads, shadows, transitions
from shared.ids import EventId, LeadId
from shared.leads.portrait import portrait
from shared.leads.store.history import Histories
from shared.leads.store.history import histories as read_histories
from shared.leads.transition_row import ABOUT_OBJECTION
from shared.scoring.engine.transitions import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What the changes come from: a batch of events, or time alone.

    now:       the database's time, of everything in this transaction
    received:  when ingest received the events that may have caused a transition
    losers:    lead → the leads that were merged into it
    other_leads: lead → the leads that were one with it until now
    silent:    leads whose moves are recorded and not delivered
    corrected: lead → why events of it that were counted do not count any more
    contexts:  traced event → its `traceparent`
    """

    now: datetime
    received: Mapping[EventId, datetime] = field(default_factory=dict)
    losers: Mapping[LeadId, Sequence[LeadId]] = field(default_factory=dict)
    other_leads: Mapping[LeadId, Sequence[LeadId]] = field(default_factory=dict)
    silent: Collection[LeadId] = ()
    corrected: Mapping[LeadId, Sequence[str]] = field(default_factory=dict)
    contexts: Mapping[EventId, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What scoring did.

    passed:    (previous stage, stage) of each transition
    refolded:  one reason per lead that was computed from its history
    """

    passed: list[tuple[str, str]]
    refolded: list[str]


async def score(connection: Any, in_force: InForce, changes: Sequence[Change], batch: Batch) -> Scored:
    """Score, judge and write every changed lead, and its shadow beside."""
    active = in_force.active
    folded = {change.lead.lead_id: fold_in(active, change) for change in changes}
    hard = [change for change in changes if folded[change.lead.lead_id] is None]
    late = [change for change in changes if told_late(active, change)]
    unknown = {change.lead.lead_id for change in (*hard, *late)}
    histories = await read_histories(connection, sorted(unknown))
    settled = []
    for change in changes:
        lead = change.lead.lead_id
        history = histories.get(lead, ())
        state = folded[lead] or from_history(active, history)
        settled.append(settle(active, change, state, batch.now, history))
    passed = await _store(connection, active, settled, histories, batch)
    await account_queue.note(connection, notes(active, changes))
    in_force.noted.note(changes, [one.lead for one in settled], chain.from_iterable(batch.losers.values()))
    if in_force.shadow:
        pairs = list(zip(changes, [one.lead for one in settled], strict=True))
        await _shade(connection, in_force.shadow, pairs, histories, batch)
    return Scored(passed=passed, refolded=[why_hard(active, change) for change in hard])


async def shade_anew(connection: Any, in_force: InForce, present: Sequence[Lead], now: datetime) -> None:
    """Give these leads their shadow; nothing else of them changes."""
    if in_force.shadow:
        pairs = [(Change(lead=lead, judged=lead.event_count > 0), lead) for lead in present]
        await _shade(connection, in_force.shadow, pairs, {}, Batch(now=now))


async def _store(
    connection: Any, active: ActiveModel, settled: Sequence[Settled], histories: Histories, batch: Batch
) -> list[tuple[str, str]]:
    """Write leads as they are now, their next due times, and the transitions they made.

    Returns (previous stage, stage) of each transition.
    """
    await leads.write(connection, [one.lead for one in settled])
    await _wake(connection, settled)
    moved = [(one, one.score) for one in settled if one.score]
    known = await _histories(connection, [one.lead.lead_id for one, _ in moved], histories)
    entries = [
        transitions.Entry(
            lead=one.lead.lead_id,
            transition=passed,
            score=score,
            portrait=portrait(known[one.lead.lead_id]),
            model_version=active.version,
            event_received_at=batch.received.get(passed.cause_event) if passed.cause_event else None,
            silent=_is_silent(active, batch, one.lead, passed),
            other_leads=batch.other_leads.get(one.lead.lead_id, ()) if passed.cause == "unmerged" else (),
            corrected=batch.corrected.get(one.lead.lead_id, ()) if passed.cause == "corrected" else (),
            traceparent=batch.contexts.get(passed.cause_event) if passed.cause_event else None,
        )
        for one, score in moved
        for passed in one.transitions
    ]
    await transitions.insert(connection, entries)
    return [(entry.transition.previous_stage, entry.transition.stage) for entry in entries]


def _is_silent(active: ActiveModel, batch: Batch, lead: Lead, passed: Transition) -> bool:
    """Whether a move is delivered to nobody. An import silences nothing that takes back what was told."""
    if is_muted(lead.ledger, passed):
        return True
    if passed.cause == "model":
        return active.silent
    takes_back = passed.cause == "corrected" or passed.cause in ABOUT_OBJECTION
    return lead.lead_id in batch.silent and not takes_back


async def _shade(
    connection: Any,
    model: ActiveModel,
    pairs: Sequence[tuple[Change, Lead]],
    histories: Histories,
    batch: Batch,
) -> None:
    """Settle the same changes under the shadow model; that may wake the sweep earlier, and does nothing else.

    pairs: each change, and what became of the lead
    """
    merged = [loser for some in batch.losers.values() for loser in some]
    so_far = await shadows.read(connection, [*(present.lead_id for _, present in pairs), *merged])
    shaded = [
        shade(model, change, present, so_far.get(present.lead_id), _absorbed(present, so_far, batch))
        for change, present in pairs
    ]
    unread = [
        each.change.lead.lead_id for each in shaded if each.state is None or told_late(model, each.change)
    ]
    known = await _histories(connection, unread, histories)
    settled = []
    for each in shaded:
        history = known.get(each.change.lead.lead_id, ())
        state = each.state or from_history(model, history)
        settled.append(settle(model, each.change, state, batch.now, history))
    await shadows.write(connection, [one.lead for one in settled])
    await shadows.remove(connection, merged)
    await _wake(connection, settled)


def _absorbed(lead: Lead, so_far: Mapping[LeadId, Shadow], batch: Batch) -> list[Shadow]:
    """The shadows of leads that were merged into this one."""
    return [so_far[loser] for loser in batch.losers.get(lead.lead_id, ()) if loser in so_far]


async def _wake(connection: Any, settled: Sequence[Settled]) -> None:
    await leads.wake(connection, [(one.lead.lead_id, one.wake_at) for one in settled if one.wake_at])


async def _histories(connection: Any, wanted: Sequence[LeadId], known: Histories) -> Histories:
    """The histories of these leads; only those are read that are not known yet."""
    unread = [lead for lead in wanted if lead not in known]
    return {**known, **await read_histories(connection, unread)}
