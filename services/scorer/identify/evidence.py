"""What one event says about who did it (pure).

In: an event, the installation's rules. Out: `Evidence`: hashed identifiers, the strong apart from the weak.
Refuses placeholders: what senders write for nobody is no evidence.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from shared.events import OWN_NAMESPACE, Event, default_namespace
from shared.ids import EventId
from shared.leads.identifiers import Identifier, IdentityRules, is_address
from shared.scoring.engine.consent import OBJECTION_EVENTS


class Evidence(NamedTuple):
    """The identifiers that came with one event.

    at:        when it occurred
    strong:    the user id, then the addresses: they name a person
    previous:  an alias call's other user id
    weak:      anonymous ids: they name a device
    former:    the user id as releases before namespaces hashed it, where that is different
    unnamed:   the event is of before namespaces: then `former` was the same user's
    objection: the person objects, or takes that back: nobody's it must never be
    """

    event_id: EventId
    at: datetime
    strong: tuple[Identifier, ...]
    previous: Identifier | None
    weak: tuple[Identifier, ...]
    former: Identifier | None
    unnamed: bool = False
    objection: bool = False

    def all(self) -> Iterator[Identifier]:
        """Every identifier that may have an owner."""
        yield from self.strong
        yield from self.weak
        if self.previous:
            yield self.previous
        if self.former:
            yield self.former


def evidence(event: Event, rules: IdentityRules) -> Evidence:
    """What this event says about who did it."""
    device = rules.anonymous_id(event.anonymous_id) if event.anonymous_id else None
    weak = (device,) if device else ()
    objection = event.name in OBJECTION_EVENTS
    if not event.user_id and not event.previous_id:  # most events: no more than this
        address = rules.address(event.email) if event.email else None
        strong = (address,) if address else ()
        return Evidence(event.event_id, event.occurred_at, strong, None, weak, None, objection=objection)
    namespace = event.namespace or default_namespace(event.kind, event.source)
    user = rules.user_id(event.user_id, namespace) if event.user_id else None
    return Evidence(
        event_id=event.event_id,
        at=event.occurred_at,
        strong=_strong(event, user, rules),
        previous=_previous(event, namespace, rules) if user and event.previous_id else None,
        weak=_with_previous(weak, event, rules),
        former=_former(event.user_id or "", user, rules) if user else None,
        unnamed=event.namespace is None,
        objection=objection,
    )


def _with_previous(
    weak: tuple[Identifier, ...], event: Event, rules: IdentityRules
) -> tuple[Identifier, ...]:
    """An alias call's other id may be a device's as well."""
    previous = rules.anonymous_id(event.previous_id) if event.previous_id else None
    return (*weak, previous) if previous and previous not in weak else weak


def _strong(event: Event, user: Identifier | None, rules: IdentityRules) -> tuple[Identifier, ...]:
    """The user id, the address, and the address that a user id is."""
    address = rules.address(event.email) if event.email else None
    found = (user,) if user else ()
    if user and event.user_id and is_address(event.user_id):
        own = rules.address(event.user_id)
        return tuple(dict.fromkeys(one for one in (*found, address, own) if one))
    return (*found, address) if address else found


def _previous(event: Event, namespace: str, rules: IdentityRules) -> Identifier | None:
    """The user id that an alias call replaces. One that is the device's id names no user."""
    if not event.previous_id or event.previous_id in {event.anonymous_id, event.user_id}:
        return None
    return rules.user_id(event.previous_id, namespace)


def _former(user_id: str, user: Identifier, rules: IdentityRules) -> Identifier | None:
    if user.namespace == OWN_NAMESPACE and user_id.isascii() and not is_address(user_id):
        return None
    value = rules.hashed("user_id", user_id.strip())
    return Identifier("user_id", value, OWN_NAMESPACE) if value != user.value else None
