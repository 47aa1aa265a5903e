"""The books beside the records: what was taken from Kafka has to add up to what became of it (P6).

In: partition_offsets, dead_letters, pg_stat_activity. Out: gauges; every scorer shows the same figures.
Refuses to mend: `leadscore reconcile` says which partition is off, and a person decides.
"""

import asyncio
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.offsets import Offsets
from shared.database import transaction
from shared.errors import Transient
from shared.telemetry import log

INTERVAL_S: Final = 15.0

_BOOKS: Final = """
SELECT coalesce(sum(next_offset - started_at_offset), 0)::bigint AS taken,
  coalesce(sum(counted), 0)::bigint AS counted, coalesce(sum(duplicate), 0)::bigint AS duplicate,
  coalesce(sum(quarantined), 0)::bigint AS quarantined,
  coalesce(sum(dead_lettered), 0)::bigint AS dead_lettered,
  coalesce(sum(abs(
    next_offset - started_at_offset - counted - duplicate - quarantined - dead_lettered
  )), 0)::bigint AS unbalanced
FROM partition_offsets WHERE consumer_group = $1 AND topic = $2
"""
_DEAD_LETTERS: Final = """
SELECT count(*) FROM (SELECT FROM dead_letters WHERE resolved_at IS NULL LIMIT 10000) AS unresolved
"""
# What it sees nobody cleans up behind. Sessions of other users are seen by who may (pg_read_all_stats).
_OLDEST_SNAPSHOT: Final = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity
WHERE backend_xmin IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()
"""


class Books:
    """Looks at the books of one consumer group every `INTERVAL_S` seconds."""

    def __init__(self, *, database: AsyncEngine, offsets: Offsets) -> None:
        self._database = database
        self._offsets = offsets

    async def run(self) -> None:
        """Look until cancelled; Postgres being away only leaves the figures as they were."""
        while True:
            try:
                await self.look()
            except Transient as error:
                log("scorer.books_postponed", level="warning", reason=str(error))
            await asyncio.sleep(INTERVAL_S)

    async def look(self) -> None:
        """Read the books once, as of one statement, and show them."""
        async with transaction(self._database) as connection:
            row = await connection.fetchrow(_BOOKS, self._offsets.group, self._offsets.topic)
            unresolved = await connection.fetchval(_DEAD_LETTERS)
            oldest_s = await connection.fetchval(_OLDEST_SNAPSHOT)
        for result in metrics.BOOKED:
            metrics.BOOKS_RECORDS.labels(result=result).set(row[result])
        metrics.BOOKS_UNBALANCED.set(row["unbalanced"])
        metrics.UNRESOLVED_DEAD_LETTERS.set(unresolved)
        metrics.OLDEST_SNAPSHOT_SECONDS.set(oldest_s)
