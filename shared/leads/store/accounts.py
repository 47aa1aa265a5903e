"""Accounts as they are stored: where they stand, and their people.

In: account ids. Out: rows as values. Nothing is locked; services/scorer/store/accounts.py writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.ids import AccountId, LeadId
from shared.leads.store.present import decode_state
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.state import LeadState

# One look at an account costs as much as its people are many: of more than these, only those count that did
# something most recently.
MOST_PEOPLE: Final = 500

# OFFSET 0: one look at the index for each person. As a join, all leads were read while Postgres knew little
# of the members (measured: 120 ms for ten accounts instead of 1).
_PEOPLE: Final = """
SELECT m.account_id, m.people, l.lead_id, l.state, l.score, l.stage, m.last_act_at
FROM unnest($1::uuid[]) AS wanted (account_id)
CROSS JOIN LATERAL (
  SELECT a.account_id, a.lead_id, a.last_act_at, (count(*) OVER ())::int AS people
  FROM account_members a WHERE a.account_id = wanted.account_id
  ORDER BY a.last_act_at DESC NULLS LAST, a.lead_id LIMIT $2
) AS m
CROSS JOIN LATERAL (
  SELECT lead_id, state, score, stage FROM leads
  WHERE leads.lead_id = m.lead_id AND merged_into IS NULL OFFSET 0
) AS l
"""
_ACCOUNT: Final = "SELECT kind, name, stage, since FROM accounts WHERE account_id = $1"
_NAMED: Final = """
SELECT account_id FROM accounts
WHERE (kind = 'account_id' AND name = $1) OR (kind = 'domain' AND name = lower($1)) ORDER BY kind LIMIT 1
"""
_OF_LEAD: Final = "SELECT account_id FROM account_members WHERE lead_id = $1"
_PASSED: Final = """
SELECT at, previous_stage, stage, cause, score, active_people
FROM account_transitions WHERE account_id = $1 ORDER BY sequence
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPerson:
    """One person of an account: the lead as it was last written, and when they last did something."""

    lead_id: LeadId
    state: LeadState
    score: int
    stage: StageName
    last_act_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPeople:
    """The people of one account.

    number:   all of them
    looked_at:  those that did something most recently, at most 500
    """

    number: int = 0
    looked_at: tuple[StoredPerson, ...] = ()


async def people(connection: Any, accounts: Sequence[AccountId]) -> dict[AccountId, StoredPeople]:
    """The people of each of these accounts; an account without any is among them too."""
    found: dict[AccountId, list[StoredPerson]] = {account: [] for account in accounts}
    numbers: dict[AccountId, int] = {}
    for row in await connection.fetch(_PEOPLE, list(accounts), MOST_PEOPLE):
        account = AccountId(row["account_id"])
        numbers[account] = row["people"]
        found[account].append(
            StoredPerson(
                lead_id=LeadId(row["lead_id"]),
                state=decode_state(row["state"]),
                score=row["score"],
                stage=row["stage"],
                last_act_at=row["last_act_at"],
            )
        )
    return {
        account: StoredPeople(number=numbers.get(account, 0), looked_at=tuple(persons))
        for account, persons in found.items()
    }


async def account(connection: Any, account_id: AccountId) -> dict[str, Any]:
    """Kind, name, stage and since when, of an account that exists."""
    return dict(await connection.fetchrow(_ACCOUNT, account_id))


async def named(connection: Any, name: str) -> AccountId | None:
    """The account with this account id, or else this domain."""
    found: AccountId | None = await connection.fetchval(_NAMED, name)
    return found


async def of_lead(connection: Any, lead: LeadId) -> AccountId | None:
    """The account that this lead belongs to."""
    found: AccountId | None = await connection.fetchval(_OF_LEAD, lead)
    return found


async def transitions(connection: Any, account_id: AccountId) -> list[dict[str, Any]]:
    """Every move of this account, oldest first."""
    return [dict(row) for row in await connection.fetch(_PASSED, account_id)]
