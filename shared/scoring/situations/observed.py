"""What became of a lead: everything there is to see of it at one moment.

In: a model, events, where the lead stood before them, now. Out: `Observed`: score, receipt, transitions,
what would have moved it, when time alone will.
Refuses to judge: shared/scoring/situations/expectations.py compares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from shared.events import Event
from shared.ids import EventId
from shared.scoring.analysis.nearest import nearest
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.contributions import Contribution
from shared.scoring.engine.next_change import next_change
from shared.scoring.engine.score import Score, evaluate
from shared.scoring.engine.transitions import StageState, Transition
from shared.scoring.replay.life import Life
from shared.scoring.words.receipts import Language, sentence

Details = Mapping[str, Any]
"""Names and values of one thing that was seen or expected."""

_MOST_LOOKS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One lead at the end of a situation."""

    model: Compiled
    events: Sequence[Event]
    now: datetime
    life: Life
    score: Score

    @classmethod
    def of(cls, model: Compiled, events: Sequence[Event], begin: StageState, now: datetime) -> "Observed":
        """Live through these events, and look whenever the engine asks for it.

            events:  in order of (occurred_at, event_id), none of them after now
            begin:   where the lead stood before the first of them

        Raises RuntimeError if the model's stages never come to rest.
        """
        begins = events[0].occurred_at if events else now
        life = Life(model=model, at=begins, ledger=begin, known=begin.stage != "visitor")
        for event in events:
            life.meet(event)
        life.wait(now)
        return cls(model=model, events=events, now=now, life=life, score=evaluate(model, life.state, now))

    def receipt(self) -> dict[str, Details]:
        """Each line by its rule; exact points to a hundredth."""
        occurred = {event.event_id: event.occurred_at for event in self.events}
        return {line.rule: self._line(line, occurred) for line in self.score.contributions}

    def _line(self, line: Contribution, occurred: Mapping[EventId, datetime]) -> Details:
        return {
            "points": line.points,
            "kind": line.kind,
            "dimension": line.dimension,
            "group": line.group,
            "events": line.count,
            "paid": line.paid,
            "things": line.things,
            "raw": round(line.raw, 2),
            "limited": round(line.limited, 2),
            "decayed": round(line.decayed, 2),
            "newest": [self.now - occurred[each] for each in line.event_ids],
        }

    def sentences(self, language: Language) -> list[str]:
        """The receipt in words."""
        return [sentence(line, language, self.now) for line in self.score.contributions]

    def transitions(self) -> list[Details]:
        """Each transition, in order."""
        names = {event.event_id: event.name for event in self.events}
        return [self._transition(step.transition, names) for step in self.life.steps]

    def _transition(self, move: Transition, names: Mapping[EventId, str]) -> Details:
        return {
            "stage": move.stage,
            "cause": move.cause,
            "event": names[move.cause_event] if move.cause_event else "",
            "reason": move.reason,
            "rule": move.rule,
            "age": self.now - move.at,
            "at": move.at,
        }

    def nearest(self) -> list[Details]:
        """What would have moved the lead up, the easiest first."""
        found = nearest(self.model, self.life.state, self.life.ledger, self.now)
        return [
            {
                "rule": each.rule,
                "kind": each.kind,
                "stage": each.stage,
                "times": each.times,
                "score": each.total,
            }
            for each in found
        ]

    def next_change(self) -> Details:
        """The next transition that time alone makes; empty if there is none.

        The engine's forecast may be early, so this lives on until something happens.
        """
        ahead = replace(self.life, steps=[])
        for _ in range(_MOST_LOOKS):
            due = next_change(ahead.model, ahead.state, ahead.ledger, ahead.at)
            if due is None:
                return {}
            ahead.wait(due)
            if ahead.steps:
                move = ahead.steps[0].transition
                return {"to": move.stage, "in": move.at - self.now, "at": move.at}
        raise RuntimeError(f"more than {_MOST_LOOKS} looks ahead, and nothing happened")
