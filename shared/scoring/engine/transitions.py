"""Which stage a lead is in, and which transitions a score, an event or time cause.

In: the present stage, the score, the profile, at most one event, now. Out: transitions, in order, each
with its own number.
Refuses events that are no fact of sales: `lead.…` and `deal.…` count only from a CRM source, so that
a public web key cannot declare somebody a customer.

Precedence, in words:
1. A visitor who has become known is a lead.
2. `lead.moved` from a CRM source moves to the stage it names, and may hold it there until a date.
3. An event moves along the first move of the present stage that it causes.
4. Then score and time move, again and again: up before down, down before limit, no stage twice.
   While a hold lasts, they do not. A lead does not enter a stage that it would have to leave at once.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, Literal, cast

import msgspec

from shared.events import Event
from shared.ids import EventId
from shared.scoring.definition.conditions import as_date
from shared.scoring.definition.stages import STAGE_NAMES, Move, Shown, StageName, truth
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.sales_facts import LEAD_MOVED, MOST_FACTS, SalesFact
from shared.scoring.engine.score import Standing

Cause = Literal[
    "identified",
    "score",
    "event",
    "decay",
    "limit",
    "manual",
    "merged",
    "unmerged",
    "model",
    "corrected",
    "objected",
    "objection_withdrawn",
]
"""Why a lead moved; `decay`: time alone changed the score or ended a wait; `model`: another model scores;
`unmerged`: another person was taken out of it; `corrected`: events that no person made were taken back;
`objected`, `objection_withdrawn`: it stays where it stands, and whoever had it is told."""

MAX_REASON_CHARS: Final = 200
_KNOWN: Final = "lead: known by e-mail or user id"


class StageState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a lead stands.

    since:     when it came here
    sequence:  number of transitions so far
    held_until: no move by score or time before this; None: no hold
    facts:     what sales said so far, in order of when it happened (shared/scoring/engine/rewind.py)
    objected:  the person objects to being scored, and the last transition about that says so
    """

    stage: StageName
    since: datetime
    sequence: int = 0
    held_until: datetime | None = None
    facts: tuple[SalesFact, ...] = ()
    objected: bool = False


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the ledger.

    sequence:    1 for the lead's first transition, then without gaps
    cause_event: the event at hand when it happened, if there was one
    rule:        the move in words, such as `mql: score at least 40, fit at least 10`
    reason:      what the sender of the event gave as its reason, cut to 200 characters
    held_until:  a hold that begins with this transition
    """

    sequence: int
    previous_stage: StageName
    stage: StageName
    at: datetime
    cause: Cause
    cause_event: EventId | None = None
    rule: str = ""
    reason: str = ""
    held_until: datetime | None = None


class LineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a move is judged by.

    bounds:  the shown numbers, twice the same for one score
    """

    bounds: tuple[Shown, Shown]
    profile: Mapping[str, Any]


def initial(since: datetime) -> StageState:
    """Where everybody begins: an anonymous visitor."""
    return StageState(stage="visitor", since=since)


def decide(  # noqa: PLR0913 - the facts a stage depends on, each from another place
    model: Compiled,
    current: StageState,
    score: Standing,
    *,
    profile: Mapping[str, Any],
    known: bool,
    event: Event | None,
    now: datetime,
) -> list[Transition]:
    """The transitions that are due now, in order; empty if the lead stays where it is.

    profile:  `LeadState.profile`
    known:    the lead has an e-mail address or a user id
    event:    the event that was just folded; None when only time has passed
    """
    visitor = current.stage == "visitor"
    if visitor and not known:
        return []
    shown = score.shown
    facts = LineFacts(bounds=(shown, shown), profile=profile)
    caused = event is not None and (event.name == LEAD_MOVED or event.name in model.causes[current.stage])
    if not (visitor or caused or _due(model, current, (current.stage,), facts, now)):
        return []  # nearly always: nothing to write into a ledger
    ledger = _TransitionLog(current, event, now)
    if visitor:
        ledger.write(identified(current, event, now))
    if event is not None:
        _move_by_event(model, ledger, event, facts)
    while move := _due(model, ledger.state, ledger.visited, facts, now):
        ledger.add(move.to, _cause(move, event), move.text)
    return ledger.transitions


def identified(visitor: StageState, event: Event | None, at: datetime) -> Transition:
    """What becomes of a visitor of whom it is known who it is, before anything else is judged.

    event:  the one that told, if it was one
    """
    return Transition(
        sequence=visitor.sequence + 1,
        previous_stage=visitor.stage,
        stage="lead",
        at=at,
        cause="identified",
        cause_event=event.event_id if event else None,
        rule=_KNOWN,
    )


def after(current: StageState, transitions: list[Transition]) -> StageState:
    """Where the lead stands after these transitions."""
    if not transitions:
        return current
    last = transitions[-1]
    by_hand = [each for each in transitions if each.cause == "manual"]
    held_until = by_hand[-1].held_until if by_hand else current.held_until
    return StageState(
        stage=last.stage,
        since=last.at,
        sequence=last.sequence,
        held_until=held_until,
        facts=current.facts,
        objected=current.objected,
    )


def merge(a: StageState, b: StageState) -> StageState:
    """Where two leads that turn out to be one person stand: the further stage of the two.

    Further is later in `STAGE_NAMES`: an opportunity outranks a disqualification, which outranks
    everything before it; recycled outranks lead only. In the same stage, the longer stay counts. The
    ledger goes on from the larger sequence, and the later hold remains. What sales said about either is
    remembered in order of when it happened.
    """
    further = max(a, b, key=_rank)
    return StageState(
        stage=further.stage,
        since=further.since,
        sequence=max(a.sequence, b.sequence),
        held_until=_later_hold(a, b),
        facts=_united(a, b) if a.facts or b.facts else (),
        objected=_told(a, b),
    )


def merge_transition(surviving: StageState, other: StageState, *, now: datetime) -> Transition | None:
    """What the surviving lead's ledger says about a merge: None if its stage was the further one already."""
    merged = merge(surviving, other)
    if merged.stage == surviving.stage:
        return None
    return Transition(
        sequence=merged.sequence + 1,
        previous_stage=surviving.stage,
        stage=merged.stage,
        at=now,
        cause="merged",
        rule=f"{merged.stage}: another lead turned out to be the same person",
    )


def allowed(move: Move, since: datetime, now: datetime) -> bool:
    """Whether the lead has been in its stage long enough for this move."""
    return now - since >= move.wait


def holds(model: Compiled, move: Move, facts: LineFacts) -> bool | None:
    """Whether the move's line holds and nothing forbids it; None: for some scores within the bounds."""
    answer = truth(move.line, model.model.grades, facts.bounds, facts.profile)
    for line in move.unless if answer is not False else ():
        forbidden = truth(line, model.model.grades, facts.bounds, facts.profile)
        if forbidden:
            return False
        answer = None if forbidden is None else answer
    return answer


class _TransitionLog:
    """The transitions written so far, and where they lead."""

    def __init__(self, current: StageState, event: Event | None, now: datetime) -> None:
        self.state = current
        self.event = event
        self.now = now
        self.transitions: list[Transition] = []
        self.visited = {current.stage}

    def add(self, stage: StageName, cause: Cause, rule: str, held_until: datetime | None = None) -> None:
        by_event = self.event is not None and cause in {"event", "manual"}
        self.write(
            Transition(
                sequence=self.state.sequence + 1,
                previous_stage=self.state.stage,
                stage=stage,
                at=self.now,
                cause=cause,
                cause_event=self.event.event_id if self.event else None,
                rule=rule,
                reason=_reason(self.event) if self.event and by_event else "",
                held_until=held_until,
            )
        )

    def write(self, transition: Transition) -> None:
        self.transitions.append(transition)
        self.state = after(self.state, [transition])
        self.visited.add(transition.stage)


def _move_by_event(model: Compiled, ledger: _TransitionLog, event: Event, facts: LineFacts) -> None:
    """Follow the one move that this event causes, if there is one."""
    if event.name == LEAD_MOVED and event.kind == "crm":
        _move_by_hand(ledger, event)
        return
    for move in model.moves[ledger.state.stage]:
        caused = event.name in move.event and move.event_is(event)
        if caused and allowed(move, ledger.state.since, ledger.now) and holds(model, move, facts):
            ledger.add(move.to, "event", move.text)
            return


def _move_by_hand(ledger: _TransitionLog, event: Event) -> None:
    """Move where a person said, and hold if they said until when; a stage that does not exist is ignored."""
    stage = event.properties.get("stage")
    held_until = as_date(event.properties.get("hold_until"))
    if stage not in STAGE_NAMES or stage == "visitor" or (stage == ledger.state.stage and not held_until):
        return
    ledger.add(cast(StageName, stage), "manual", f"{stage}: moved by hand", held_until)


def _due(
    model: Compiled, state: StageState, visited: Collection[StageName], facts: LineFacts, now: datetime
) -> Move | None:
    """The first move that score and time allow now; none while a hold lasts."""
    if state.held_until is not None and state.held_until > now:
        return None
    stayed = now - state.since
    for move in model.ways[state.stage]:
        if move.wait <= stayed and move.to not in visited and holds(model, move, facts):
            return move
    return None


def _cause(move: Move, event: Event | None) -> Cause:
    if move.kind == "limit":
        return "limit"
    return "score" if event is not None else "decay"


def _reason(event: Event) -> str:
    reason = event.properties.get("reason")
    return reason[:MAX_REASON_CHARS] if isinstance(reason, str) else ""


def _united(a: StageState, b: StageState) -> tuple[SalesFact, ...]:
    """The facts of two leads that are one person, and where that person stood before and after each."""
    facts = [_beside(fact, b) for fact in a.facts] + [_beside(fact, a) for fact in b.facts]
    return tuple(sorted(facts, key=lambda fact: fact.stamp)[-MOST_FACTS:])


def _beside(fact: SalesFact, other: StageState) -> SalesFact:
    """A fact of one lead, as the same person was another lead too: the further stage at that time counts."""
    there = next((each for each in other.facts if each.stamp > fact.stamp), other)
    further = max(fact, there, key=_rank)
    return msgspec.structs.replace(
        fact,
        stage=further.stage,
        since=further.since,
        held_until=_later_hold(fact, there),
        led_to=max(fact.led_to, there.stage, key=STAGE_NAMES.index),
    )


def _later_hold(a: StageState | SalesFact, b: StageState | SalesFact) -> datetime | None:
    return max((each.held_until for each in (a, b) if each.held_until), default=None)


def _told(a: StageState, b: StageState) -> bool:
    """Whether everybody who had either of them was told of an objection; nobody had one that never moved."""
    return (a.objected or b.objected) and all(each.objected for each in (a, b) if each.sequence)


def _rank(state: StageState | SalesFact) -> tuple[int, float]:
    return STAGE_NAMES.index(state.stage), -state.since.timestamp()
