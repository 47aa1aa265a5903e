"""A lead as it is stored, against what its stored events make of it under the active model (pure).

In: its row, its state, its events. Out: how it comes out. Refuses to write: walk.py has it written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.cli.reconcile.compare import numbers, state_differs
from shared.events import Event
from shared.ids import LeadId
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.fold import is_current, refold
from shared.scoring.engine.score import standing
from shared.scoring.engine.state import LeadState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLead:
    """What is stored of a lead that a replay looks at; the numbers as of the moment it was last scored."""

    lead: LeadId
    event_count: int
    state: LeadState
    numbers: tuple[int, str, dict[str, int]]
    scored_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a lead comes out.

    difference:  in what it differs from what is stored; empty if in nothing
    points:      by how much its score does
    stale:       what is kept of it is of another layout: written anew, it need not be refolded later
    unreadable:  one of its events cannot be read: nothing can be said of it, nor written
    """

    lead: LeadId
    difference: str = ""
    points: int = 0
    stale: bool = False
    unreadable: bool = False


def outcome(stored: StoredLead, model: Compiled, history: Sequence[Event]) -> Outcome:
    """How this lead comes out of a replay of all its counted events."""
    derived = refold(model, history)
    made = standing(model, derived, stored.scored_at)
    stale = not is_current(model, stored.state)
    what = "" if stale else state_differs(model, stored.state, derived, made)
    if len(history) != stored.event_count:
        what = f"{stored.event_count} events were counted, {len(history)} are stored"
    if stored.numbers != numbers(made):
        what = f"{_words(stored.numbers)}, events make {_words(numbers(made))}"
    return Outcome(lead=stored.lead, difference=what, points=made.total - stored.numbers[0], stale=stale)


def _words(shown: tuple[int, str, dict[str, Any]]) -> str:
    return f"{shown[0]} {shown[1]} {shown[2]}"
