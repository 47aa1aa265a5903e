"""What a judgement changes about leads: points given are taken back, or given again, and so are stages.

In: changes of leads, a judgement that is written. Out: the changes, each from its history.
Refuses to guess a stage: the history of the lead decides (services/scorer/correct.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from services.scorer.correct import correct
from services.scorer.judge.judge import Judged
from services.scorer.settle import ActiveModel, Change, Lead
from shared.events import Event
from shared.ids import LeadId
from shared.leads.store.history import histories as read_histories


def whole_changes(leads: Mapping[LeadId, Lead]) -> list[Change]:
    """Leads of which nothing is new but what a judgement says."""
    return [Change(lead=leads[lead], merged=True, corrected=True) for lead in sorted(leads)]


async def correct_leads(
    connection: Any, changes: Iterable[Change], judged: Judged, active: ActiveModel, now: datetime
) -> list[Change]:
    """The changes of a transaction, with what was taken back and released; the events are written already."""
    histories = await read_histories(connection, sorted(judged.taken))
    return [_corrected(change, judged, histories, active, now) for change in changes]


def _corrected(
    change: Change,
    judged: Judged,
    histories: Mapping[LeadId, Sequence[Event]],
    active: ActiveModel,
    now: datetime,
) -> Change:
    lead = change.lead.lead_id
    taken, released = judged.taken.get(lead, []), judged.released.get(lead, [])
    if not (taken or released):
        return change
    number = change.lead.event_count - len(taken)
    change = replace(
        change,
        lead=replace(change.lead, event_count=number),
        events=[*change.events, *released],
        merged=True,
        corrected=True,
    )
    if taken:
        change = correct(change, taken, histories[lead], active, now)
    return replace(change, judged=change.judged or number + len(change.events) > 0)
