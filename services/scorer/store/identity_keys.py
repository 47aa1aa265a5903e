"""Under which keys the stored identifiers are hashed, and bringing them under another one.

In: `IdentityRules`. Out: rows. Refuses a key that does not follow the one in use: everybody would be a
stranger. Everything is rewritten in one transaction, in which nobody scores; each that scores compares
the fingerprint (models/in_force.py), so that a process with the older keys writes nothing afterwards.
"""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer.store import models
from shared.database import transaction
from shared.errors import Invalid
from shared.leads.identifiers import IdentityRules, wrapped
from shared.leads.identity_settings import other_keys

PORTION: Final = 5_000

_ENSURE: Final = "INSERT INTO identity_keys (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING"
_STORED: Final = "SELECT fingerprint FROM identity_keys"
_CHANGE: Final = "UPDATE identity_keys SET fingerprint = $1, since = now()"
# Whoever waits for us tries again; nobody is to end us for it.
_PATIENCE: Final = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # Each portion by the index: a hash join would read the whole table for every one.
    "SET LOCAL enable_hashjoin = off",
    "SET LOCAL enable_mergejoin = off",
)
_IDENTITIES: Final = "SELECT kind, value FROM identities"
_SET_IDENTITIES: Final = """
UPDATE identities i SET value = n.fresh
FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS n (kind, value, fresh)
WHERE i.kind = n.kind AND i.value = n.value
"""
_CLICKS: Final = "SELECT event_id, domain, recipient FROM domain_clicks"
_SET_CLICKS: Final = """
UPDATE domain_clicks c SET domain = n.domain, recipient = n.recipient
FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS n (event_id, domain, recipient)
WHERE c.event_id = n.event_id
"""
_CONFLICTS: Final = """
DELETE FROM identity_conflicts RETURNING one_kind, one_value, one_namespace, other_kind, other_value,
  other_namespace, reason, event_id, at, noticed_at
"""
_PUT_CONFLICT: Final = "INSERT INTO identity_conflicts VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_DECISIONS: Final = "SELECT decision_id, one, other FROM identity_decisions"
_SET_DECISION: Final = """
UPDATE identity_decisions SET one = $2::jsonb, other = $3::jsonb, members = $4 WHERE decision_id = $1
"""
_MERGES: Final = "SELECT merge_id, moved_identities FROM lead_merges WHERE moved_identities <> '[]'::jsonb"
_SET_MERGES: Final = """
UPDATE lead_merges m SET moved_identities = n.fresh::jsonb
FROM unnest($1::bigint[], $2::text[]) AS n (merge_id, fresh) WHERE m.merge_id = n.merge_id
"""

Rewrite = Callable[[bytes], bytes]


async def ensure(database: AsyncEngine, rules: IdentityRules) -> None:
    """Note the keys of a new installation, or of one from before they were noted.

    Raises Misconfigured if others are noted.
    """
    async with transaction(database) as connection:
        await connection.execute(_ENSURE, rules.fingerprint)
        if await connection.fetchval(_STORED) != rules.fingerprint:
            raise other_keys()


async def rotate(connection: Any, rules: IdentityRules) -> int:
    """Bring all stored identifiers under the newest of these keys; returns how many, 0 if they are already.

    A database from before several changes, such as a dump of long ago, is brought through all of them.
    Raises Invalid: `other_keys` if it was not written with the oldest of these keys, and those that came
    next; `old_key` if a key comes twice.
    """
    for statement in _PATIENCE:
        await connection.execute(statement)
    await models.hold(connection)
    stored = await connection.fetchval(_STORED)
    if stored == rules.fingerprint:
        return 0
    missing = _keys_after(stored, rules)
    if not missing:
        raise Invalid("other_keys", _OTHER_KEYS)
    if len({rules.key, *rules.later}) <= len(rules.later):
        raise Invalid("old_key", _OLD_KEY)

    def rewrite(value: bytes) -> bytes:
        return wrapped(value, missing)

    number = await _identities(connection, rewrite)
    await _clicks(connection, rewrite)
    await _conflicts(connection, rewrite)
    await _decisions(connection, rewrite)
    await _merges(connection, rewrite)
    await connection.execute(_CHANGE, rules.fingerprint)
    return number


def _keys_after(stored: bytes, rules: IdentityRules) -> tuple[bytes, ...]:
    """The keys that came after those of this fingerprint; none if it is of other keys."""
    for known in range(len(rules.later)):
        if replace(rules, later=rules.later[:known]).fingerprint == stored:
            return rules.later[known:]
    return ()


_OTHER_KEYS: Final = (
    "the keys before LEADSCORE_IDENTITY_KEY are not those with which this database was written: "
    "LEADSCORE_IDENTITY_KEYS_BEFORE has to begin with the key that scorers use now"
)
_OLD_KEY: Final = (
    "LEADSCORE_IDENTITY_KEY is one of the keys in LEADSCORE_IDENTITY_KEYS_BEFORE. "
    "`leadscore keys new` makes a new one"
)


async def _identities(connection: Any, rewrite: Rewrite) -> int:
    number = 0
    async for rows in _portions(connection, _IDENTITIES):
        kinds, values = [row["kind"] for row in rows], [row["value"] for row in rows]
        await connection.execute(_SET_IDENTITIES, kinds, values, [rewrite(value) for value in values])
        number += len(rows)
    return number


async def _clicks(connection: Any, rewrite: Rewrite) -> None:
    async for rows in _portions(connection, _CLICKS):
        await connection.execute(
            _SET_CLICKS,
            [row["event_id"] for row in rows],
            [rewrite(row["domain"]) for row in rows],
            [rewrite(row["recipient"]) for row in rows],
        )


async def _conflicts(connection: Any, rewrite: Rewrite) -> None:
    """The smaller side is the first one (identify/picture.py), and another one may be the smaller now."""
    for row in await connection.fetch(_CONFLICTS):
        one, other = sorted(
            (row[f"{side}_kind"], rewrite(row[f"{side}_value"]), row[f"{side}_namespace"])
            for side in ("one", "other")
        )
        rest = (row["reason"], row["event_id"], row["at"], row["noticed_at"])
        await connection.execute(_PUT_CONFLICT, *one, *other, *rest)


async def _decisions(connection: Any, rewrite: Rewrite) -> None:
    for row in await connection.fetch(_DECISIONS):
        one, other = (_rewritten(row[side], rewrite) for side in ("one", "other"))
        members = [bytes.fromhex(each["value"]) for each in (*one, *other)]
        await connection.execute(
            _SET_DECISION, row["decision_id"], json.dumps(one), json.dumps(other), members
        )


async def _merges(connection: Any, rewrite: Rewrite) -> None:
    """Also of merges that were undone: no hash under the older key is left."""
    async for rows in _portions(connection, _MERGES):
        fresh = [json.dumps(_rewritten(row["moved_identities"], rewrite)) for row in rows]
        await connection.execute(_SET_MERGES, [row["merge_id"] for row in rows], fresh)


def _rewritten(listed: Sequence[dict[str, Any]], rewrite: Rewrite) -> list[dict[str, Any]]:
    """Identifiers as JSON has them."""
    return [{**each, "value": rewrite(bytes.fromhex(each["value"])).hex()} for each in listed]


async def _portions(connection: Any, sql: str) -> AsyncIterator[Sequence[Any]]:
    """The rows of a query as of now, some at a time; what is changed meanwhile is not seen."""
    cursor = await connection.cursor(sql)
    while rows := await cursor.fetch(PORTION):
        yield rows
