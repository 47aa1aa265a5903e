"""What the scorer hands to the router with a transition, and how it wakes it.

In: a score. Out: its receipt as it is stored in `transitions` and sent.
"""

from datetime import datetime
from typing import Any, Final

from shared.scoring.engine.contributions import Contribution
from shared.scoring.engine.score import Score
from shared.scoring.words.receipts import sentence

CHANNEL: Final = "leadscore_transitions"
"""Postgres notifies here when a transition is committed; the router's polling is the truth."""


def receipts(score: Score) -> list[dict[str, Any]]:
    """The score's contributions as they are stored and sent: they add up to the score."""
    return [_receipt(one, score.as_of) for one in score.contributions]


def _receipt(one: Contribution, as_of: datetime) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "dimension": one.dimension,
        "group": one.group,
        "points": one.points,
        "count": one.count,
        "last_at": one.last_at.isoformat() if one.last_at else None,
        "event_ids": [str(event) for event in one.event_ids],
        "sentence_en": sentence(one, "en", as_of),
        "sentence_de": sentence(one, "de", as_of),
    }
