"""Histories and questions for backtests, written as a person would write them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from services.cli.model.backtest.snapshots import Question
from shared.events import Event
from shared.ids import EventId
from shared.scoring.engine.compiled import Compiled
from tests.scoring import small

# A Monday, 00:00 UTC: a cut-off.
MONDAY = datetime.fromisoformat("2026-06-01T00:00:00+00:00")
WEEK = timedelta(days=7)
_numbers = count(1)

# Ten points for each signal; nothing ever fades, so that figures can be checked in the head.
SIGNAL = small.model(engagement=small.rule("signal", "event: signal, points: 10"))
NOISE = small.model(engagement=small.rule("noise", "event: noise, points: 10"))


def event(name: str, at: datetime, *, late: timedelta = timedelta(0), **fields: Any) -> Event:
    """An event at this time, received so much later."""
    given = {"kind": "web", "source": "test", "user_id": "u", **fields}
    return Event(
        event_id=EventId(UUID(int=next(_numbers))), name=name, occurred_at=at, received_at=at + late, **given
    )


def won(at: datetime, *, late: timedelta = timedelta(0), kind: str = "crm") -> Event:
    """A deal won."""
    return event("deal.won", at, late=late, kind=kind)


def question(models: Sequence[Compiled] = (SIGNAL,), **changed: Any) -> Question:
    """Deals won within 14 days, weekly, known when received; until eight weeks after MONDAY."""
    asked: dict[str, Any] = {
        "models": tuple(models),
        "outcome": "deal.won",
        "kinds": frozenset({"crm"}),
        "lost": frozenset({"deal.lost"}),
        "horizon_s": 14 * 86_400.0,
        "every_s": 7 * 86_400.0,
        "since_s": 0.0,
        "as_of_s": (MONDAY + 8 * WEEK).timestamp(),
        "imported": False,
        "visitors": False,
        "free_mail": frozenset({"freemail.example"}),
    }
    return Question(**{**asked, **changed})
