"""A lead as the shadow model sees it (pure).

In: a lead that the active model has settled, what changed about it, its shadow so far. Out: the change as
the shadow model has to settle it. Refuses to look ahead: a shadow begins where the lead stands when it is
first looked at, and is judged from then on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from msgspec.structs import replace

from services.scorer.settle import ActiveModel, Change, Lead, fold_in
from shared.scoring.engine.fold import is_current
from shared.scoring.engine.state import EMPTY, LeadState
from shared.scoring.engine.transitions import StageState, merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """Where a lead would stand: one row of `shadow_leads`, as values."""

    model_version: int
    state: LeadState
    ledger: StageState


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaded:
    """A change for the shadow model to settle.

    state:  None if only the lead's whole history can tell
    """

    change: Change
    state: LeadState | None


def shade(
    model: ActiveModel, change: Change, present: Lead, so_far: Shadow | None, absorbed: Sequence[Shadow]
) -> Shaded:
    """What the shadow model has to settle.

    model:     the shadow model
    change:    what the active model settled; `present` is what became of it
    so_far:    the lead's shadow before; None if it has none
    absorbed:  the shadows of leads that were merged into it
    """
    shadow = so_far if so_far and so_far.model_version == model.version else None
    if shadow is None and not change.lead.event_count:
        shadow = Shadow(model_version=model.version, state=EMPTY, ledger=change.lead.ledger)
    if shadow is None:
        # Seen for the first time: it stands where it stands, and what happened is no news.
        lead = replace(present, model_version=model.version)
        return Shaded(change=Change(lead=lead, judged=change.judged), state=_same_state(model, present))
    ledger = reduce(merge, (each.ledger for each in absorbed), shadow.ledger)
    lead = replace(change.lead, state=shadow.state, ledger=ledger, model_version=model.version)
    seen = replace(change, lead=replace(lead, due_at=present.due_at), passed=())
    return Shaded(change=seen, state=_same_state(model, present) or fold_in(model, seen))


def _same_state(model: ActiveModel, present: Lead) -> LeadState | None:
    """Models whose rules count alike fold alike: then there is nothing to fold a second time."""
    return present.state if is_current(model.model, present.state) else None
