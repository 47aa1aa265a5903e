"""accounts, account_members, account_transitions: who belongs where, and where accounts stand.

In: moves of people, accounts as they should be now. Out: what was stored before; the people are read by
shared/leads/store/accounts.py. Refuses two writers: whoever writes here holds the lock of `begin`.
Order of locks: accounts by id, after that of `begin`; no lead is locked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.ids import AccountId, LeadId
from shared.leads.account_of import AccountName
from shared.scoring.engine.accounts import AccountLook, Place

_LOCK_KEY: Final = 4_951_760_158  # any number that no other advisory lock has
_BEGIN: Final = f"""
SELECT pg_try_advisory_xact_lock({_LOCK_KEY})
  AND NOT EXISTS (SELECT FROM rescores WHERE finished_at IS NULL AND purpose = 'active')
"""  # noqa: S608 - the only inserted text is the constant above
_GONE: Final = """
SELECT lead_id FROM unnest($1::uuid[]) AS noted (lead_id)
WHERE NOT EXISTS (SELECT FROM leads l WHERE l.lead_id = noted.lead_id AND l.merged_into IS NULL)
UNION
SELECT lead_id FROM leads WHERE merged_into = ANY($1::uuid[])
"""
_HOME: Final = "SELECT lead_id, account_id FROM account_members WHERE lead_id = ANY($1::uuid[])"
_LEAVE: Final = "DELETE FROM account_members WHERE lead_id = ANY($1::uuid[])"
_JOIN: Final = """
INSERT INTO account_members (lead_id, account_id, last_act_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS n (lead_id, account_id, last_act_at)
ORDER BY lead_id
ON CONFLICT (lead_id) DO UPDATE SET account_id = EXCLUDED.account_id, last_act_at = EXCLUDED.last_act_at
"""
_ACT: Final = """
UPDATE account_members AS held SET last_act_at = n.last_act_at
FROM unnest($1::uuid[], $2::timestamptz[]) AS n (lead_id, last_act_at)
WHERE held.lead_id = n.lead_id AND (held.last_act_at IS NULL OR held.last_act_at < n.last_act_at)
"""
_FOUND: Final = """
INSERT INTO accounts (account_id, kind, name, since, scored_at, model_version)
SELECT account_id, kind, name, $4, $4, $5
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS n (account_id, kind, name)
ORDER BY account_id
ON CONFLICT (account_id) DO NOTHING
"""
# Those that another version judged last are due at once: so every account is looked at after a publish.
_DUE: Final = """
SELECT account_id FROM accounts
WHERE (due_at <= now() OR model_version < $1 OR model_version > $1) AND account_id <> ALL($2::uuid[])
LIMIT $3
"""
_LOCK: Final = """
SELECT account_id, stage, since, sequence, model_version FROM accounts
WHERE account_id = ANY($1::uuid[]) ORDER BY account_id FOR NO KEY UPDATE
"""
_WRITE: Final = """
UPDATE accounts a SET
  people = n.people, score = n.score, active_people = n.active_people, stage = n.stage, since = n.since,
  sequence = n.sequence, due_at = n.due_at, scored_at = $9, model_version = $10
FROM unnest(
  $1::uuid[], $2::int[], $3::int[], $4::int[], $5::text[], $6::timestamptz[], $7::int[], $8::timestamptz[]
) AS n (account_id, people, score, active_people, stage, since, sequence, due_at)
WHERE a.account_id = n.account_id
"""
_PASSED: Final = """
INSERT INTO account_transitions (
  account_id, sequence, previous_stage, stage, cause, at, score, active_people, model_version)
SELECT *, $9 FROM unnest(
  $1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::int[], $8::int[]) AS n
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Where an account stands, and which version judged it last."""

    place: Place
    model_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """An account after a look.

    people:  how many belong to it
    due_at:  when to look again though nobody did anything
    """

    account_id: AccountId
    people: int
    look: AccountLook
    due_at: datetime | None


async def begin(connection: Any) -> bool:
    """Whether this is the time, and we are the one: nobody else works on accounts until we have committed.

    While leads are scored anew after a publish, an account would add up scores of two versions.
    """
    ours: bool = await connection.fetchval(_BEGIN)
    return ours


async def gone(connection: Any, noted: Sequence[LeadId]) -> set[LeadId]:
    """Those of these leads that are no more, and those that were merged into one of them."""
    return {LeadId(row["lead_id"]) for row in await connection.fetch(_GONE, noted)}


async def homes(connection: Any, leads: Iterable[LeadId]) -> dict[LeadId, AccountId]:
    """The accounts that these leads belong to, as far as they do."""
    rows = await connection.fetch(_HOME, list(leads))
    return {LeadId(row["lead_id"]): AccountId(row["account_id"]) for row in rows}


async def leave(connection: Any, leads: Sequence[LeadId]) -> None:
    """These leads belong to no account any more."""
    if leads:
        await connection.execute(_LEAVE, leads)


async def join(connection: Any, joining: Mapping[LeadId, tuple[AccountId, datetime | None]]) -> None:
    """These leads belong to these accounts, and last did something at these moments.

    It may be earlier than the one stored: what a machine did was taken back, or another person was taken out.
    """
    if joining:
        await connection.execute(
            _JOIN,
            list(joining),
            [account for account, _ in joining.values()],
            [last_act_at for _, last_act_at in joining.values()],
        )


async def act(connection: Any, acted: Mapping[LeadId, datetime | None]) -> None:
    """These members did something at these moments; what is stored may be later, and then stays."""
    if acted:
        await connection.execute(_ACT, list(acted), list(acted.values()))


async def found(connection: Any, names: Iterable[AccountName], now: datetime, version: int) -> None:
    """Make those of these accounts that do not exist yet."""
    each = sorted(set(names))
    if each:
        await connection.execute(
            _FOUND,
            [name.account_id for name in each],
            [name.kind for name in each],
            [name.name for name in each],
            now,
            version,
        )


async def due(connection: Any, version: int, without: Iterable[AccountId], most: int) -> list[AccountId]:
    """Accounts whose time has come, or that another version judged last."""
    rows = await connection.fetch(_DUE, version, list(without), most)
    return [AccountId(row["account_id"]) for row in rows]


async def lock(connection: Any, accounts: Iterable[AccountId]) -> dict[AccountId, Present]:
    """Where these accounts stand, locked until the transaction ends."""
    return {
        AccountId(row["account_id"]): Present(
            place=Place(stage=row["stage"], since=row["since"], sequence=row["sequence"]),
            model_version=row["model_version"],
        )
        for row in await connection.fetch(_LOCK, list(accounts))
    }


async def write(connection: Any, looked: Sequence[Looked], now: datetime, version: int) -> None:
    """Write accounts as they are now, and the moves they made."""
    if not looked:
        return
    rows = [
        (
            one.account_id,
            one.people,
            one.look.numbers.score,
            one.look.numbers.active_people,
            one.look.place.stage,
            one.look.place.since,
            one.look.place.sequence,
            one.due_at,
        )
        for one in looked
    ]
    await connection.execute(_WRITE, *_columns(rows), now, version)
    moves = [
        (
            one.account_id,
            passed.sequence,
            passed.previous_stage,
            passed.stage,
            passed.cause,
            passed.at,
            one.look.numbers.score,
            one.look.numbers.active_people,
        )
        for one in looked
        if (passed := one.look.transition)
    ]
    if moves:
        await connection.execute(_PASSED, *_columns(moves), version)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
