"""transitions: the outbox. Written with the score, planned by the router (P5).

In: stages passed, with the score and what is known of the person at that moment. Out: rows, and one
wake-up for the router. Refuses to carry a pointer where a value is needed: a row is the lead as it was
then, and stays so.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from shared.ids import LeadId, transition_id
from shared.leads.portrait import Portrait
from shared.leads.receipts import receipts
from shared.leads.transition_row import CHANNEL
from shared.scoring.engine.score import Score
from shared.scoring.engine.transitions import Transition

_INSERT: Final = """
INSERT INTO transitions (
  transition_id, lead_id, sequence, previous_stage, stage, cause, cause_event, at, score, grade,
  dimensions, receipts, person, attribution, consent, model_version, event_received_at, silent, other_leads,
  corrected, traceparent, planned_at)
SELECT
  transition_id, lead_id, sequence, previous_stage, stage, cause, cause_event, at, score, grade,
  dimensions::jsonb, receipts::jsonb, person::jsonb, attribution::jsonb, consent::jsonb, model_version,
  event_received_at, silent, string_to_array(other_leads, ',')::uuid[],
  string_to_array(corrected, ','), traceparent, CASE WHEN silent THEN now() END
FROM unnest(
  $1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::timestamptz[],
  $9::int[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::int[],
  $17::timestamptz[], $18::boolean[], $19::text[], $20::text[], $21::text[]
) AS n (
  transition_id, lead_id, sequence, previous_stage, stage, cause, cause_event, at, score, grade,
  dimensions, receipts, person, attribution, consent, model_version, event_received_at, silent,
  other_leads, corrected, traceparent)
"""

# Without a payload: a hint to look, not a message. The router's polling is the truth.
_NOTIFY: Final = f"NOTIFY {CHANNEL}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One transition with everything its deliveries will say.

    silent: recorded, and planned for nobody
    other_leads: of cause `unmerged`: the leads that were one with this one
    corrected: of cause `corrected`: why the events that were taken back do not count
    traceparent: context of the event that caused it, if that is traced
    """

    lead: LeadId
    transition: Transition
    score: Score
    portrait: Portrait
    model_version: int
    event_received_at: datetime | None
    silent: bool = False
    other_leads: Sequence[LeadId] = ()
    corrected: Sequence[str] = ()
    traceparent: str | None = None


async def insert(connection: Any, entries: Sequence[Entry]) -> None:
    """Write transitions and wake the router when this transaction commits."""
    if not entries:
        return
    rows = [_row(entry) for entry in entries]
    await connection.execute(_INSERT, *(list(column) for column in zip(*rows, strict=True)))
    await connection.execute(_NOTIFY)


def _row(entry: Entry) -> tuple[Any, ...]:
    passed, score, portrait = entry.transition, entry.score, entry.portrait
    return (
        transition_id(entry.lead, passed.sequence),
        entry.lead,
        passed.sequence,
        passed.previous_stage,
        passed.stage,
        passed.cause,
        passed.cause_event,
        passed.at,
        score.total,
        score.grade,
        _plain_json(score.dimensions),
        _plain_json(receipts(score)),
        _json(portrait.person),
        _json(portrait.attribution),
        None if portrait.consent is None else _json(portrait.consent),
        entry.model_version,
        entry.event_received_at,
        entry.silent,
        ",".join(map(str, entry.other_leads)),
        ",".join(entry.corrected),
        entry.traceparent,
    )


def _plain_json(value: Any) -> str:
    """The same for what holds no text of a sender, in a quarter of the time."""
    return msgspec.json.encode(value).decode().replace("\\u0000", "\\ufffd")


def _json(value: Any) -> str:
    """JSON text that jsonb takes: it has no NUL character, so that one is spelled out."""
    return json.dumps(value, default=str).replace("\\u0000", "\\ufffd")
