"""Sales facts, applied in the order in which they happened, whatever the order of arrival.

In: where a lead stands, events that it has not been told before, how one event moves it. Out: where it stands
after them, with the facts it remembers, and the transitions.
Refuses to undo transitions: a fact that comes late makes at most one more, from where the lead stands to
where it would stand if all had come in order. A fact older than all that a full memory holds moves nothing.

A late fact takes the lead back to where it stood before the facts that happened after it; then all of them
are applied. As soon as the lead stands where it stood at that time too, what followed is not applied again.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from shared.events import Event
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.sales_facts import (
    FACTS_OF_EVERY_MODEL,
    MOST_FACTS,
    SalesFact,
    deal_of,
    stamp_of,
    told_before,
)
from shared.scoring.engine.transitions import StageState, Transition, after

Judge = Callable[[StageState, Event, datetime], list[Transition]]
"""The transitions that an event causes from a stage at a moment: `decide`, for one lead."""


def is_sales_fact(model: Compiled, event: Event) -> bool:
    """Whether this event may move a lead by itself; of `lead.…` and `deal.…` only what a CRM sent."""
    if event.name not in model.sales_facts:
        return False
    if event.name in FACTS_OF_EVERY_MODEL:
        return event.kind == "crm"
    moves = (move for given in model.moves.values() for move in given)
    return any(event.name in move.event and move.event_is(event) for move in moves)


def comes_late(model: Compiled, ledger: StageState, events: Iterable[Event]) -> bool:
    """Whether one of these happened before a remembered fact: then `tell` needs the history."""
    if not ledger.facts:
        return False
    newest = ledger.facts[-1].stamp
    return any(is_sales_fact(model, event) and stamp_of(event) < newest for event in events)


def tell(
    ledger: StageState, events: Iterable[Event], judge: Judge, now: datetime, history: Sequence[Event] = ()
) -> tuple[StageState, list[Transition]]:
    """Where a lead stands after these sales facts, and how it got there.

    events:   in any order; what it was told before moves nothing
    history:  the lead's counted events, if one of these `comes_late`
    """
    remembered = {fact.event_id for fact in ledger.facts}
    fresh = sorted((event for event in events if event.event_id not in remembered), key=stamp_of)
    late = [event for event in fresh if ledger.facts and stamp_of(event) < ledger.facts[-1].stamp]
    transitions: list[Transition] = []
    if late:
        ledger, transitions = _tell_late(ledger, late, judge, now, history)
    for event in fresh[len(late) :]:
        if not told_before(event.name, deal_of(event), ledger.facts):
            ledger, made = _apply(ledger, event, judge, now)
            transitions += made
    return ledger, transitions


def tell_again(
    ledger: StageState, judge: Judge, now: datetime, history: Sequence[Event]
) -> tuple[StageState, list[Transition]]:
    """Where a lead stands that two leads with facts became one, as if sales had said all of it about one.

    ledger:   of both, merged
    history:  the counted events of both
    """
    wanted = {fact.event_id for fact in ledger.facts}
    told = sorted((event for event in history if event.event_id in wanted), key=stamp_of)
    stands, made = _before(ledger.facts[0]), list[Transition]()
    judged = {fact.event_id: fact.judged_at for fact in ledger.facts}
    for event in told:
        if not told_before(event.name, deal_of(event), stands.facts):
            stands, moves = _apply(stands, event, judge, max(judged[event.event_id], stands.since))
            made += moves
    if not told or stands.stage == ledger.stage:
        return replace(ledger, facts=stands.facts or ledger.facts), []
    moved = _transition(ledger, stands, made, told[-1], now)
    return replace(stands, since=now, sequence=moved.sequence), [moved]


def _tell_late(
    present: StageState, late: Sequence[Event], judge: Judge, now: datetime, history: Sequence[Event]
) -> tuple[StageState, list[Transition]]:
    """The same for facts that are all older than the newest remembered one, in order of time."""
    if len(present.facts) == MOST_FACTS:
        late = [event for event in late if stamp_of(event) > present.facts[0].stamp]
    if not late:
        return present, []
    rewound = _Rewound(present, late, judge, history)
    rewound.replay()
    stands = rewound.stands
    if stands.stage == present.stage:
        return replace(present, facts=stands.facts, held_until=stands.held_until), []
    moved = _transition(present, stands, rewound.made, late[-1], now)
    return replace(stands, since=now, sequence=moved.sequence), [moved]


def _apply(
    ledger: StageState, event: Event, judge: Judge, at: datetime
) -> tuple[StageState, list[Transition]]:
    """Let one fact move the lead, and remember it whether it did or not."""
    made = judge(ledger, event, at)
    moved = after(ledger, made)
    if made and made[0].cause == "identified":
        ledger = after(ledger, made[:1])  # who it is, is known from now on, whatever comes late
    occurred_s, event_id = stamp_of(event)
    fact = SalesFact(
        occurred_s=occurred_s,
        event_id=event_id,
        name=event.name,
        judged_at=at,
        stage=ledger.stage,
        since=ledger.since,
        held_until=ledger.held_until,
        led_to=moved.stage,
        deal=deal_of(event),
    )
    return _remembering(moved, (*ledger.facts, fact)), made


def _remembering(ledger: StageState, facts: tuple[SalesFact, ...]) -> StageState:
    return replace(ledger, facts=facts[-MOST_FACTS:])


class _Rewound:
    """A lead taken back to before the first of some late facts, on its way to the present.

    present:  where it stands as long as nobody knows of them
    stands:   where it stands after the facts applied so far
    made:     the moves of those that were applied anew
    """

    def __init__(
        self, present: StageState, late: Sequence[Event], judge: Judge, history: Sequence[Event]
    ) -> None:
        position = bisect_left(present.facts, stamp_of(late[0]), key=lambda fact: fact.stamp)
        self.present = present
        self.younger = present.facts[position:]
        self.stands = _before(self.younger[0], present.facts[:position])
        self.made: list[Transition] = []
        self._late = late
        self._judge = judge
        wanted = {fact.event_id for fact in self.younger}
        self._events = {event.event_id: event for event in history if event.event_id in wanted}

    def replay(self) -> None:
        """Apply the late facts and the younger ones, in order."""
        late = list(self._late)
        for fact, following in zip(self.younger, (*self.younger[1:], None), strict=True):
            while late and stamp_of(late[0]) < fact.stamp:
                self._hear(late.pop(0), fact.judged_at)
            self._hear_again(fact, _before(following) if following else self.present)

    def _hear(self, event: Event, at: datetime) -> None:
        if told_before(event.name, deal_of(event), self.stands.facts):
            return
        # After a merge the other lead may have come to this stage later than the fact was judged.
        self.stands, made = _apply(self.stands, event, self._judge, max(at, self.stands.since))
        self.made += made

    def _hear_again(self, fact: SalesFact, followed: StageState) -> None:
        """Apply a remembered fact, unless what it did is known.

        followed:  where the lead stood when the next fact came, score and time included
        """
        no_news = told_before(fact.name, fact.deal, self.stands.facts)
        if not no_news and _same(self.stands, fact.stage, fact.held_until):
            self.stands = _remembering(followed, (*self.stands.facts, fact))
            return
        # A fact whose event was taken back meanwhile has no event any more, and is forgotten.
        event = self._events.get(fact.event_id)
        if event and not no_news:
            self._hear(event, fact.judged_at)
        if _same(self.stands, fact.led_to, followed.held_until):
            self.stands = _remembering(followed, self.stands.facts)


def _transition(
    present: StageState, stands: StageState, made: Sequence[Transition], cause: Event, now: datetime
) -> Transition:
    """The one move from the present stage to the right one; `made`: the moves of what was applied anew."""
    last = made[-1] if made and made[-1].stage == stands.stage else None
    return Transition(
        sequence=present.sequence + 1,
        previous_stage=present.stage,
        stage=stands.stage,
        at=now,
        cause="event",
        cause_event=cause.event_id,
        rule=last.rule if last else f"{stands.stage}: {cause.name} was told late",
        reason=last.reason if last else "",
        held_until=stands.held_until if stands.held_until != present.held_until else None,
    )


def _before(fact: SalesFact, facts: tuple[SalesFact, ...] = ()) -> StageState:
    """Where the lead stood before this fact."""
    return StageState(stage=fact.stage, since=fact.since, held_until=fact.held_until, facts=facts)


def _same(ledger: StageState, stage: str, held_until: datetime | None) -> bool:
    return ledger.stage == stage and ledger.held_until == held_until
