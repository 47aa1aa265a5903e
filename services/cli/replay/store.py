"""What a replay reads, and how far it is: `replays`, one row for each.

In: a connection. Out: leads, progress. The row is written after each portion, so that a replay goes on where
it stopped, whatever stopped it. Refuses to go on with one of more than a week ago: much has happened since to
the leads that it looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.cli.replay.compare import StoredLead
from shared.ids import LeadId
from shared.leads.store.present import decode_state

_NEXT: Final = """
SELECT lead_id, event_count FROM leads WHERE lead_id > $1 AND merged_into IS NULL ORDER BY lead_id LIMIT $2
"""
_LEADS: Final = """
SELECT lead_id, event_count, state, score, grade, dimensions, scored_at, model_version FROM leads
WHERE lead_id = ANY($1::uuid[]) AND merged_into IS NULL ORDER BY lead_id
"""
_OPEN: Final = """
SELECT replay_id, reached, leads, events, different, points FROM replays
WHERE version = $1 AND only_checks = $2 AND finished_at IS NULL AND started_at > now() - interval '7 days'
ORDER BY replay_id DESC LIMIT 1
"""
_BEGIN: Final = """
INSERT INTO replays (version, only_checks) VALUES ($1, $2)
RETURNING replay_id, reached, leads, events, different, points
"""
_NOTE: Final = """
UPDATE replays SET reached = $2, leads = $3, events = $4, different = $5, points = $6 WHERE replay_id = $1
"""
_FINISH: Final = "UPDATE replays SET finished_at = now() WHERE replay_id = $1"
_NUMBER: Final = "SELECT count(*)::int FROM leads WHERE merged_into IS NULL"


@dataclass(slots=True, kw_only=True)
class Replayed:
    """How far a replay is.

    reached:    the last lead that is done
    different:  leads that came out different from what was stored; points: the sum of their differences
    """

    replay_id: int | None
    reached: LeadId
    leads: int = 0
    events: int = 0
    different: int = 0
    points: int = 0


async def begin(connection: Any, version: int, *, only_checks: bool) -> tuple[Replayed, bool]:
    """The replay of this version that was stopped, or a new one; and whether it goes on."""
    row = await connection.fetchrow(_OPEN, version, only_checks)
    goes_on = row is not None
    row = row or await connection.fetchrow(_BEGIN, version, only_checks)
    return Replayed(**dict(row)), goes_on


async def note(connection: Any, done: Replayed) -> None:
    """Keep how far it is."""
    if done.replay_id is not None:
        await connection.execute(
            _NOTE, done.replay_id, done.reached, done.leads, done.events, done.different, done.points
        )


async def finish(connection: Any, done: Replayed) -> None:
    """Every lead is done."""
    if done.replay_id is not None:
        await connection.execute(_FINISH, done.replay_id)


async def number(connection: Any) -> int:
    """How many leads there are."""
    found: int = await connection.fetchval(_NUMBER)
    return found


async def next_leads(connection: Any, after: LeadId, most: int) -> Sequence[Any]:
    """The ids of the leads after this one, each with its number of events."""
    rows: Sequence[Any] = await connection.fetch(_NEXT, after, most)
    return rows


async def read(connection: Any, leads: Sequence[LeadId]) -> dict[LeadId, tuple[int, StoredLead]]:
    """These leads as they are stored, each with the version that scored it last."""
    return {
        LeadId(row["lead_id"]): (row["model_version"], _stored(row))
        for row in await connection.fetch(_LEADS, leads)
    }


def _stored(row: Any) -> StoredLead:
    return StoredLead(
        lead=LeadId(row["lead_id"]),
        event_count=row["event_count"],
        state=decode_state(row["state"]),
        numbers=(row["score"], row["grade"], row["dimensions"]),
        scored_at=row["scored_at"],
    )
