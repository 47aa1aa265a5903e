"""scoring_models: every model that ever scored, immutable, with its version.

In: a model file's text and the lists it names. Out: its version, or the model of a version.
Refuses to change a version: another text or another list is another version.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_INSERT: Final = """
INSERT INTO scoring_models (sha256, name, content, lists, state) VALUES ($1, $2, $3, $4::jsonb, 'draft')
ON CONFLICT (sha256) DO NOTHING
"""
_RETIRE_OTHERS: Final = "UPDATE scoring_models SET state = 'retired' WHERE state = 'active' AND sha256 <> $1"
_ACTIVATE: Final = "UPDATE scoring_models SET state = 'active' WHERE sha256 = $1 RETURNING version"
_ACTIVE: Final = "SELECT version, content, lists FROM scoring_models WHERE state = 'active'"
_VERSION: Final = "SELECT version, content, lists FROM scoring_models WHERE version = $1"

Lists = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A version as it is stored; `shared.scoring.model_file.load` makes the model of it."""

    version: int
    content: str
    lists: Lists


async def activate(connection: Any, name: str, content: str, lists: Lists) -> int:
    """Make this the active model and return its version: the same content has the same one for ever."""
    stored_lists = json.dumps({name: sorted(entries) for name, entries in sorted(lists.items())})
    sha256 = hashlib.sha256(f"{content}\x1f{stored_lists}".encode()).hexdigest()
    await connection.execute(_INSERT, sha256, name, content, stored_lists)
    await connection.execute(_RETIRE_OTHERS, sha256)
    version: int = await connection.fetchval(_ACTIVATE, sha256)
    return version


async def active(connection: Any) -> StoredModel | None:
    """The model that scores now, None before a scorer has started for the first time."""
    return _stored(await connection.fetchrow(_ACTIVE))


async def version(connection: Any, number: int) -> StoredModel | None:
    """The model of this version, None if there is none."""
    return _stored(await connection.fetchrow(_VERSION, number))


def _stored(row: Any) -> StoredModel | None:
    if row is None:
        return None
    lists = {name: frozenset(entries) for name, entries in row["lists"].items()}
    return StoredModel(version=row["version"], content=row["content"], lists=lists)
