"""Situations that a marketer can read and add to: what people did, and what their score says about it.

Each file in situations/ names a model (a file in deploy/config, or one written out) and lists situations:
events with their age, then what is expected now: score, dimensions, grade, receipts, sentences, the stages
passed. Everything is lived through in order: each event when it happened, and a look at every moment that
the engine asked for. At the end the same is derived again from all events at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from shared import config_file
from shared.events import Event
from shared.ids import EventId
from shared.scoring import model_file
from shared.scoring.crossing import next_change
from shared.scoring.fold import fold, refold
from shared.scoring.model import Model
from shared.scoring.receipts import sentence
from shared.scoring.score import Score, evaluate, score
from shared.scoring.stages import StageState, Transition, after, decide
from shared.scoring.state import EMPTY, LeadState
from tests.scoring.test_reference_model import load

FILES = sorted((Path(__file__).parent / "situations").glob("*.yaml"))
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONG_AGO = timedelta(days=3650)


def cases() -> Iterator[Any]:
    for path in FILES:
        document = config_file.parse(path.read_text(), file=path.name).data
        given = document["model"]
        model = (
            load(given) if given.endswith(".yaml") else model_file.load(given, file=f"{path.name} (model)")
        )
        for situation in document["situations"]:
            yield pytest.param(model, situation, id=f"{path.stem}: {situation['name']}")


def span(text: str) -> timedelta:
    return timedelta(**{UNITS[text[-1]]: float(text[:-1])})


def events_of(situation: dict[str, Any]) -> list[Event]:
    """The events of a situation, oldest first; `times` and `every` repeat one."""
    found: list[tuple[datetime, dict[str, Any]]] = []
    for given in situation.get("events", []):
        details = {
            key: value for key, value in given.items() if key not in {"age", "at", "times", "every", "event"}
        }
        first = datetime.fromisoformat(given["at"]) if "at" in given else NOW - span(given["age"])
        for turn in range(given.get("times", 1)):
            at = first + turn * span(given.get("every", "0s"))
            found.append((at, {"kind": "web", **details, "name": given["event"]}))
    found.sort(key=lambda pair: pair[0])
    return [
        Event(event_id=EventId(UUID(int=number)), source="test", occurred_at=at, received_at=at, **details)
        for number, (at, details) in enumerate(found, start=1)
    ]


@dataclass
class Life:
    """One lead, lived through."""

    model: Model
    standing: StageState
    known: bool
    state: LeadState = EMPTY
    ledger: list[Transition] = field(default_factory=list)

    def meet(self, event: Event) -> None:
        if self.state.events:
            self.wait(event.occurred_at)
        folded = fold(self.model, self.state, event)
        assert folded is not None, "events in order fold"
        self.state = folded
        self.known = self.known or bool(event.email or event.user_id)
        self._decide(event, event.occurred_at)

    def wait(self, until: datetime) -> None:
        """Look whenever the engine asked to."""
        looks = 0
        now = self.standing.since
        while (due := next_change(self.model, self.state, self.standing, now)) and due <= until:
            self._decide(None, due)
            now, looks = due, looks + 1
            assert looks < 100, "looking without end"

    def _decide(self, event: Event | None, now: datetime) -> None:
        moves = decide(
            self.model,
            self.standing,
            evaluate(self.model, self.state, now),
            profile=self.state.profile,
            known=self.known,
            event=event,
            now=now,
        )
        self.standing = after(self.standing, moves)
        self.ledger += moves


def live(model: Model, situation: dict[str, Any]) -> Life:
    happened = events_of(situation)
    begins = min([NOW, *(event.occurred_at for event in happened)])
    stayed = span(situation["in_stage_for"]) if "in_stage_for" in situation else NOW - begins
    life = Life(
        model=model,
        standing=StageState(stage=situation.get("stage", "visitor"), since=NOW - stayed),
        known=situation.get("stage", "visitor") != "visitor",
    )
    for event in happened:
        life.meet(event)
    life.wait(NOW)
    return life


def check_score(found: Score, expected: dict[str, Any]) -> None:
    lines = {line.rule: line.points for line in found.contributions}
    assert sum(lines.values()) == found.total
    seen = {
        "score": found.total,
        "grade": found.grade,
        "receipts": lines,
        "dimensions": {name: found.dimensions.get(name) for name in expected.get("dimensions", {})},
        "sentences": {
            language: [sentence(line, language, NOW) for line in found.contributions]
            for language in expected.get("sentences", {})
        },
    }
    wanted = {key: value for key, value in expected.items() if key in seen}
    assert {key: seen[key] for key in wanted} == wanted


@pytest.mark.parametrize(("model", "situation"), list(cases()))
def test_the_situation_ends_as_told(model: Model, situation: dict[str, Any]) -> None:
    """Score, receipts and stages are those that the situation expects, lived through or derived at once."""
    expected = situation["expect"]
    unknown = expected.keys() - {"score", "grade", "receipts", "dimensions", "sentences", "stages", "causes"}
    assert not unknown
    life = live(model, situation)
    check_score(evaluate(model, life.state, NOW), expected)
    check_score(score(model, events_of(situation), NOW), expected)
    assert refold(model, events_of(situation)) == life.state
    if "stages" in expected:
        assert [move.stage for move in life.ledger] == expected["stages"]
    if "causes" in expected:
        assert [move.cause for move in life.ledger] == expected["causes"]
    assert [move.sequence for move in life.ledger] == list(range(1, len(life.ledger) + 1))
