"""One lead's history → what was known of it at each cut-off, and what became of it (pure).

In: a lead's counted events, and the `Question`. Out: `Lived`: a snapshot per cut-off (the scores as they were
then, and whether the outcome followed), and the decisions that a CRM would have learned from.
Refuses to know the future: at a cut-off, only events take part that were known by then. Snapshots end with
the outcome, so that neither it nor what sales entered after it can feed a score.

Cut-offs lie on a fixed grid (multiples of `every_s`; weeks begin on Monday), so that tomorrow's backtest
looks at the same moments. One pass over a history: its events, and the cut-offs between them.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, floor, inf
from typing import Final, Literal, NamedTuple

from services.cli.model.backtest.crm_view import CrmView
from services.cli.model.backtest.person import Person
from shared.events import Event
from shared.scoring.engine.compiled import Compiled

# 1970 began on a Thursday.
_MONDAY_S: Final = 4 * 86_400
_LATE_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of history. Times are seconds since 1970.

    models:    one or two; the rules of the first are looked at singly
    outcome:   name of the event that counts as conversion; `kinds` which kinds of sender may say so
    lost:      names of CRM events that say that a lead was lost
    since_s:   no cut-off before this; what happened earlier counts all the same
    as_of_s:   nothing later is looked at
    imported:  an event was known when it occurred, not when it was received
    visitors:  anonymous visitors take part too, not only leads with an e-mail address or user id
    """

    models: tuple[Compiled, ...]
    outcome: str
    kinds: frozenset[str]
    lost: frozenset[str]
    horizon_s: float
    every_s: float
    since_s: float
    as_of_s: float
    imported: bool
    visitors: bool
    free_mail: frozenset[str]

    def moment_s(self, cutoff: int) -> float:
        """When this cut-off was."""
        return _MONDAY_S + cutoff * self.every_s

    def cutoffs(self, first_s: float) -> range:
        """From the first one at or after this moment to the last one that has a whole horizon behind it."""
        first = ceil((max(first_s, self.since_s) - _MONDAY_S) / self.every_s)
        last = floor((self.as_of_s - self.horizon_s - _MONDAY_S) / self.every_s)
        return range(first, last + 1)

    def converts(self, event: Event) -> bool:
        return event.name == self.outcome and event.kind in self.kinds

    def loses(self, event: Event) -> bool:
        return event.name in self.lost and event.kind == "crm"

    def known_s(self, event: Event) -> float:
        """When an event was known."""
        occurred_s = event.occurred_at.timestamp()
        return occurred_s if self.imported else max(occurred_s, event.received_at.timestamp())


class Snapshot(NamedTuple):
    """A lead at a cut-off.

    scores:  under each model, 0..100
    rules:   of the first model, those worth a point or more at that moment
    idle_s:  since the person last did something
    """

    cutoff: int
    converted: bool
    scores: tuple[int, ...]
    rules: tuple[str, ...]
    idle_s: float
    crm: CrmView


class Decision(NamedTuple):
    """What a CRM learned about a lead, and what it knew of it just before.

    verdict:  "silent": a whole horizon passed without the outcome
    """

    at_s: float
    verdict: Literal["won", "lost", "silent"]
    crm: CrmView


@dataclass(slots=True, kw_only=True)
class Lived:
    """What one lead's history told.

    events:  looked at; `late` those of them that were received more than a day after they occurred
    """

    events: int
    late: int
    snapshots: list[Snapshot] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


class _Known(NamedTuple):
    """An event, in the order in which events became known."""

    at_s: float
    occurred_s: float
    id: bytes
    event: Event


def lived(history: Iterable[Event], question: Question) -> Lived:
    """Live through one lead's history: its counted events, each once, in any order."""
    known = _in_order(history, question)
    told = Lived(events=len(known), late=sum(map(_is_late, known)))
    outcome_s = min([each.occurred_s for each in known if question.converts(each.event)], default=inf)
    person, upcoming = Person(question.models, question.free_mail), deque(known)
    horizon = ceil(question.horizon_s / question.every_s)
    for cutoff in question.cutoffs(known[0].at_s) if known else ():
        at_s = question.moment_s(cutoff)
        while upcoming and upcoming[0].at_s <= at_s:
            told.decisions += _meet(person, upcoming.popleft(), question)
        if outcome_s > at_s and (person.known or question.visitors):
            told.snapshots.append(_look(person, cutoff, question, outcome_s))
            if len(told.snapshots) == 1 + horizon:
                told.decisions.append(Decision(at_s, "silent", person.crm()))
    return told


def _in_order(history: Iterable[Event], question: Question) -> list[_Known]:
    """What became known until the end, in that order."""
    known = [
        _Known(question.known_s(event), event.occurred_at.timestamp(), event.event_id.bytes, event)
        for event in history
    ]
    return sorted([each for each in known if each.at_s <= question.as_of_s], key=lambda each: each[:3])


def _is_late(known: _Known) -> bool:
    return known.event.received_at.timestamp() - known.occurred_s > _LATE_S


def _meet(person: Person, known: _Known, question: Question) -> list[Decision]:
    """Tell the person's record of an event; what a CRM decides by it, it decides by what it knew before."""
    decisions: list[Decision] = []
    if question.converts(known.event):
        decisions.append(Decision(known.at_s, "won", person.crm()))
    elif question.loses(known.event):
        decisions.append(Decision(known.at_s, "lost", person.crm()))
    person.learn(known.event)
    return decisions


def _look(person: Person, cutoff: int, question: Question, outcome_s: float) -> Snapshot:
    at_s = question.moment_s(cutoff)
    return Snapshot(
        cutoff=cutoff,
        converted=outcome_s <= at_s + question.horizon_s,
        scores=person.scores(at_s),
        rules=person.rules(at_s),
        idle_s=person.idle_s(at_s),
        crm=person.crm(),
    )
