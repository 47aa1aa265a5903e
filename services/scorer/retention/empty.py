"""What finished deliveries and resolved dead letters carried, emptied after its time; their rows stay.

In: days. Out: how many were emptied. Refuses to delete a row: the books, the order of deliveries and who
was told what are read from them (docs/decisions/0011). Refuses what may still be sent.
"""

from typing import Any, Final

PORTION: Final = 1_000

_DELIVERIES: Final = """
UPDATE deliveries SET body = '' WHERE delivery_id IN (
  SELECT delivery_id FROM deliveries
  WHERE state IN ('delivered', 'superseded') AND body <> ''
    AND finished_at < now() - make_interval(days => $1)
  ORDER BY finished_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
)
"""
_DEAD_LETTERS: Final = """
UPDATE dead_letters SET key = '', value = '', headers = '[]' WHERE dead_letter_id IN (
  SELECT dead_letter_id FROM dead_letters
  WHERE resolved_at < now() - make_interval(days => $1) AND (value <> '' OR key <> '' OR headers <> '[]')
  ORDER BY resolved_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
)
"""
_WAITING: Final = """
SELECT
  (SELECT count(*) FROM deliveries WHERE $1 > 0 AND state IN ('delivered', 'superseded') AND body <> ''
    AND finished_at < now() - make_interval(days => $1)) AS deliveries,
  (SELECT count(*) FROM dead_letters WHERE $2 > 0 AND resolved_at < now() - make_interval(days => $2)
    AND (value <> '' OR key <> '' OR headers <> '[]')) AS dead_letters
"""


async def empty_deliveries(connection: Any, days: int, most: int = PORTION) -> int:
    """Empty the bodies of some deliveries that were finished more than so many days ago; 0 days: none."""
    return await _emptied(connection, _DELIVERIES, days, most)


async def empty_dead_letters(connection: Any, days: int, most: int = PORTION) -> int:
    """Empty some dead letters that were resolved more than so many days ago; 0 days: none."""
    return await _emptied(connection, _DEAD_LETTERS, days, most)


async def waiting(connection: Any, deliveries_days: int, dead_letters_days: int) -> tuple[int, int]:
    """How many deliveries and dead letters there are to empty."""
    row = await connection.fetchrow(_WAITING, deliveries_days, dead_letters_days)
    return row["deliveries"], row["dead_letters"]


async def _emptied(connection: Any, statement: str, days: int, most: int) -> int:
    if not days:
        return 0
    return int((await connection.execute(statement, days, most)).rpartition(" ")[2])
