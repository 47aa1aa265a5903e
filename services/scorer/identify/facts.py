"""What is known about whose identifier is whose, as values.

Out: `Held` (a row of `identities`), `Facts` (of a lead), and what placing events decided: `Merge` and
`Conflict`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from shared.ids import EventId, LeadId
from shared.leads.identifiers import Identifier

Status = Literal["in_use", "reserved", "shared", "suspended"]
"""Of an identifier. reserved: known from an alias call only; shared: a device of too many people, whose
anonymous events go to nobody; suspended: it tied too many others together, so it names nobody for now."""

Reason = Literal["two_user_ids", "too_many_addresses", "kept_apart", "alias"]
"""Why two identifiers of one event stayed with two people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one person, one device and one identifier may have.

    addresses:          of one person; more belong to a broken sender or a shared account
    people_per_device:  in a day; more make it a shared device
    ties_per_hour:      new devices of one identifier, an address counts as ten; more suspend it
    """

    addresses: int = 25
    people_per_device: int = 4
    ties_per_hour: int = 100


class Recent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an identifier was used for lately.

    since:  when the day (of a device) or the hour (of an identifier of a person) began
    leads:  known people whom the device served in that day
    ties:   new devices and addresses in that hour
    """

    since: datetime
    leads: tuple[LeadId, ...] = ()
    ties: int = 0


class Held(NamedTuple):
    """An identifier and who has it.

    since:      when the event happened that gave it to this lead
    namespace:  None for one that was stored before there were namespaces
    """

    lead: LeadId
    since: datetime
    status: Status = "in_use"
    namespace: str | None = ""
    recent: Recent | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What decides about attaching and merging a lead.

    known:       it has a user id or an address
    namespaces:  in which it has a user id
    apart:       people decided that it is not a lead with the same number and the other letter: `12a`, `12b`
    """

    known: bool
    first_seen_at: datetime
    namespaces: frozenset[str] = frozenset()
    addresses: int = 0
    anonymous_ids: int = 0
    apart: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Two leads found to be one person."""

    winner: LeadId
    loser: LeadId
    cause: EventId


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two strong identifiers that one event named, and that stayed with two people.

    at: when the event happened
    """

    one: Identifier
    other: Identifier
    reason: Reason
    event: EventId
    at: datetime


def conflict(one: Facts, other: Facts, limits: Limits, alias: str = "") -> Reason | None:
    """Why these two may not become one lead, None if they may.

    alias: a namespace in which the two have user ids that an alias call made one
    """
    if (one.namespaces & other.namespaces) - {alias}:
        return "two_user_ids"
    if one.addresses + other.addresses > limits.addresses:
        return "too_many_addresses"
    return "kept_apart" if are_apart(one.apart, other.apart) else None


def are_apart(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether somebody decided that these are two people."""
    return bool(one and other) and any(_opposite(mark) in other for mark in one)


def _opposite(mark: str) -> str:
    return mark[:-1] + ("b" if mark[-1] == "a" else "a")
