"""Whether Postgres finds rows by an index: the plans of statements that the scorer sent.

In: a connection, recorded statements. Out: those whose plan reads a whole table that grows with history.
Refuses to judge by the text: it asks EXPLAIN, with the values that were sent.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import asyncpg

from benchmarks.bare_sql import Statement

_EXPLAINED: Final = ("fetch", "fetchrow", "fetchval", "execute")
_VERBS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_GROWING: Final = frozenset(
    {"leads", "identities", "events", "lead_due", "transitions", "lead_merges", "shadow_leads", "deliveries"}
)
_HOT: Final = """
SELECT n_tup_hot_upd::float8 / nullif(n_tup_upd, 0) FROM pg_stat_user_tables WHERE relname = 'leads'
"""


async def look(url: str, statements: Iterable[Statement]) -> tuple[list[str], float]:
    """The statements that read a whole table here, and the share of updates that stayed on their page."""
    connection = await asyncpg.connect(url)
    try:
        return await whole_scans(connection, statements), await hot_share(connection)
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
