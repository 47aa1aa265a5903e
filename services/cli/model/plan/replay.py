"""One lead, under the active model and under the draft (pure).

In: what to compare, where a lead stands, its events. Out: `Replayed`.
Refuses to read or to write anything, and to look at leads nobody knows: they stay visitors.

Two questions are answered, and they are not the same:
1. On publish. The lead keeps the stage it has; its score is computed anew under the draft, from its whole
   history, at `now`; and the stage is judged once, without an event: those are the transitions that
   publishing makes at once.
2. Day by day. The lead lives its life twice, as if each model had always been in force, and its transitions
   of the last days are what the queues would have got (shared/scoring/replay/life.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.router import decide as routing
from shared.events import Event
from shared.ids import LeadId, TransitionId
from shared.leads.transition_row import Person, TransitionRow
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected
from shared.scoring.engine.score import Standing, standing
from shared.scoring.engine.state import LeadState
from shared.scoring.engine.transitions import StageState, Transition, decide
from shared.scoring.replay.fast_replay import fast_replay
from shared.scoring.replay.life import Life
from shared.scoring.replay.shared_numbers import SharedNumbers, shared_numbers
from shared.scoring.replay.timeline import Chart, Timeline, Track

_NOBODY = TransitionId(UUID(int=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What to compare.

    now:     the moment of publishing
    days:    whole days before today (UTC) whose load is compared; 0: none, and nothing is lived
    routes:  who gets which transition; `destinations` all that there are, off or not
    """

    active: Compiled
    draft: Compiled
    now: datetime
    days: int
    routes: tuple[routing.Route, ...]
    destinations: frozenset[str]
    chart: Chart = field(init=False)
    shared: SharedNumbers | None = field(init=False)
    begin: datetime = field(init=False)
    asks_traits: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "draft", self.draft.beside(self.active))
        object.__setattr__(self, "chart", Chart(self.active, self.draft))
        object.__setattr__(self, "shared", shared_numbers(self.chart, self.active, self.draft))
        today = self.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        object.__setattr__(self, "begin", today - timedelta(days=self.days))
        object.__setattr__(self, "asks_traits", any(route.when.traits for route in self.routes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A lead that has an e-mail address or a user id: who it is, and where it stands now."""

    lead_id: LeadId
    ledger: StageState


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a lead stands under one model, and the state its numbers come from.

    model:  that model, or its shared, which scores this lead the same
    """

    model: Compiled
    stage: StageName
    standing: Standing
    state: LeadState


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A stage entered on one of the days (0 is the first of them), and the queues that get it."""

    day: int
    stage: StageName
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What the draft means for one lead.

    before, after:  as it is now, and as it will be when the draft is published
    burst:          the queues that get the transitions of publishing, once per delivery
    lived:          what happened in those days under the active model, and under the draft
    """

    lead: LeadId
    history: Sequence[Event]
    before: Place
    after: Place
    burst: tuple[str, ...]
    lived: tuple[tuple[Passed, ...], tuple[Passed, ...]]

    @property
    def difference(self) -> int:
        """Points of the score that publishing adds."""
        return self.after.standing.total - self.before.standing.total


def replay(trial: Trial, lead: Known, history: Sequence[Event]) -> Replayed:
    """What the draft means for this lead; its history in order of time.

    Raises RuntimeError if the stages of one of the models never rest.
    """
    tracks = _tracks(trial, history)
    lives = [_live(trial, track) for track in tracks]
    # A scorer counts events that lie in the future when they arrive; a life ends before they happen.
    before, after = (track.state(len(history)) for track in tracks)
    active, draft = (track.model for track in tracks)
    numbers = standing(draft, after, trial.now)
    present = standing(active, before, trial.now) if draft is trial.draft else numbers
    moves = _moves_of_publishing(trial, lead, history, (draft, after, numbers))
    stage = moves[-1].stage if moves else lead.ledger.stage
    return Replayed(
        lead=lead.lead_id,
        history=history,
        before=Place(model=active, stage=lead.ledger.stage, standing=present, state=before),
        after=Place(model=draft, stage=stage, standing=numbers, state=after),
        burst=tuple(queue for move in moves for queue in _queues(trial, lead, history, (move, numbers))),
        lived=(_passed(trial, lead, history, lives[0]), _passed(trial, lead, history, lives[1])),
    )


def _moves_of_publishing(
    trial: Trial, lead: Known, history: Sequence[Event], after: tuple[Compiled, LeadState, Standing]
) -> list[Transition]:
    """The moves at once; none without a counted event (scorer/count.py), nor of somebody who objects."""
    draft, state, numbers = after
    if not history or has_objected(state):
        return []
    profile = draft.person.of(state.attributes).profile
    return decide(draft, lead.ledger, numbers, profile=profile, known=True, event=None, now=trial.now)


def _tracks(trial: Trial, history: Sequence[Event]) -> tuple[Track, Track]:
    """The history under the active model, and under the draft: one and the same if their numbers are."""
    timeline, shared = Timeline(trial.chart, history), trial.shared
    active = timeline.under(trial.active)
    if shared and timeline.lacks(shared.apart):
        return active, active.staged_as(shared.model)
    return active, timeline.under(trial.draft)


def _live(trial: Trial, track: Track) -> Life | None:
    """The lead's life under a model that was always in force; None where nobody asks for days."""
    return fast_replay(track, trial.now) if trial.days else None


def _passed(trial: Trial, lead: Known, history: Sequence[Event], life: Life | None) -> tuple[Passed, ...]:
    """The transitions of the days looked at."""
    passed = []
    for step in life.steps if life else ():
        day = (step.transition.at - trial.begin) // timedelta(days=1)
        if 0 <= day < trial.days:
            queues = _queues(trial, lead, history, (step.transition, step.standing))
            passed.append(Passed(day=day, stage=step.transition.stage, queues=queues))
    return tuple(passed)


def _queues(
    trial: Trial, lead: Known, history: Sequence[Event], moved: tuple[Transition, Standing]
) -> tuple[str, ...]:
    """The destinations that this transition is routed to."""
    transition, numbers = moved
    routed = TransitionRow(
        transition_id=_NOBODY,
        lead_id=lead.lead_id,
        sequence=transition.sequence,
        previous_stage=transition.previous_stage,
        stage=transition.stage,
        cause=transition.cause,
        at=transition.at,
        score=numbers.total,
        grade=numbers.grade,
        dimensions=numbers.dimensions,
        receipts=[],
        person=Person(traits=_traits(history, transition.at) if trial.asks_traits else {}),
        attribution={},
        consent=None,
        model_version=0,
        event_received_at=None,
    )
    return routing.decide(routed, trial.routes, trial.destinations)


def _traits(history: Sequence[Event], at: datetime) -> dict[str, Any]:
    """What had been said about the person by then, as shared/leads/portrait.py gathers it."""
    traits: dict[str, Any] = {}
    for event in history:
        if event.occurred_at <= at:
            traits.update(event.traits)
    return traits
