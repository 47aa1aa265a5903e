"""The recipe of an import: read a chunk, understand it, wait for the scorer, publish, note how far it is.

In: the rows of a file, how they are meant. Out: events, exactly as ingest publishes them; rejected rows;
progress. Refuses to note what Kafka has not acknowledged: a stop at any moment, kill -9 too, loses
nothing, and what is sent twice counts once.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from services.cli.imports.history_event import Origin, history_event
from services.cli.imports.read import Row
from services.cli.imports.rejected import RejectedRows
from services.cli.imports.understand import Meaning, drafts
from services.ingest.draft import Arrival, Draft
from services.ingest.publish import Parcel, ParcelPublisher
from shared.errors import Invalid, Transient
from shared.events import Event

CHUNK: Final = 2_000
_DEADLINE_S: Final = 20.0
_TRIES: Final = 5
_PAUSE_S: Final = 2.0


@dataclass(slots=True)
class Understood:
    """What the rows of a chunk say.

    refused: where it stands (line, item of a batch), the row, why
    unused:  columns that are kept and not understood, and in how many rows
    """

    rows: int = 0
    events: list[Event] = field(default_factory=list)
    refused: list[tuple[int, int | None, bytes, Invalid]] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)


def understand(rows: Iterable[Row], meaning: Meaning, origin: Origin, now: datetime) -> Understood:
    """The events of these rows, and the rows that are none."""
    understood, arrival = Understood(), origin.arrival(now)
    for row in rows:
        understood.rows += 1
        found = list(drafts(row.raw, meaning))
        for index, draft in enumerate(found):
            event = _event(draft, origin, arrival)
            if isinstance(event, Invalid):
                understood.refused.append((row.line, index if len(found) > 1 else None, row.raw, event))
            else:
                understood.events.append(event)
                understood.unused.update(event.extra.keys())
    return understood


def _event(draft: Draft | Invalid, origin: Origin, arrival: Arrival) -> Event | Invalid:
    try:
        return draft if isinstance(draft, Invalid) else history_event(draft, origin, arrival)
    except Invalid as error:
        return error


def chunks(rows: Iterator[Row], done: int, size: int) -> Iterator[list[Row]]:
    """The rows that are not done yet, so many at a time."""
    left = islice(rows, done, None)
    while chunk := list(islice(left, size)):
        yield chunk


@dataclass(slots=True, kw_only=True)
class Importer:
    """Imports the rows of one file.

    publish:  returns when every in-sync replica has these events
    pace:     returns when the scorer is near enough
    note:     keeps what is done of a chunk, after it was published
    """

    meaning: Meaning
    origin: Origin
    rejected: RejectedRows
    publish: Callable[[Understood], Awaitable[None]]
    pace: Callable[[], Awaitable[None]]
    note: Callable[[Understood], None]
    chunk: int = CHUNK

    async def run(self, rows: Iterator[Row], done: int) -> None:
        """Import what comes after the rows that are done."""
        for some in chunks(rows, done, self.chunk):
            await self.pace()
            understood = understand(some, self.meaning, self.origin, datetime.now(UTC))
            await self.publish(understood)
            for line, index, raw, error in understood.refused:
                self.rejected.add(line, index, raw, error)
            self.note(understood)


class Sender:
    """Publishes chunks as ingest publishes requests; waits a while for a Kafka that is away."""

    def __init__(self, parcels: ParcelPublisher, origin: Origin) -> None:
        self._parcels = parcels
        self._origin = origin

    async def send(self, understood: Understood) -> None:
        """Return when Kafka has all events of the chunk. Raises Transient if it stays away."""
        parcel = Parcel(source=self._origin.source, received_at=datetime.now(UTC), accepted=understood.events)
        for last in [False] * (_TRIES - 1) + [True]:
            try:
                await self._parcels.send(parcel, deadline_s=_DEADLINE_S)
            except Transient:
                if last:
                    raise
                await asyncio.sleep(_PAUSE_S)
            else:
                return
