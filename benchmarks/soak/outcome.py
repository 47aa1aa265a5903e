"""What became of every event, when all is worked off.

In: the installation, how many events were acknowledged. Out: an `Outcome`. Asks the database for each id that
must be there, and `leadscore reconcile` for everything else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.soak.senders import message
from shared import database as postgres
from shared.ids import EventId, event_id
from tests.books import balanced
from tests.faults.aftermath import WORKED_OFF_S, told_in_order, told_twice, worked_off
from tests.faults.traffic import SOURCE
from tests.installation import Installation

_CHUNK: Final = 20_000
_ROWS: Final = "SELECT count(*) AS rows, count(DISTINCT event_id) AS ids FROM events"
_THERE: Final = "SELECT count(DISTINCT event_id) AS ids FROM events WHERE event_id = ANY($1::uuid[])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was found.

    lost:       acknowledged events without a row
    twice:      rows of events beyond the first
    made_up:    events with a row that nobody sent
    books:      P6, of all partitions
    off:        what reconcile found to be off
    hooks, repeated: posts at the webhook, and those among them that repeat an earlier one
    """

    lost: int
    twice: int
    made_up: int
    books: dict[str, int]
    off: list[dict[str, Any]]
    hooks: int
    repeated: int

    def wrong(self) -> Iterator[str]:
        """Each thing that does not hold, as a sentence."""
        if self.lost:
            yield f"{self.lost:,} acknowledged events have no row"
        if self.twice:
            yield f"{self.twice:,} events have more than one row"
        if self.made_up:
            yield f"{self.made_up:,} events were never sent"
        if not balanced(self.books):
            yield f"the books do not balance: {self.books}"
        for fault in self.off:
            yield f"reconcile: {fault}"


async def look(leadscore: Installation, acknowledged: int) -> Outcome:
    """Wait until deliveries are done too, then look at everything."""
    await worked_off(leadscore, within_s=2 * WORKED_OFF_S)
    rows = await _rows(leadscore)
    there = 0
    for ids in _chunks(acknowledged):
        there += (await leadscore.fetch(_THERE, ids))[0]["ids"]
    await told_in_order(leadscore)
    return Outcome(
        lost=acknowledged - there,
        twice=rows["rows"] - rows["ids"],
        made_up=rows["ids"] - there,
        books=await leadscore.books(),
        off=await leadscore.off(),
        hooks=len(leadscore.receiver.hits),
        repeated=told_twice(leadscore),
    )


async def _rows(leadscore: Installation) -> dict[str, int]:
    """How many rows and ids of events there are: all are read, which takes as long as it takes."""
    engine = postgres.engine(leadscore.database, application="soak", pool_size=1)
    try:
        async with postgres.snapshot(engine) as connection:
            return dict(await connection.fetchrow(_ROWS))
    finally:
        await engine.dispose()


def _chunks(events: int) -> Iterator[list[EventId]]:
    for first in range(0, events, _CHUNK):
        last = min(first + _CHUNK, events)
        yield [event_id(SOURCE, message(number)) for number in range(first, last)]
