"""What an objection does to where a lead stands: nothing moves it, and whoever had it is told once (pure).

In: where a lead stands, whether its person objects now. Out: where it stands, and the transition that tells.
Refuses to move: both sides of that transition are the same stage. A lead that never moved has nobody to tell.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from shared.events import Event
from shared.leads.transition_row import ABOUT_OBJECTION
from shared.scoring.engine.consent import OBJECTION_EVENTS
from shared.scoring.engine.transitions import Cause, StageState, Transition, after


def tell(
    ledger: StageState, events: Sequence[Event], now: datetime, *, objects: bool
) -> tuple[StageState, list[Transition]]:
    """Where the lead stands, with what is to be told.

    events:  the newest ones, in which the reason may be
    objects: the person objects now
    """
    if ledger.objected is objects:
        return ledger, []
    heard = replace(ledger, objected=objects)
    if not ledger.sequence:
        return heard, []
    said = [event.event_id for event in events if event.name in OBJECTION_EVENTS]
    cause: Cause = "objected" if objects else "objection_withdrawn"
    told = Transition(
        sequence=ledger.sequence + 1,
        previous_stage=ledger.stage,
        stage=ledger.stage,
        at=now,
        cause=cause,
        cause_event=said[-1] if said else None,
        rule=f"{ledger.stage}: {cause.replace('_', ' ')}",
    )
    return replace(after(heard, [told]), since=ledger.since), [told]


def is_muted(ledger: StageState, passed: Transition) -> bool:
    """Whether nobody hears of this transition, because the person objects."""
    return ledger.objected and passed.cause not in ABOUT_OBJECTION
