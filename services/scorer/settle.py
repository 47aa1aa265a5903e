"""A lead and its new events → the lead as it is now, and the stages it passed (pure).

In: a model, a lead, events (each counted for the first time), the database's time. Out: `Settled`.
Asks for help: `needs_history` says that the events cannot be folded into what is
kept of the lead, and that it has to be computed from its whole history.

Stages are judged at `now`, after all events of a batch: an event that only lifts a lead over a line for
the length of its own batch makes no transition. Events that enter a stage by themselves (`lead.accepted`)
are judged one by one, in order of when they happened: shared/scoring/engine/rewind.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.scorer import objection
from services.scorer.identify.facts import Facts
from shared.events import Event
from shared.ids import LeadId
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import OBJECTION_EVENTS, has_objected, is_left_out
from shared.scoring.engine.fold import fold, is_current, refold
from shared.scoring.engine.next_change import is_quiet, next_change
from shared.scoring.engine.rewind import comes_late, is_sales_fact, tell, tell_again
from shared.scoring.engine.score import Evaluation, Score, Standing, evaluation, standing
from shared.scoring.engine.state import LeadState, empty
from shared.scoring.engine.transitions import (
    StageState,
    Transition,
    after,
    decide,
    initial,
    merge,
    merge_transition,
)


class Lead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A lead and what is new about it.

    events:  counted for the first time, in order of arrival; empty when only time has passed
    passed:  stages it passed by taking over from a lead merged into it
    merged:  other leads became this one, so that only its history can tell the state
    judged:  whether its stage is looked at: not for a quarantined event or a device that serves somebody else
    retold:  sales had told something about both of two leads that became one
    corrected: stored events count no more, or again: only its history can tell the state then
    """

    lead: Lead
    events: Sequence[Event] = ()
    passed: tuple[Transition, ...] = ()
    merged: bool = False
    judged: bool = True
    retold: bool = False
    corrected: bool = False


class Settled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A lead after its events.

    score:    with its receipt, for the transitions; None where there is none
    wake_at:  a time to put into lead_due because it is earlier than the one there; None for none
    """

    lead: Lead
    score: Score | None
    transitions: tuple[Transition, ...]
    wake_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveModel:
    """A model that scores, or in the shadow would score, with the version it has in the database.

    silent: moves that its publish causes are recorded and not delivered
    """

    model: Compiled
    version: int
    silent: bool = False


def newborn(lead: LeadId, facts: Facts, active: ActiveModel) -> Lead:
    """A lead before its first event."""
    at = facts.first_seen_at
    return Lead(
        lead_id=lead,
        facts=facts,
        last_seen_at=at,
        event_count=0,
        state=empty(),
        ledger=initial(at),
        score=0,
        grade="",
        dimensions={},
        scored_at=at,
        due_at=None,
        model_version=active.version,
    )


def fold_in(active: ActiveModel, change: Change) -> LeadState | None:
    """The lead's state with the new events, None if only its whole history can tell."""
    if change.merged or not is_current(active.model, change.lead.state):
        return None
    state = change.lead.state
    for event in change.events:
        folded = fold(active.model, state, event)
        if folded is None:
            return None
        state = folded
    return state


def why_hard(active: ActiveModel, change: Change) -> str:
    """Why a change could not be folded in, as a metric label."""
    if change.merged:
        return "correction" if change.corrected else "merge"
    return "late_event" if is_current(active.model, change.lead.state) else "other_model"


def from_history(active: ActiveModel, history: Sequence[Event]) -> LeadState:
    """The state that this history makes."""
    return refold(active.model, history)


def told_late(active: ActiveModel, change: Change) -> bool:
    """Whether a sales fact comes after one that happened later: `settle` needs the history then."""
    return comes_late(active.model, change.lead.ledger, change.events)


def absorb(change: Change, loser: Lead, now: datetime) -> Change:
    """The winner of a merge with what it takes over from the loser: times, count, and the further stage.

    The winner's ledger keeps counting without a gap, whatever number the loser's had reached. A hold that
    a person set on either of them remains.
    """
    winner = change.lead
    passed = merge_transition(winner.ledger, loser.ledger, now=now)
    if passed:
        passed = replace(passed, sequence=winner.ledger.sequence + 1)
    present = replace(
        winner,
        ledger=replace(merge(winner.ledger, loser.ledger), sequence=winner.ledger.sequence + bool(passed)),
        last_seen_at=max(winner.last_seen_at, loser.last_seen_at),
        event_count=winner.event_count + loser.event_count,
    )
    return replace(
        change,
        lead=present,
        passed=(*change.passed, *([passed] if passed else ())),
        retold=change.retold or bool(winner.ledger.facts and loser.ledger.facts),
    )


def before_events(active: ActiveModel, change: Change, history: Sequence[Event]) -> LeadState | None:
    """What this model makes of the lead without the change's events, if another model scored it last.

        history:  all its counted events, the change's included

    None if there is nothing to tell apart: it was scored by this version, is new, or was merged.
    """
    lead = change.lead
    if lead.model_version == active.version or not lead.event_count or change.merged:
        return None
    if is_current(active.model, lead.state):
        return lead.state
    fresh = {event.event_id for event in change.events}
    return refold(active.model, (event for event in history if event.event_id not in fresh))


def settle(
    active: ActiveModel,
    change: Change,
    state: LeadState,
    now: datetime,
    history: Sequence[Event] | None = None,
) -> Settled:
    """Score the lead at `now`, judge its stage, and say when time alone may change it.

    state:    what `fold_in` or `from_history` gave, the change's events included
    history:  all its counted events, the change's included, if `fold_in` gave nothing or it was `told_late`,
              else empty; None: moves that another model causes are not told apart, and no fact comes late
    """
    lead, events = change.lead, change.events
    found = evaluation(active.model, state, now)
    numbers = found.standing
    ledger, transitions = lead.ledger, list(change.passed)
    # Moves that come from another model are told apart: a silent publish stays silent whatever happens.
    before = None if history is None else before_events(active, change, history)
    objects = has_objected(state)
    if before is not None and not (objects or has_objected(before)):
        transitions += _moved_by_model(active, lead, before, now)
        ledger = after(ledger, transitions)
    ledger, told = objection.tell(ledger, events, now, objects=objects)
    transitions += told
    present = Lead(
        lead_id=lead.lead_id,
        facts=lead.facts,
        state=state,
        ledger=ledger,
        last_seen_at=max([lead.last_seen_at, *(event.occurred_at for event in events)]),
        event_count=lead.event_count + len(events),
        score=numbers.total,
        grade=numbers.grade,
        dimensions=numbers.dimensions,
        scored_at=now,
        due_at=lead.due_at,
        model_version=active.version,
    )
    if change.judged and not objects:
        ledger, made = _judge(active.model, present, change, numbers, history or ())
        transitions += made
    # A copy costs as much as a tenth of a score, and mostly nothing has changed.
    if ledger is not present.ledger:
        present = replace(present, ledger=ledger)
    wake_at = _sooner(active, present, found, now)
    settled = replace(present, due_at=wake_at) if wake_at else present
    return Settled(
        lead=settled,
        score=found.score() if transitions else None,
        transitions=tuple(transitions),
        wake_at=wake_at,
    )


def _judge(
    model: Compiled, lead: Lead, change: Change, numbers: Standing, history: Sequence[Event]
) -> tuple[StageState, list[Transition]]:
    """The stage after all sales facts, and after the last event, which stands for the score as it is now.

    Sales facts that move nothing leave score and time to the next look, which is at once if they would move.

    lead:  with the events in its state
    """
    known, events = lead.facts.known, change.events
    profile = model.person.of(lead.state.attributes).profile

    def judge(ledger: StageState, event: Event | None, at: datetime) -> list[Transition]:
        return decide(model, ledger, numbers, profile=profile, known=known, event=event, now=at)

    ledger, last = lead.ledger, events[-1] if events else None
    moves: list[Transition] = []
    if change.retold:
        ledger, moves = tell_again(ledger, judge, numbers.as_of, history)
    # Nothing that sales says moves somebody of whom nobody knows who it is.
    facts = [event for event in events if is_sales_fact(model, event)] if known else []
    told = _untold(model, lead.state, change, history) if known and lead.state.consent else facts
    if told:
        ledger, made = tell(ledger, told, judge, numbers.as_of, history)
        moves += made
    if facts and last is facts[-1]:
        if told:
            return ledger, moves
        last = None  # an objection leaves it out: by itself it moves nobody
    made = judge(ledger, last, numbers.as_of)
    return after(ledger, made), moves + made


def _untold(model: Compiled, state: LeadState, change: Change, history: Sequence[Event]) -> Sequence[Event]:
    """The sales facts to tell of somebody who objected once: those from after the end of that, all of them.

    What arrived while the objection stood was not told. An end that happened before it needed the history.
    """
    ends = any(event.name in OBJECTION_EVENTS for event in change.events)
    events = history if ends and history else change.events
    return [event for event in events if is_sales_fact(model, event) and not is_left_out(state, event)]


def _moved_by_model(active: ActiveModel, lead: Lead, before: LeadState, now: datetime) -> list[Transition]:
    """The moves that the model alone causes."""
    moves = decide(
        active.model,
        lead.ledger,
        standing(active.model, before, now),
        profile=before.profile,
        known=lead.facts.known,
        event=None,
        now=now,
    )
    return [replace(move, cause="model") for move in moves]


def _sooner(active: ActiveModel, lead: Lead, found: Evaluation, now: datetime) -> datetime | None:
    """When the sweep has to look at this lead, if that is earlier than it will anyway."""
    if (
        lead.due_at
        and lead.due_at > now
        and is_quiet(active.model, lead.state, lead.ledger, (now, lead.due_at), found)
    ):
        return None
    due = next_change(active.model, lead.state, lead.ledger, now, found)
    return due if due and (lead.due_at is None or due < lead.due_at) else None
