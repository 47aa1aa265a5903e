"""A score → its receipt as it is stored in `transitions`, shown, and sent.

In: a score. Out: one `Receipt` for each contribution, as plain data; they add up to the score.
"""

from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from shared.leads.transition_row import Receipt
from shared.scoring.engine.contributions import Contribution
from shared.scoring.engine.score import Score
from shared.scoring.words.receipts import sentence


def receipts(score: Score) -> list[dict[str, Any]]:
    """The score's contributions as they are stored and sent: they add up to the score."""
    return [_receipt(one, score.as_of) for one in score.contributions]


def _receipt(one: Contribution, as_of: datetime) -> dict[str, Any]:
    receipt = Receipt(
        rule=one.rule,
        dimension=one.dimension,
        group=one.group,
        points=one.points,
        count=one.count,
        last_at=one.last_at,
        event_ids=tuple([str(event) for event in one.event_ids]),
        sentence_en=sentence(one, "en", as_of),
        sentence_de=sentence(one, "de", as_of),
    )
    last_at = one.last_at.isoformat() if one.last_at else None
    return {**asdict(receipt), "event_ids": list(receipt.event_ids), "last_at": last_at}
