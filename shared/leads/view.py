"""An address or id → everything there is to say about that lead now.

In: an e-mail address or any id, and the rules of identity. Out: `LeadView`, scored now.
Refuses to write: it reads in one transaction, and computes what it shows with the engine the scorer uses.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.errors import Invalid
from shared.events import Event
from shared.ids import LeadId
from shared.leads.find import find
from shared.leads.identifiers import IdentityRules
from shared.leads.portrait import portrait
from shared.leads.receipts import receipts
from shared.leads.store import models as stored_models
from shared.leads.store.history import histories
from shared.leads.store.present import present as read_present
from shared.leads.trouble import Disputed, Quarantined, SetAside, disputed, quarantined, set_aside
from shared.scoring.engine.consent import objected_since
from shared.scoring.engine.fold import is_current, refold
from shared.scoring.engine.score import Score, evaluate
from shared.scoring.file.read import load_model

_PASSED: Final = """
SELECT at, previous_stage, stage, cause, score FROM transitions WHERE lead_id = $1 ORDER BY sequence
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadView:
    """One lead at one moment.

    receipts: lines that add up to `score`
    stages:   every transition, oldest first: at, previous_stage, stage, cause, score
    timeline: every counted event, newest first: at, name, kind, source, what
    quarantined, disputed, set_aside: what does not count, and why
    objected: since when the person objects to being scored; None: it does not
    consent:  purpose → granted; None if nobody asked
    """

    lead: LeadId
    at: datetime
    stage: str
    since: datetime
    score: int
    grade: str
    dimensions: dict[str, int]
    model_version: int
    person: dict[str, Any]
    attribution: dict[str, Any]
    receipts: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    timeline: list[dict[str, Any]]
    quarantined: list[Quarantined]
    disputed: list[Disputed]
    set_aside: list[SetAside]
    objected: datetime | None
    consent: dict[str, bool] | None


async def view(connection: Any, who: str, rules: IdentityRules) -> LeadView:
    """The lead with this e-mail address or id of whatever kind.

    Raises Invalid (`no_such_lead`) if there is none, or (`no_model`) if nothing was ever scored.
    """
    lead = await find(connection, who, rules)
    stored = await stored_models.active(connection)
    if stored is None:
        raise Invalid("no_model", "no model has scored yet. Start the scorer once")
    model = load_model(stored.content, file=f"version {stored.version}", lists=stored.lists)
    now: datetime = await connection.fetchval("SELECT now()")
    history = (await histories(connection, [lead]))[lead]
    present = await read_present(connection, lead)
    state = present.state if is_current(model, present.state) else refold(model, history)
    score = evaluate(model, state, now)
    painted = portrait(history)
    return LeadView(
        lead=lead,
        at=now,
        stage=present.ledger.stage,
        since=present.ledger.since,
        **_numbers(score),
        model_version=stored.version,
        person=dict(painted.person),
        attribution=dict(painted.attribution),
        stages=[dict(row) for row in await connection.fetch(_PASSED, lead)],
        timeline=[_line(event) for event in reversed(history)],
        quarantined=await quarantined(connection, lead),
        disputed=await disputed(connection, lead),
        set_aside=await set_aside(connection, lead),
        objected=objected_since(state),
        consent=None if painted.consent is None else dict(painted.consent),
    )


def _numbers(score: Score) -> dict[str, Any]:
    return {
        "score": score.total,
        "grade": score.grade,
        "dimensions": score.dimensions,
        "receipts": receipts(score),
    }


def _line(event: Event) -> dict[str, Any]:
    """One event of the timeline."""
    return {
        "at": event.occurred_at,
        "name": event.name,
        "kind": event.kind,
        "source": event.source,
        "what": _what(event),
    }


def _what(event: Event) -> str:
    """What the event was about, in a word: form, page or link."""
    page = event.context.get("page")
    candidates = (
        event.properties.get("form"),
        event.properties.get("path"),
        event.properties.get("url"),
        page.get("path") if isinstance(page, dict) else None,
    )
    return next((value for value in candidates if isinstance(value, str)), "")
