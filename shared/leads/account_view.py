"""An account's name, or a person's address → everything there is to say about that account now.

In: an account id, a domain, or an e-mail address with the rules of identity. Out: `AccountView`, scored now.
Refuses to write, and to repeat more of a person than their address.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.errors import Invalid
from shared.ids import AccountId
from shared.leads.account_people import members
from shared.leads.find import find as find_lead
from shared.leads.identifiers import IdentityRules
from shared.leads.store import accounts as stored
from shared.leads.store import models as stored_models
from shared.leads.store.accounts import StoredPerson
from shared.scoring.definition.accounts import Accounts
from shared.scoring.engine.accounts import Member, is_active, numbers_of
from shared.scoring.file.read import load_model


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """One account at one moment.

    kind:         account_id, or domain
    people_count: all of them; `people` those that did something most recently, at most 500
    people:       the highest score first: lead, email, stage, score, last_act_at, active
    transitions:  every move, oldest first: at, previous_stage, stage, cause, score, active_people
    """

    account: AccountId
    kind: str
    name: str
    at: datetime
    score: int
    active_people: int
    active_days: float
    stage: str
    since: datetime
    model_version: int
    people_count: int
    people: list[dict[str, Any]]
    transitions: list[dict[str, Any]]


async def view(connection: Any, who: str, rules: Callable[[], IdentityRules]) -> AccountView:
    """The account with this id or domain, or the one that the person with this address belongs to.

        rules:  gives the rules of identity; asked for only if `who` is an address

    Raises Invalid: `no_such_account`, `no_such_lead`; `no_accounts` if the model has none.
    """
    active = await stored_models.active(connection)
    model = active and load_model(active.content, file=f"version {active.version}", lists=active.lists)
    if not (active and model and model.accounts):
        raise Invalid(
            "no_accounts", "the active model has no accounts. Add the section accounts: and publish it"
        )
    account = await _find(connection, who, rules)
    present = await stored.account(connection, account)
    now: datetime = await connection.fetchval("SELECT now()")
    found = (await stored.people(connection, [account]))[account]
    accounts, everybody = model.accounts, members(model, found.looked_at, now)
    numbers = numbers_of(accounts, everybody, now)
    persons = {person.lead_id: person for person in found.looked_at}
    everybody.sort(key=lambda member: (-member.score, member.lead_id))
    return AccountView(
        account=account,
        at=now,
        score=numbers.score,
        active_people=numbers.active_people,
        active_days=accounts.active_within_s / 86_400,
        model_version=active.version,
        people_count=found.number,
        people=[_line(accounts, member, persons[member.lead_id], now) for member in everybody],
        transitions=await stored.transitions(connection, account),
        **present,
    )


async def _find(connection: Any, who: str, rules: Callable[[], IdentityRules]) -> AccountId:
    """The account that is meant; an account id wins over a domain that is spelled alike."""
    if "@" in who:
        lead = await find_lead(connection, who, rules())
        account = await stored.of_lead(connection, lead)
        if account is None:
            raise Invalid("no_such_account", f"{who} belongs to no account. A private address makes none")
        return account
    account = await stored.named(connection, who.strip())
    if account is None:
        raise Invalid(
            "no_such_account",
            f"there is no account {who}. Give an account id as it was sent, a domain, or a person's address",
        )
    return account


def _line(accounts: Accounts, member: Member, person: StoredPerson, now: datetime) -> dict[str, Any]:
    email = person.state.attributes.get("email")
    return {
        "lead": member.lead_id,
        "email": email.value if email else None,
        "stage": member.stage,
        "score": member.score,
        "last_act_at": member.last_act_at,
        "active": is_active(accounts, member, now),
    }
