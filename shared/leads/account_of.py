"""To which account does a person belong, and when did they last do something (pure).

In: a person's counted events, in order of time; the domains that belong to nobody's company. Out: the name of
the account, or None. Refuses to guess: a private address says nothing about where somebody works, so it
takes nobody out of an account either.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

from shared.events import EMAIL_BOUNCED, EMAIL_DELIVERED, Event
from shared.ids import AccountId, account_id
from shared.scoring.definition.conditions import fold_case

AccountKind = Literal["account_id", "domain"]

_NOT_THEIRS: Final = frozenset({EMAIL_DELIVERED, EMAIL_BOUNCED})


class AccountName(NamedTuple):
    """What an account is known by: an id that events gave, or the domain of business addresses."""

    kind: AccountKind
    name: str

    @property
    def account_id(self) -> AccountId:
        """The same name is the same account for ever."""
        return account_id(self.kind, self.name)


def account_of(history: Sequence[Event], private_domains: Collection[str]) -> AccountName | None:
    """The account that this person belongs to by now, None if no event says one.

    The newest event with an account id decides; without any, the newest with a business address.
    """
    if said := said_account(history):
        return said
    for event in reversed(history):
        if event.email and (domain := company_domain(event.email, private_domains)):
            return AccountName("domain", domain)
    return None


def said_account(history: Sequence[Event]) -> AccountName | None:
    """The account that the newest event with an account id names."""
    for event in reversed(history):
        if event.account_id and (name := account_id_text(event.account_id)):
            return AccountName("account_id", name)
    return None


def account_id_text(given: str) -> str:
    """An account id as it is stored; empty if it cannot be."""
    name = given.strip()
    return "" if "\0" in name else name


def company_domain(email: str, private_domains: Collection[str]) -> str:
    """The domain of a business address, in small letters; empty if the address is private or none.

    private_domains: folded, as lists are; the domain is not: straße.de and strasse.de are two companies
    """
    person, _, domain = email.rpartition("@")
    domain = domain.strip().lower().rstrip(".")
    if not person or "." not in domain or "\0" in domain or fold_case(domain) in private_domains:
        return ""
    return domain


def says_account(event: Event, private_domains: Collection[str]) -> bool:
    """Whether this event may say where the person belongs."""
    return bool(event.account_id or (event.email and company_domain(event.email, private_domains)))


def last_act(events: Iterable[Event]) -> datetime | None:
    """When the person last did something. What sales enter and what we send are no signs of life."""
    return max(
        (event.occurred_at for event in events if event.kind != "crm" and event.name not in _NOT_THEIRS),
        default=None,
    )
