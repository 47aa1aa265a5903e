"""Whether Postgres finds rows by an index: the plans of statements that the scorer sent.

In: a connection, recorded statements. Out: those whose plan reads a whole table that grows with history; how
many updates of leads stayed on their page, and what was read from outside of Postgres' own memory.
Refuses to judge by the text: it asks EXPLAIN, with the values that were sent.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from benchmarks.bare_sql import Statement

_EXPLAINED: Final = ("fetch", "fetchrow", "fetchval", "execute")
_VERBS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_GROWING: Final = frozenset(
    {"leads", "identities", "events", "lead_due", "transitions", "lead_merges", "shadow_leads", "deliveries"}
)
_READ: Final = """
SELECT blks_read, blk_read_time * 1000 FROM pg_stat_database WHERE datname = current_database()
"""
_HOT: Final = """
SELECT n_tup_hot_upd::float8 / nullif(n_tup_upd, 0) FROM pg_stat_user_tables WHERE relname = 'leads'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a database says after a backlog.

    scanned:  statements that read a whole table here
    hot:      share of the updates of leads that stayed on their page
    pages:    of 8 KiB, that Postgres asked the operating system for
    wait_us:  how long it waited for them
    """

    scanned: Sequence[str]
    hot: float
    pages: int
    wait_us: float


async def look(url: str, statements: Iterable[Statement]) -> Looked:
    """Ask it; of reads, what was counted since `pg_stat_reset`."""
    connection = await asyncpg.connect(url)
    try:
        pages, wait_us = await connection.fetchrow(_READ)
        return Looked(
            scanned=await whole_scans(connection, statements),
            hot=await hot_share(connection),
            pages=pages,
            wait_us=wait_us,
        )
    finally:
        await connection.close()


async def whole_scans(connection: Any, statements: Iterable[Statement]) -> list[str]:
    """Each statement that reads a growing table from end to end, with the table."""
    found = []
    for sql, arguments in _distinct(statements).items():
        plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments)
        root = json.loads(plan) if isinstance(plan, str) else plan
        found += [f"{table}: {sql.strip()}" for table in _scanned(root[0]["Plan"])]
    return found


async def hot_share(connection: Any) -> float:
    """Which part of the updates of `leads` by connections that are closed stayed on their page."""
    share: float | None = await connection.fetchval(_HOT)
    return share or 0.0


def _distinct(statements: Iterable[Statement]) -> dict[str, tuple[Any, ...]]:
    """Each text once, with the values it was last sent with."""
    return {
        arguments[0]: arguments[1:]
        for method, arguments, _ in statements
        if method in _EXPLAINED and arguments[0].lstrip().startswith(_VERBS)
    }


def _scanned(plan: Any) -> Iterator[str]:
    """The growing tables that a plan reads from end to end."""
    name = plan.get("Relation Name", "")
    table = "events" if name.startswith("events") else name
    if plan["Node Type"] == "Seq Scan" and table in _GROWING and plan.get("Plan Rows", 0) > 1:
        yield name
    for child in plan.get("Plans", ()):
        yield from _scanned(child)
