"""scoring_models: every version of the model, immutable, with its state: draft → shadow → active → retired.

In: a model file's text and the lists it names; what to do with a version. Out: versions and their models.
Refuses to change a version: another text or another list is another version.

Every transaction that scores holds a shared lock (`current`), and whoever changes the state of a version an
exclusive one: after a publish is committed, nothing is written any more that another version scored.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

State = Literal["draft", "shadow", "active", "retired"]
Action = Literal["drafted", "shadowed", "unshadowed", "published", "reverted"]
Lists = Mapping[str, frozenset[str]]

_LOCK_KEY: Final = 4_951_760_157  # any number that no other advisory lock has
_LOCK_SHARED: Final = f"SELECT pg_advisory_xact_lock_shared({_LOCK_KEY})"
_LOCK: Final = f"SELECT pg_advisory_xact_lock({_LOCK_KEY})"
# Longer than a frozen scorer can hold its transaction open (shared/database.py: 5 s idle in it).
_PATIENCE: Final = "SET LOCAL lock_timeout = '8s'"
_CURRENT: Final = "SELECT version, state, silent FROM scoring_models WHERE state IN ('active', 'shadow')"
_INSERT: Final = """
INSERT INTO scoring_models (sha256, name, content, lists, state) VALUES ($1, $2, $3, $4::jsonb, 'draft')
ON CONFLICT (sha256) DO NOTHING
RETURNING version
"""
_BY_CONTENT: Final = "SELECT version FROM scoring_models WHERE sha256 = $1"
_ACTIVE: Final = "SELECT version, content, lists FROM scoring_models WHERE state = 'active'"
_VERSION: Final = "SELECT version, content, lists FROM scoring_models WHERE version = $1"
_STATE_OF: Final = "SELECT state FROM scoring_models WHERE version = $1"
_LEAVE: Final = "UPDATE scoring_models SET state = $2 WHERE state = $1"
_ENTER: Final = "UPDATE scoring_models SET state = $2, silent = $3 WHERE version = $1"
_LOG: Final = """
INSERT INTO model_changes (version, action, silent, made_by, note) VALUES ($1, $2, $3, $4, $5)
"""
_ACTIVE_AT: Final = """
SELECT version FROM model_changes WHERE action IN ('published', 'reverted') AND at <= $1
ORDER BY change_id DESC LIMIT 1
"""
_BEFORE: Final = """
SELECT version FROM model_changes WHERE action IN ('published', 'reverted') AND version <> $1
ORDER BY change_id DESC LIMIT 1
"""
_CHANGES: Final = """
SELECT c.version, c.action, c.silent, c.made_by, c.note, c.at, m.name, m.state
FROM model_changes c JOIN scoring_models m USING (version) ORDER BY c.change_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A version as it is stored; `shared.scoring.model_file.load` makes the model of it."""

    version: int
    content: str
    lists: Lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """Which versions score now.

    silent:  what the active version's publish causes is not delivered
    shadow:  None if there is none
    """

    active: int
    silent: bool
    shadow: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who changes a model, and what they say about it."""

    name: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChange:
    """One line of the history: what was done with a version; `state` is what it is now."""

    version: int
    action: Action
    silent: bool | None
    made_by: str
    note: str
    at: datetime
    name: str
    state: State


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


async def changes(connection: Any) -> list[ModelChange]:
    """The history, oldest first."""
    return [ModelChange(**dict(row)) for row in await connection.fetch(_CHANGES)]


async def active(connection: Any) -> StoredModel | None:
    """The model that scores now, None before a scorer has started for the first time."""
    return _stored(await connection.fetchrow(_ACTIVE))


async def version(connection: Any, number: int) -> StoredModel | None:
    """The model of this version, None if there is none."""
    return _stored(await connection.fetchrow(_VERSION, number))


async def state_of(connection: Any, number: int) -> State | None:
    """The state of this version, None if there is no such version."""
    state: State | None = await connection.fetchval(_STATE_OF, number)
    return state


async def active_at(connection: Any, at: datetime) -> int | None:
    """The version that was active at this moment, None before the first."""
    number: int | None = await connection.fetchval(_ACTIVE_AT, at)
    return number


async def active_before(connection: Any, number: int) -> int | None:
    """The version that was last active before this one, None if there was none."""
    found: int | None = await connection.fetchval(_BEFORE, number)
    return found


def _stored(row: Any) -> StoredModel | None:
    if row is None:
        return None
    lists = {name: frozenset(entries) for name, entries in row["lists"].items()}
    return StoredModel(version=row["version"], content=row["content"], lists=lists)
