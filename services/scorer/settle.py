"""A lead and its new events → the lead as it is now, and the stages it passed (pure).

In: a model, a lead, events (each counted for the first time), the database's time. Out: `Settled`.
Refuses nothing, but asks for help: `needs_history` says that the events cannot be folded into what is
kept of the lead, and that it has to be computed from its whole history.

Stages are judged at `now`, after all events of a batch: an event that only lifts a lead over a line for
the length of its own batch makes no transition. Events that enter a stage by themselves (`lead.accepted`)
are judged one by one, in order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.scorer.identify import Facts
from shared.events import Event
from shared.ids import LeadId
from shared.scoring.crossing import next_change
from shared.scoring.fold import fold, refold
from shared.scoring.model import Model
from shared.scoring.score import Score, evaluate
from shared.scoring.stages import StageState, Transition, decide, merge
from shared.scoring.state import LeadState, empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """One row of `leads`, as values.

    due_at: when the sweep will look at it, None for never; never later than the next change by time alone
    """

    lead_id: LeadId
    facts: Facts
    last_seen_at: datetime
    event_count: int
    state: LeadState
    ledger: StageState
    score: int
    grade: str
    dimensions: Mapping[str, int]
    scored_at: datetime
    due_at: datetime | None
    model_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A lead after its events.

    wake_at: a time to put into lead_due because it is earlier than the one there; None for none
    """

    lead: Lead
    score: Score
    transitions: tuple[Transition, ...]
    wake_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveModel:
    """The model that scores, with the version it has in the database."""

    model: Model
    version: int


def newborn(lead: LeadId, facts: Facts, active: ActiveModel) -> Lead:
    """A lead before its first event."""
    at = facts.first_seen_at
    return Lead(
        lead_id=lead,
        facts=facts,
        last_seen_at=at,
        event_count=0,
        state=empty(),
        ledger=StageState.initial(at),
        score=0,
        grade="",
        dimensions={},
        scored_at=at,
        due_at=None,
        model_version=active.version,
    )


def fold_in(active: ActiveModel, lead: Lead, events: Sequence[Event]) -> LeadState | None:
    """The lead's state with these events, None if only its whole history can tell."""
    if lead.model_version != active.version:
        return None
    state: LeadState | None = lead.state
    for event in events:
        state = state and fold(active.model, state, event)
    return state


def from_history(active: ActiveModel, history: Sequence[Event]) -> LeadState:
    """The state that this history makes."""
    return refold(active.model, history)


def absorb(winner: Lead, loser: Lead) -> Lead:
    """The winner of a merge with the loser's ledger and times; its state has to come from history."""
    return replace(
        winner,
        ledger=merge(winner.ledger, loser.ledger),
        last_seen_at=max(winner.last_seen_at, loser.last_seen_at),
        event_count=winner.event_count + loser.event_count,
    )


def settle(
    active: ActiveModel, lead: Lead, state: LeadState, events: Sequence[Event], now: datetime
) -> Settled:
    """Score the lead at `now` and judge its stage.

    state:   what `fold_in` or `from_history` gave, the events included
    events:  the new ones, in order; empty when only time has passed
    """
    score = evaluate(active.model, state, now)
    ledger, transitions = lead.ledger, list[Transition]()
    for event in _worth_judging(active.model, events):
        made = decide(
            active.model,
            ledger,
            score,
            profile=state.profile,
            known=lead.facts.known,
            event=event,
            now=now,
        )
        transitions += made
        ledger = ledger.after(made)
    due = next_change(active.model, state, ledger, now)
    sooner = due is not None and (lead.due_at is None or due < lead.due_at)
    settled = replace(
        lead,
        state=state,
        ledger=ledger,
        last_seen_at=max([lead.last_seen_at, *(event.occurred_at for event in events)]),
        event_count=lead.event_count + len(events),
        score=score.total,
        grade=score.grade,
        dimensions=score.dimensions,
        scored_at=now,
        due_at=due if sooner else lead.due_at,
        model_version=active.version,
    )
    return Settled(lead=settled, score=score, transitions=tuple(transitions), wake_at=due if sooner else None)


def _worth_judging(model: Model, events: Sequence[Event]) -> Sequence[Event | None]:
    """The events a stage may be entered by, and the last one, which stands for the score as it is now."""
    if not events:
        return [None]
    return [event for event in events[:-1] if event.name in model.stage_events] + [events[-1]]
