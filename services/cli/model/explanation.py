"""A lead's history and a moment → why it had that score, and what would have changed its stage (pure).

In: a model, events, where the lead stood, a moment. Out: `Explanation`.
Refuses to look past the moment: events that occurred later are left out, those that were only received later
are counted and told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.events import Event
from shared.leads.receipts import receipts
from shared.scoring.analysis.nearest import Nearest, nearest
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.contributions import Contribution
from shared.scoring.engine.fold import refold
from shared.scoring.engine.next_change import next_change
from shared.scoring.engine.score import evaluate
from shared.scoring.engine.transitions import StageState

_MOST_NEAREST: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a lead had this score at this moment.

    lines:         each contribution with its events, points before limits and decay; they add up to `score`
    nearest:       single things that would have moved the lead on, the easiest first
    next_change:   when time alone may move it; None: never
    arrived_late:  events of that time that were received after it, so that nobody could know them then
    """

    at: datetime
    model: str
    score: int
    grade: str
    dimensions: dict[str, int]
    stage: str
    since: datetime
    lines: list[dict[str, Any]]
    nearest: list[Nearest]
    next_change: datetime | None
    events: int
    arrived_late: int


def explain(
    named: tuple[str, Compiled], history: Sequence[Event], ledger: StageState, at: datetime
) -> Explanation:
    """The score as of this moment.

    named:   the model, and what it is called
    ledger:  where the lead stood then
    """
    title, model = named
    state = refold(model, history, until=at)
    found = evaluate(model, state, at)
    lines = zip(receipts(found), found.contributions, strict=True)
    known = [event for event in history if event.occurred_at <= at]
    return Explanation(
        at=at,
        model=title,
        score=found.total,
        grade=found.grade,
        dimensions=found.dimensions,
        stage=ledger.stage,
        since=ledger.since,
        lines=[line | _arithmetic(contribution) for line, contribution in lines],
        nearest=nearest(model, state, ledger, at)[:_MOST_NEAREST],
        next_change=next_change(model, state, ledger, at),
        events=len(known),
        arrived_late=sum(event.received_at > at for event in known),
    )


def _arithmetic(line: Contribution) -> dict[str, Any]:
    """How a line came about: all events, those that its limit let through, what decay left of them."""
    return {
        "kind": line.kind,
        "paid": line.paid,
        "raw": line.raw,
        "limited": line.limited,
        "decayed": round(line.decayed, 2),
    }
