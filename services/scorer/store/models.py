"""scoring_models: every version of the model, immutable, with its state: draft → shadow → active → retired.

In: a model file's text and the lists it names; what to do with a version. Out: versions and their models.
Refuses to change a version: another text or another list is another version.

Every transaction that scores holds a shared lock (`current`), and whoever changes the state of a version an
exclusive one: after a publish is committed, nothing is written any more that another version scored.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from shared.leads.store.models import Action, Lists, State

_LOCK_KEY: Final = 4_951_760_157  # any number that no other advisory lock has
_LOCK_SHARED: Final = f"SELECT pg_advisory_xact_lock_shared({_LOCK_KEY})"
_LOCK: Final = f"SELECT pg_advisory_xact_lock({_LOCK_KEY})"
# Longer than a frozen scorer can hold its transaction open (shared/database.py: 5 s idle in it).
_PATIENCE: Final = "SET LOCAL lock_timeout = '8s'"
_CURRENT: Final = """
SELECT version, state, silent, (SELECT fingerprint FROM identity_keys) AS identity_key
FROM scoring_models WHERE state IN ('active', 'shadow')
"""
_INSERT: Final = """
INSERT INTO scoring_models (sha256, name, content, lists, state) VALUES ($1, $2, $3, $4::jsonb, 'draft')
ON CONFLICT (sha256) DO NOTHING
RETURNING version
"""
_BY_CONTENT: Final = "SELECT version FROM scoring_models WHERE sha256 = $1"
_LEAVE: Final = "UPDATE scoring_models SET state = $2 WHERE state = $1"
_ENTER: Final = "UPDATE scoring_models SET state = $2, silent = $3 WHERE version = $1"
_LOG: Final = """
INSERT INTO model_changes (version, action, silent, made_by, note) VALUES ($1, $2, $3, $4, $5)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """Which versions score now.

    silent:  what the active version's publish causes is not delivered
    shadow:  None if there is none
    identity_key: fingerprint of the keys with which identifiers are stored; None before it was kept
    """

    active: int
    silent: bool
    shadow: int | None
    identity_key: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who changes a model, and what they say about it."""

    name: str
    note: str = ""


async def current(connection: Any) -> Current | None:
    """Which versions score in this transaction; until it ends none can change. None before the first."""
    await connection.execute(_LOCK_SHARED)
    rows = {row["state"]: row for row in await connection.fetch(_CURRENT)}
    if "active" not in rows:
        return None
    shadow = rows.get("shadow")
    return Current(
        active=rows["active"]["version"],
        silent=rows["active"]["silent"],
        shadow=shadow["version"] if shadow else None,
        identity_key=rows["active"]["identity_key"],
    )


async def hold(connection: Any) -> None:
    """Be the only one who changes versions, once every transaction that scores now has ended."""
    await connection.execute(_PATIENCE)
    await connection.execute(_LOCK)


async def draft(connection: Any, name: str, content: str, lists: Lists) -> tuple[int, bool]:
    """Store a model. Returns its version and whether it is new: the same content keeps the same one."""
    stored_lists = json.dumps({name: sorted(entries) for name, entries in sorted(lists.items())})
    sha256 = hashlib.sha256(f"{content}\x1f{stored_lists}".encode()).hexdigest()
    made: int | None = await connection.fetchval(_INSERT, sha256, name, content, stored_lists)
    if made is not None:
        return made, True
    found: int = await connection.fetchval(_BY_CONTENT, sha256)
    return found, False


async def enter(connection: Any, number: int, state: State, *, silent: bool = False) -> None:
    """Move a version to a state; what else is there leaves it. The caller holds the lock (`hold`)."""
    if state in {"active", "shadow"}:
        await connection.execute(_LEAVE, state, "retired" if state == "active" else "draft")
    await connection.execute(_ENTER, number, state, silent)


async def log(
    connection: Any, number: int, action: Action, author: Author, *, silent: bool | None = None
) -> None:
    """Add a line to the history of changes."""
    await connection.execute(_LOG, number, action, silent, author.name, author.note)
