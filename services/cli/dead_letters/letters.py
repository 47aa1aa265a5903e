"""Dead letters as they are stored: read, and marked as resolved.

In: numbers, codes. Out: `Letter`s. Refuses to delete: a resolved one stays, with when.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

MOST_NUMBER: Final = 2**63 - 1
_COLUMNS: Final = (
    "dead_letter_id, topic, partition, record_offset, code, message, key, value, headers, at, resolved_at"
)
_LISTED: Final = f"""
SELECT {_COLUMNS} FROM dead_letters
WHERE ($1 = '' OR code = $1) AND ($2 OR resolved_at IS NULL) ORDER BY dead_letter_id DESC LIMIT $3
"""  # noqa: S608 - only constants are inserted
_ONE: Final = f"SELECT {_COLUMNS} FROM dead_letters WHERE dead_letter_id = $1"  # noqa: S608 - as above
_OPEN: Final = f"""
SELECT {_COLUMNS} FROM dead_letters
WHERE code = $1 AND resolved_at IS NULL AND dead_letter_id > $2 AND dead_letter_id <= $3
ORDER BY dead_letter_id LIMIT $4
"""  # noqa: S608 - as above
_NUMBER: Final = "SELECT count(*)::int FROM dead_letters WHERE code = $1 AND resolved_at IS NULL"
_RESOLVE: Final = """
UPDATE dead_letters SET resolved_at = now() WHERE dead_letter_id = ANY($1::bigint[]) AND resolved_at IS NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A record that could not be processed: where it was, why, and all of it."""

    dead_letter_id: int
    topic: str
    partition: int
    record_offset: int
    code: str
    message: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    at: datetime
    resolved_at: datetime | None


async def listed(connection: Any, code: str, *, resolved: bool, most: int) -> list[Letter]:
    """Dead letters, the newest first. code: empty for all; resolved: those too that are resolved."""
    return [_letter(row) for row in await connection.fetch(_LISTED, code, resolved, most)]


async def one(connection: Any, number: int) -> Letter | None:
    """The dead letter with this number."""
    row = await connection.fetchrow(_ONE, number)
    return row and _letter(row)


async def newest(connection: Any) -> int:
    """The number of the newest dead letter; 0 if there is none."""
    number: int = await connection.fetchval("SELECT coalesce(max(dead_letter_id), 0) FROM dead_letters")
    return number


async def open_of(connection: Any, code: str, between: tuple[int, int], most: int) -> list[Letter]:
    """The oldest unresolved dead letters of a code. between: after the first number, up to the second."""
    return [_letter(row) for row in await connection.fetch(_OPEN, code, *between, most)]


async def number_open(connection: Any, code: str) -> int:
    """How many unresolved dead letters of a code there are."""
    number: int = await connection.fetchval(_NUMBER, code)
    return number


async def resolve(connection: Any, letters: Sequence[Letter]) -> None:
    """Mark these as resolved."""
    await connection.execute(_RESOLVE, [letter.dead_letter_id for letter in letters])


def _letter(row: Any) -> Letter:
    headers = tuple((name, base64.b64decode(value)) for name, value in row["headers"])
    return Letter(**{**dict(row), "headers": headers})
