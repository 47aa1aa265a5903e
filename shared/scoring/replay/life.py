"""One lead's history, lived through under one model: each event when it occurred, each look when it was due.

In: a model, events in order of time, moments. Out: `Life`: state, where the lead stands, each step it took.
Refuses to know the future: at each moment it knows only the events that occurred until then.

This is how a model is tried on history (situations, plan, backtest). The scorer lives the same life, only
that it judges a batch of events when the batch is counted and not each event when it occurred.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from shared.events import Event
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected
from shared.scoring.engine.fold import fold
from shared.scoring.engine.next_change import is_quiet, next_change
from shared.scoring.engine.rewind import is_sales_fact, tell
from shared.scoring.engine.score import Evaluation, Standing, evaluation, standing
from shared.scoring.engine.state import EMPTY, LeadState
from shared.scoring.engine.transitions import StageState, Transition, after, decide, identified, initial

_MOST_LOOKS: Final = 1_000
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A transition, and what was kept of the lead under the model at that moment."""

    transition: Transition
    model: Compiled
    state: LeadState

    @property
    def standing(self) -> Standing:
        """The numbers of the lead at that moment: worked out when somebody asks, which is seldom."""
        return standing(self.model, self.state, self.transition.at)


@dataclass(slots=True, kw_only=True)
class Life:
    """A lead that lives under a model.

    at:     the moment it has lived until
    known:  it has an e-mail address or a user id
    steps:  every transition so far, in order

    `_found` are the points of this state at this moment, while they are known.
    """

    model: Compiled
    at: datetime
    ledger: StageState
    state: LeadState = EMPTY
    known: bool = False
    steps: list[Step] = field(default_factory=list)
    _found: Evaluation | None = field(default=None, repr=False)

    @classmethod
    def begin(cls, model: Compiled, at: datetime) -> "Life":
        """An anonymous visitor of whom nothing is known yet."""
        return cls(model=model, at=at, ledger=initial(at))

    def meet(self, event: Event) -> None:
        """Live until this event, and count it.

        event:  not before any event met so far, by (occurred_at, event_id)

        Raises ValueError for one that is.
        """
        if self.state.events:
            self.wait(event.occurred_at)
        folded = fold(self.model, self.state, event, in_order=True)
        if folded is None:
            raise ValueError(f"event {event.event_id} comes too late: a life is lived in order")
        self.state, self.at, self._found = folded, max(self.at, event.occurred_at), None
        self.known = self.known or bool(event.email or event.user_id)
        self._judge(event)

    def wait(self, until: datetime) -> None:
        """Live until this moment, included, without events: look whenever the engine asked to."""
        if until < self.at:
            return
        span = (self.at, until + _MICROSECOND)
        if not is_quiet(self.model, self.state, self.ledger, span, self._found):
            self._look_when_due(until)
        if until > self.at:
            self.at, self._found = until, None

    def pass_over(self, state: LeadState, until: datetime) -> None:
        """Be at a later moment, in the state after the events until then: that nothing moves is proven."""
        self.state, self.at, self._found = state, until, None

    def knowing(self, event: Event, state: LeadState) -> "Life":
        """A visitor's life after an event that tells who it is, as if the event moved the lead no further.

        state:  after this event
        """
        known = identified(self.ledger, event, event.occurred_at)
        step = Step(transition=known, model=self.model, state=state)
        ledger = after(self.ledger, [known])
        return Life(model=self.model, at=known.at, ledger=ledger, state=state, known=True, steps=[step])

    def standing(self) -> Standing:
        """The numbers at the moment it has lived until."""
        if self._found is None:
            self._found = evaluation(self.model, self.state, self.at)
        return self._found.standing

    def _look_when_due(self, until: datetime) -> None:
        for _ in range(_MOST_LOOKS):
            due = next_change(self.model, self.state, self.ledger, self.at, self._found)
            if due is None or due > until:
                return
            self.at, self._found = due, None
            self._judge(None)
        raise RuntimeError(f"more than {_MOST_LOOKS} looks between two events: the model's stages never rest")

    def _judge(self, event: Event | None) -> None:
        if (self.ledger.stage == "visitor" and not self.known) or has_objected(self.state):
            return
        if event is not None and is_sales_fact(self.model, event):
            ledger, moves = tell(self.ledger, [event], self._moves, self.at)
        else:
            moves = self._moves(self.ledger, event, self.at)
            ledger = after(self.ledger, moves)
        self.ledger = ledger
        self.steps += [Step(transition=move, model=self.model, state=self.state) for move in moves]

    def _moves(self, ledger: StageState, event: Event | None, at: datetime) -> list[Transition]:
        return decide(
            self.model,
            ledger,
            self.standing(),
            profile=self.model.person.of(self.state.attributes).profile,
            known=self.known,
            event=event,
            now=at,
        )


def live(model: Compiled, events: Iterable[Event], until: datetime) -> Life:
    """The life that these events make (each once, in order of (occurred_at, event_id)), until this moment."""
    life: Life | None = None
    for event in events:
        if event.occurred_at > until:
            break
        life = life or Life.begin(model, event.occurred_at)
        life.meet(event)
    life = life or Life.begin(model, until)
    life.wait(until)
    return life
