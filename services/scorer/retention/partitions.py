"""The partitions of `events`, in SQL: made ahead of the calendar, dropped when nothing is in them any more.

In: a connection inside a transaction. Out: names; how far ahead there are months.
Refuses to wait long for anybody: a partition comes and goes under a lock that all readers of events need, so
it is asked for briefly, and otherwise later.
"""

from datetime import date
from typing import Any, Final

from services.scorer.retention.months import partition_of

MONTHS_AHEAD: Final = 3

_MAKE: Final = f"SELECT ensure_event_partitions({MONTHS_AHEAD})"
# Up to the first month that is missing; -1 if this one is.
_AHEAD: Final = """
SELECT coalesce(min(n), 13)::int - 1 FROM generate_series(0, 12) n
WHERE to_regclass(format('events_%s',
  to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => n), 'YYYY_MM'))) IS NULL
"""
# Whoever asks for a table stands before everybody who comes after: a dump must not have all batches wait.
_BRIEFLY: Final = "SET LOCAL lock_timeout = '500ms'"
_THERE: Final = "SELECT to_regclass($1) IS NOT NULL"
_NAMES: Final = """
SELECT child.relname::text AS name FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'events'::regclass ORDER BY 1
"""


async def make(connection: Any) -> None:
    """Make the partitions of this month and the next ones that are missing."""
    await connection.execute(_BRIEFLY)
    await connection.execute(_MAKE)


async def ahead(connection: Any) -> int:
    """For how many months after this one there are partitions without a gap; -1: not even for this one."""
    number: int = await connection.fetchval(_AHEAD)
    return number


async def names(connection: Any) -> list[str]:
    """Every partition of `events`."""
    return [row["name"] for row in await connection.fetch(_NAMES)]


async def drop_empty(connection: Any, month: date) -> bool:
    """Drop this month's partition if nothing is in it; False if something is, or another scorer dropped it.

    Not CONCURRENTLY: Postgres refuses that while there is a default partition.
    """
    partition = partition_of(month)
    if not await _is_empty(connection, partition):
        return False
    await connection.execute(_BRIEFLY)
    await connection.execute("LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE")
    if not await _is_empty(connection, partition):
        return False
    await connection.execute(f"ALTER TABLE events DETACH PARTITION {partition}")
    await connection.execute(f"DROP TABLE {partition}")
    return True


async def _is_empty(connection: Any, partition: str) -> bool:
    if not await connection.fetchval(_THERE, partition):
        return False
    return not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {partition})")  # noqa: S608 - a name of our own
