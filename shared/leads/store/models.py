"""Stored versions of the model, and the history of what was done with them.

In: a version's number, a moment, or nothing. Out: versions as stored; services/scorer/store/models.py writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

State = Literal["draft", "shadow", "active", "retired"]
Action = Literal["drafted", "shadowed", "unshadowed", "published", "reverted"]
Lists = Mapping[str, frozenset[str]]

_ACTIVE: Final = "SELECT version, content, lists FROM scoring_models WHERE state = 'active'"
_VERSION: Final = "SELECT version, content, lists FROM scoring_models WHERE version = $1"
_STATE_OF: Final = "SELECT state FROM scoring_models WHERE version = $1"
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
