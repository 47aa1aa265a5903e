"""A small model with drafts of it, and people whose history can be told in a line."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.cli.model.plan.replay import Known, Replayed, Trial, replay
from services.cli.model.plan.tally import Tally, count, empty
from services.router import route_file
from shared.events import Event
from shared.ids import EventId, LeadId
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.read import load_model
from shared.scoring.replay.life import live
from tests.scorer.conftest import MODEL

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
ACTIVE = load_model(MODEL, file="active.yaml")
DEARER = load_model(
    MODEL.replace("points: 15", "points: 32"), file="dearer.yaml"
)  # a click alone makes an MQL
STRICTER = load_model(
    MODEL.replace("score: 30", "score: 90").replace("score: 20", "score: 80"), file="stricter.yaml"
)
_ASKING = (
    MODEL.replace("points: 15", "points: 32\n    purpose: ads")
    + """
consent:
  purposes:
    ads: {label: {en: Ads, de: Werbung}, unknown: granted, withdrawal: from_then_on}
"""
)
ASKING = load_model(_ASKING, file="asking.yaml")
FORGETTING = load_model(_ASKING.replace("from_then_on", "for_ever"), file="forgetting.yaml")
ROUTES = """
version: 1
destinations:
  - {name: sales, kind: kafka}
  - {name: crm, kind: webhook, url: "${CRM_URL}", secrets: ["${CRM_SECRET}"]}
routes:
  - {name: qualified, when: {stage: mql}, to: [sales]}
  - {name: german, when: {stage: mql, traits: {country: de}}, to: [crm]}
"""


def trial(draft: Compiled, *, active: Compiled = ACTIVE, days: int = 7, now: datetime = NOW) -> Trial:
    outline = route_file.outline(ROUTES, {})
    return Trial(
        active=active,
        draft=draft,
        now=now,
        days=days,
        routes=outline.routes,
        destinations=frozenset(outline.destinations),
    )


def events(person: int, *told: tuple[str, float], **fields: Any) -> list[Event]:
    """Events of one known person, each as (name, days ago)."""
    return [
        Event(
            event_id=EventId(UUID(int=person * 1000 + number)),
            source="web",
            kind="web",
            name=name,
            occurred_at=NOW - timedelta(days=ago),
            received_at=NOW,
            email=f"person-{person}@example.com",
            **fields,
        )
        for number, (name, ago) in enumerate(sorted(told, key=lambda one: -one[1]))
    ]


def lead(person: int, history: Sequence[Event], *, model: Compiled = ACTIVE) -> Known:
    """The lead as a scorer left it that counted each event when it occurred."""
    return Known(lead_id=LeadId(UUID(int=person)), ledger=live(model, history, NOW).ledger)


def replayed(on: Trial, person: int, history: Sequence[Event]) -> Replayed:
    return replay(on, lead(person, history, model=on.active), history)


def tally(on: Trial, people: Sequence[Replayed], *, emails: bool = False) -> Tally:
    made = empty(on.destinations, on.days)
    for one in people:
        count(made, one, on.now, emails=emails)
    return made
