"""A database full of people, as the scorer would have left it: events, leads with real states and ledgers.

In: an empty, migrated database, a crowd, a model. Out: rows. Refuses to be slow: rows go in by COPY and
UNNEST, from two processes; and to be kind: events lie in the order in which they were received, so that one
person's are scattered over the whole table.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg

from benchmarks.past import Crowd, past
from services.scorer.identify.facts import Facts
from services.scorer.models import change_model, model_source
from services.scorer.settle import Lead
from services.scorer.store import leads
from services.scorer.store.models import Author
from shared.codec import encode
from shared.events import OWN_NAMESPACE, Event
from shared.ids import LeadId
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.score import standing
from shared.scoring.replay.fast_replay import fast_replay
from shared.scoring.replay.timeline import Chart, Timeline

_PIECE: Final = 1_000
_COLUMNS: Final = (
    "event_id",
    "received_at",
    "occurred_at",
    "lead_id",
    "source",
    "name",
    "quarantine",
    "body",
)
_STAGING: Final = "CREATE UNLOGGED TABLE staged (LIKE events)"
_INTO_PLACE: Final = "INSERT INTO events SELECT * FROM staged ORDER BY received_at"


async def populate(url: str, crowd: Crowd, model_file: Path, now: datetime) -> int:
    """Fill the database; the number of events."""
    connection = await asyncpg.connect(url)
    try:
        version = await publish(connection, model_file)
        await connection.execute(_STAGING)
        jobs = [
            (url, crowd, (first, str(model_file), version), now) for first in range(0, crowd.people, _PIECE)
        ]
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
            written = await asyncio.to_thread(lambda: sum(processes.map(_piece, jobs)))
        await connection.execute(_INTO_PLACE)
        await connection.execute("DROP TABLE staged")
        await connection.execute("VACUUM ANALYZE")
        return written
    finally:
        await connection.close()


async def publish(connection: asyncpg.Connection, model_file: Path) -> int:
    """Make this the active model; its version."""
    source = model_source.read(model_file)
    author = Author(name="benchmark")
    async with connection.transaction():
        content = (source.model.name, source.text, source.lists)
        version = await change_model.draft(connection, content, author)
        await change_model.publish(connection, version, author, silent=False)
    return version


def _piece(job: tuple[str, Crowd, tuple[int, str, int], datetime]) -> int:
    """A thousand people; the number of their events."""
    url, crowd, (first, model_file, version), now = job
    model = model_source.read(Path(model_file)).model
    people = range(first, min(first + _PIECE, crowd.people))
    pasts = {LeadId(UUID(int=(person << 64) + person)): past(crowd, person, now) for person in people}
    return asyncio.run(_write(url, (model, version), pasts, now))


async def _write(
    url: str, active: tuple[Compiled, int], pasts: dict[LeadId, list[Event]], now: datetime
) -> int:
    connection = await asyncpg.connect(url)
    try:
        rows = list(_rows(pasts))
        await connection.copy_records_to_table("staged", records=rows, columns=_COLUMNS)
        chart = Chart(active[0])
        courses = {lead: Timeline(chart, events) for lead, events in pasts.items()}
        await leads.write(
            connection, [as_scored(active, lead, timeline, now) for lead, timeline in courses.items()]
        )
        return len(rows)
    finally:
        await connection.close()


def _rows(pasts: dict[LeadId, list[Event]]) -> Iterator[tuple[Any, ...]]:
    for lead, events in pasts.items():
        for event in events:
            yield (
                event.event_id,
                event.received_at,
                event.occurred_at,
                lead,
                event.source,
                event.name,
                None,
                encode(event),
            )


def as_scored(active: tuple[Compiled, int], lead: LeadId, timeline: Timeline, now: datetime) -> Lead:
    """The lead as it stands after this past."""
    (model, version), events = active, timeline.events
    life = fast_replay(timeline.under(model), now)
    numbers = standing(model, life.state, now)
    return Lead(
        lead_id=lead,
        facts=Facts(
            known=life.known,
            first_seen_at=events[0].occurred_at,
            namespaces=frozenset({OWN_NAMESPACE} if life.known else ()),
            addresses=int(life.known),
            anonymous_ids=1,
        ),
        last_seen_at=events[-1].occurred_at,
        event_count=len(events),
        state=life.state,
        ledger=life.ledger,
        score=numbers.total,
        grade=numbers.grade,
        dimensions=numbers.dimensions,
        scored_at=now,
        due_at=None,
        model_version=version,
    )
