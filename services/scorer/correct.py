"""A lead of which events were taken back → where it stands without them (pure).

In: what changed about a lead, its events before and after. Out: the change, with a transition of cause
`corrected` if it would stand elsewhere had these events never come.
Refuses to move a lead that stands where it stands for other reasons: its history is lived twice, with the
events and without, and only what differs is taken back (docs/decisions/0009).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from services.scorer.settle import ActiveModel, Change
from shared.events import Event
from shared.scoring.engine.transitions import StageState, Transition
from shared.scoring.replay.life import live

_LOWEST: Final = ("visitor", "lead")
"""Nobody is taken back to before these, and to live a history twice costs a millisecond."""


def correct(
    change: Change, taken: Sequence[Event], history: Sequence[Event], active: ActiveModel, now: datetime
) -> Change:
    """The change with what its lead loses by the events that were taken back.

    history: the lead's counted events as they are now, those of the change included
    """
    lead = change.lead
    news, gone = ({one.event_id for one in some} for some in (change.events, taken))
    ledger = _forgetting(lead.ledger, gone)
    change = replace(change, lead=replace(lead, ledger=ledger), merged=True, corrected=True)
    if ledger.stage in _LOWEST or ledger.objected:
        return change
    before = [one for one in history if one.event_id not in news]
    stands = _stands(change, before, active, now)
    stood = _stands(change, [*before, *taken], active, now)
    if stands.stage in {stood.stage, ledger.stage}:
        return change
    told = Transition(
        sequence=ledger.sequence + 1,
        previous_stage=ledger.stage,
        stage=stands.stage,
        at=now,
        cause="corrected",
        rule=f"{stands.stage}: events that do not count were taken back",
    )
    moved = replace(stands, sequence=told.sequence, objected=ledger.objected)
    return replace(change, lead=replace(change.lead, ledger=moved), passed=(*change.passed, told))


def _stands(change: Change, events: Sequence[Event], active: ActiveModel, now: datetime) -> StageState:
    """Where these events alone would have led; who is known is a lead at least."""
    ordered = sorted(events, key=lambda one: (one.occurred_at, one.event_id))
    ledger = live(active.model, ordered, now).ledger
    if ledger.stage == "visitor" and change.lead.facts.known:
        return replace(ledger, stage="lead", since=change.lead.facts.first_seen_at)
    return ledger


def _forgetting(ledger: StageState, gone: Collection[object]) -> StageState:
    """The ledger without what sales said in events that do not count any more."""
    facts = tuple(fact for fact in ledger.facts if fact.event_id not in gone)
    return ledger if len(facts) == len(ledger.facts) else replace(ledger, facts=facts)
