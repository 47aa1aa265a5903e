"""scoring_models: every model that ever scored, immutable, with its version.

In: a model file's text. Out: its version. Refuses to change a version: another text is another version.
"""

import hashlib
from typing import Any, Final

_INSERT: Final = """
INSERT INTO scoring_models (sha256, name, content, state) VALUES ($1, $2, $3, 'draft')
ON CONFLICT (sha256) DO NOTHING
"""
_RETIRE_OTHERS: Final = "UPDATE scoring_models SET state = 'retired' WHERE state = 'active' AND sha256 <> $1"
_ACTIVATE: Final = "UPDATE scoring_models SET state = 'active' WHERE sha256 = $1 RETURNING version"


async def activate(connection: Any, name: str, content: str) -> int:
    """Make this text the active model and return its version: the same text has the same one for ever."""
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    await connection.execute(_INSERT, sha256, name, content)
    await connection.execute(_RETIRE_OTHERS, sha256)
    version: int = await connection.fetchval(_ACTIVATE, sha256)
    return version
