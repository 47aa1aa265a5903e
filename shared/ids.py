"""The ids of our vocabulary and how each is made.

In: a sender's own ids, or nothing. Out: `EventId`, `LeadId`, `TransitionId`, `DeliveryId`, `AccountId`.
Refuses: random ids where a retry must give the same one (those are uuid5 of what identifies the thing).

UUIDv7 is made here and not in Postgres: we support Postgres 15, which has no `uuidv7()`.
"""

from typing import Final, NewType, Protocol
from uuid import UUID, uuid5

import uuid_utils

EventId = NewType("EventId", UUID)
LeadId = NewType("LeadId", UUID)
TransitionId = NewType("TransitionId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
AccountId = NewType("AccountId", UUID)

NOBODY: Final = LeadId(UUID(int=0))
"""The lead of events that are kept and belong to nobody."""

_NAMESPACE = UUID("6f0d3f52-8a55-5d7e-9d0c-6c6561647363")


class Ids(Protocol):
    """Where fresh ids come from; tests replace it with a counter."""

    def fresh(self) -> UUID:
        """A new id, sortable by time."""


class SystemIds:
    """Fresh ids as UUIDv7: time first, so that index pages fill in order."""

    def fresh(self) -> UUID:
        return UUID(bytes=uuid_utils.uuid7().bytes)


def event_id(source: str, message_id: str) -> EventId:
    """The id of an event whose sender named it: the same message gives the same id for ever."""
    return EventId(uuid5(_NAMESPACE, f"event\x1f{source}\x1f{message_id}"))


def transition_id(lead: LeadId, sequence: int) -> TransitionId:
    """The id of a lead's n-th stage transition."""
    return TransitionId(uuid5(_NAMESPACE, f"transition\x1f{lead}\x1f{sequence}"))


def delivery_id(transition: TransitionId, destination: str) -> DeliveryId:
    """The id of one transition on its way to one destination: stable over retries, crashes and replays."""
    return DeliveryId(uuid5(_NAMESPACE, f"delivery\x1f{transition}\x1f{destination}"))


def account_id(kind: str, name: str) -> AccountId:
    """The id of the account of this kind and name: whoever belongs to it finds the same one."""
    return AccountId(uuid5(_NAMESPACE, f"account\x1f{kind}\x1f{name}"))
