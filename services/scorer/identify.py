"""Whose event is this? Identifiers in, one lead out (rules of identity, no I/O).

In: events and what the database knows about their identifiers. Out: for each event its lead, and what
has to be written: leads created, identifiers attached or moved, leads merged.
Refuses to merge two people who each have a user id: then the strongest identifier decides whose event it
is, and a shared cookie goes to the newest person without taking its history along.

Precedence of identifiers: user_id, then email, then anonymous_id.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from shared.events import Event
from shared.ids import EventId, LeadId
from shared.leads.identifiers import IdentifierKind, hash_identifier

# How many of each kind one person may have; more is a shared device or a broken sender.
LIMITS: Final[Mapping[IdentifierKind, int]] = {"user_id": 1, "email": 5, "anonymous_id": 50}

# Values that senders use for "nobody": as identifiers they would make one lead of everybody.
_NOBODY: Final = frozenset(
    {
        *("anonymous", "guest", "user", "nobody", "unknown", "null", "nil", "none", "undefined", "nan"),
        *("true", "false", "0", "-1", "id", "email", "distinct_id", "distinctid", "not_authenticated"),
        *("[object object]", "00000000-0000-0000-0000-000000000000"),
    }
)
# Mailboxes nobody reads. `info@` and `sales@` are not here: in small companies they are the contact.
_NOBODYS_MAILBOX: Final = (
    "noreply@",
    "no-reply@",
    "donotreply@",
    "do-not-reply@",
    "mailer-daemon@",
    "postmaster@",
)


class Identifier(NamedTuple):
    """One identifier, hashed: identities outlive what may be read in them."""

    kind: IdentifierKind
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decides about attaching and merging a lead."""

    known: bool
    first_seen_at: datetime
    counts: Mapping[IdentifierKind, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Two leads found to be one person."""

    winner: LeadId
    loser: LeadId
    cause: EventId


def identifiers(event: Event, key: bytes) -> list[Identifier]:
    """The usable identifiers of an event, strongest first.

    key: secret of at least 16 bytes; without it nobody can test whether an address is among the hashes
    """
    raw: list[tuple[IdentifierKind, str | None]] = [
        ("user_id", event.user_id),
        ("email", event.email and event.email.lower()),
        ("anonymous_id", event.anonymous_id),
        ("anonymous_id", event.previous_id),
    ]
    return [
        Identifier(kind, hash_identifier(kind, value, key))
        for kind, value in raw
        if value and not _is_nobody(value)
    ]


@dataclass(slots=True)
class Picture:
    """What is known about identifiers and leads while one batch is placed; grows with each event.

        owners:  identifier → lead, as the database has it (leads locked by us)
        facts:   of every lead in `owners`
        fresh:   makes the id of a new lead

    After all events are placed it tells what to write: `created`, `attached`, `moved`, `merges`.
    """

    owners: dict[Identifier, LeadId]
    facts: dict[LeadId, Facts]
    fresh: Callable[[], LeadId]
    created: list[LeadId] = field(default_factory=list)
    attached: dict[Identifier, LeadId] = field(default_factory=dict)
    moved: dict[Identifier, LeadId] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)
    refused: int = 0
    _into: dict[LeadId, LeadId] = field(default_factory=dict)

    def place(self, event: Event, ids: list[Identifier]) -> LeadId:
        """The lead this event belongs to; `final` says where it ended after later merges."""
        owners = self._owners(ids)
        lead = self._settle_on_one(event, owners, ids) if owners else self._create(event)
        self._give(lead, ids)
        return lead

    def place_quarantined(self, event: Event, ids: list[Identifier]) -> LeadId:
        """The lead that keeps a quarantined event: what a machine did merges nobody and moves no cookie."""
        owners = self._owners(ids)
        if owners:
            return owners[0]
        lead = self._create(event)
        self._give(lead, ids)
        return lead

    def final(self, lead: LeadId) -> LeadId:
        """Where a lead ended after all merges of this batch."""
        while lead in self._into:
            lead = self._into[lead]
        return lead

    def _owners(self, ids: Iterable[Identifier]) -> list[LeadId]:
        """The leads these identifiers belong to, in order of the identifiers' strength."""
        return list(dict.fromkeys(self.owners[one] for one in ids if one in self.owners))

    def _create(self, event: Event) -> LeadId:
        lead = self.fresh()
        self.created.append(lead)
        self.facts[lead] = Facts(known=False, first_seen_at=event.occurred_at, counts={})
        return lead

    def _settle_on_one(self, event: Event, owners: list[LeadId], ids: list[Identifier]) -> LeadId:
        """Merge the owners as far as that is allowed; the strongest identifier's lead gets the event."""
        lead = owners[0]
        if self._is_somebody_else(lead, ids):
            lead = self._create(event)
            self._give(lead, [one for one in ids if one.kind == "user_id"])
        for other in owners:
            if other == lead:
                continue
            if self._may_merge(lead, other):
                lead = self._merge(lead, other, event.event_id)
            else:
                self.refused += 1
        return lead

    def _is_somebody_else(self, lead: LeadId, ids: list[Identifier]) -> bool:
        """Whether the event names a user id that is new while this lead already has another."""
        new_user = any(one.kind == "user_id" and one not in self.owners for one in ids)
        return new_user and self.facts[lead].counts.get("user_id", 0) >= LIMITS["user_id"]

    def _may_merge(self, one: LeadId, other: LeadId) -> bool:
        a, b = self.facts[one].counts, self.facts[other].counts
        return all(a.get(kind, 0) + b.get(kind, 0) <= limit for kind, limit in LIMITS.items())

    def _merge(self, one: LeadId, other: LeadId, cause: EventId) -> LeadId:
        winner, loser = sorted((one, other), key=self._seniority)
        a, b = self.facts[winner], self.facts[loser]
        self.facts[winner] = Facts(
            known=a.known or b.known,
            first_seen_at=min(a.first_seen_at, b.first_seen_at),
            counts={kind: a.counts.get(kind, 0) + b.counts.get(kind, 0) for kind in LIMITS},
        )
        for mapping in (self.owners, self.attached, self.moved):
            for identifier, owner in mapping.items():
                if owner == loser:
                    mapping[identifier] = winner
        self._into[loser] = winner
        self.merges.append(Merge(winner=winner, loser=loser, cause=cause))
        return winner

    def _seniority(self, lead: LeadId) -> tuple[bool, datetime, LeadId]:
        facts = self.facts[lead]
        return (not facts.known, facts.first_seen_at, lead)

    def _give(self, lead: LeadId, ids: list[Identifier]) -> None:
        """Attach what is new within the limits; move a shared cookie to whom it serves now."""
        for identifier in ids:
            owner = self.owners.get(identifier)
            if owner == lead or (owner is not None and identifier.kind != "anonymous_id"):
                continue
            counts = dict(self.facts[lead].counts)
            if counts.get(identifier.kind, 0) >= LIMITS[identifier.kind]:
                self.refused += 1
                continue
            counts[identifier.kind] = counts.get(identifier.kind, 0) + 1
            self.facts[lead] = replace(
                self.facts[lead],
                counts=counts,
                known=self.facts[lead].known or identifier.kind != "anonymous_id",
            )
            if owner is not None:
                self._take(owner, identifier)
            self._record(identifier, lead, moved=owner is not None)

    def _take(self, owner: LeadId, identifier: Identifier) -> None:
        counts = dict(self.facts[owner].counts)
        counts[identifier.kind] = max(0, counts.get(identifier.kind, 0) - 1)
        self.facts[owner] = replace(self.facts[owner], counts=counts)

    def _record(self, identifier: Identifier, lead: LeadId, *, moved: bool) -> None:
        self.owners[identifier] = lead
        if moved and identifier not in self.attached:
            self.moved[identifier] = lead
        else:
            self.attached[identifier] = lead


def _is_nobody(value: str) -> bool:
    lowered = value.strip().strip("\"'").lower()
    return not lowered or lowered in _NOBODY or lowered.startswith(_NOBODYS_MAILBOX)
