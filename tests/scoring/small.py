"""Small models and events for unit tests, written as a person would write them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.events import Event
from shared.ids import EventId
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.read import load_model

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

BASE = """\
name: Small
dimensions:
  fit: {label: {en: Fit, de: Passung}}
  engagement: {label: {en: Engagement, de: Interesse}}
groups:
  who: {label: {en: Who, de: Wer}, dimension: fit}
  did: {label: {en: Did, de: Tat}, dimension: engagement}
grade:
  fit: {A: 30, B: 20, C: 10}
  engagement: {"1": 30, "2": 20, "3": 10}
"""


def model(**sections: str) -> Compiled:
    """The base with these sections in YAML: `engagement`, `fit`, `stages`, and any that replaces its own."""
    text = BASE + "".join(f"{name}:\n{body}\n" for name, body in sections.items())
    return load_model(text, file="small.yaml")


def rule(name: str, extra: str, group: str = "did") -> str:
    """One rule as a line of YAML; `extra` is what follows label and group."""
    return f"  {name}: {{label: {{en: {name}, de: {name}}}, group: {group}, {extra}}}\n"


def stage(name: str, rest: str) -> str:
    """One stage as a line of YAML."""
    return f"  {name}: {{label: {{en: {name}, de: {name}}}, {rest}}}\n"


def event(number: int, name: str, age: timedelta, **details: Any) -> Event:
    """One event so long before NOW; the number decides between events of the same moment."""
    at = NOW - age
    given = {"kind": "web", "source": "test", **details}
    return Event(event_id=EventId(UUID(int=number)), name=name, occurred_at=at, received_at=at, **given)
