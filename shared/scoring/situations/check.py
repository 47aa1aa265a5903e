"""Checks a situation against a model: what was expected, what was seen, where they differ.

In: a model, a `Situation`: events, now, expectations. Out: a `CheckResult`.
Refuses to trust the engine: beside what the author expects, every situation asks that the receipt adds
up, that the score derived from all events at once is the one that was lived, that it does not depend on
the order in which events arrive, and that transitions are numbered without gaps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.events import Event
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.fold import fold, refold
from shared.scoring.engine.score import Score, evaluate, score
from shared.scoring.engine.state import EMPTY, LeadState
from shared.scoring.engine.transitions import StageState
from shared.scoring.situations.expectations import Difference, Expected, compared, differences
from shared.scoring.situations.observed import Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What people did.

    line:    where it stands in its file
    begin:   where the lead stood before its first event
    events:  in order of (occurred_at, event_id), none of them after `now`
    """

    name: str
    line: int
    now: datetime
    begin: StageState
    events: tuple[Event, ...]
    expected: Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What became of one situation."""

    situation: Situation
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences


def judge(model: Compiled, situation: Situation) -> CheckResult:
    """Live through the situation, and compare."""
    try:
        outcome = Observed.of(model, situation.events, situation.begin, situation.now)
        found = (*differences(situation.expected, outcome), *_contradictions(outcome))
    except RuntimeError as error:
        found = (Difference(what="stages", expected=("come to rest",), seen=(str(error),)),)
    return CheckResult(situation=situation, differences=found)


def _contradictions(outcome: Observed) -> Iterator[Difference]:
    """Where the engine contradicts itself: never the author's fault."""
    model, events, now = outcome.model, outcome.events, outcome.now
    lines = sum(line.points for line in outcome.score.contributions)
    yield from compared("receipts add up", [str(outcome.score.total)], [str(lines)])
    numbers = [step.transition.sequence for step in outcome.life.steps]
    gapless = range(1, len(numbers) + 1)
    yield from compared("transitions are numbered", list(map(str, gapless)), list(map(str, numbers)))
    lived = _told(outcome.score)
    yield from compared("from all events at once", lived, _told(score(model, events, now)))
    for order, arriving in (("newest first", events[::-1]), ("neighbours swapped", _swapped(events))):
        told = _told(evaluate(model, _arrived(model, arriving), now))
        yield from compared(f"events arriving {order}", lived, told)


def _swapped(events: Sequence[Event]) -> list[Event]:
    """Every other event comes after the one that followed it."""
    pairs = [events[begin : begin + 2][::-1] for begin in range(0, len(events), 2)]
    return [event for pair in pairs for event in pair]


def _arrived(model: Compiled, arriving: Sequence[Event]) -> LeadState:
    """The state if events arrive in this order: folded where that is possible, as the scorer does it."""
    state = EMPTY
    for position, event in enumerate(arriving):
        folded = fold(model, state, event)
        state = refold(model, arriving[: position + 1]) if folded is None else folded
    return state


def _told(found: Score) -> list[str]:
    """Everything a score says, without the last bits of its exact points."""
    numbers = {"score": found.total, "grade": found.grade, **found.dimensions}
    lines = [
        f"{line.rule}: {line.points}, {line.count} events, {line.paid} paid, last {line.last_at}, "
        f"exactly {line.raw:.6f}, {line.limited:.6f}, {line.decayed:.6f}, "
        f"newest {', '.join(str(each.int) for each in line.event_ids)}"
        for line in found.contributions
    ]
    return [*(f"{name}: {value}" for name, value in numbers.items()), *lines]
