"""A lead's history → the events by which its person objects, or takes that back (pure).

In: counted events, the name by which somebody was asked for. Out: events for the events topic; whether the
person objects. Refuses (`Invalid`) a lead that no identifier of its history names.

An objection is an event like any other: it belongs to whom it names, also when people are merged or taken
apart later, and its order with all others is that of time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.errors import Invalid
from shared.events import PERSON_OBJECTED, PERSON_OBJECTION_WITHDRAWN, Event, default_namespace
from shared.ids import EventId, Ids
from shared.leads.identifiers import is_address
from shared.leads.portrait import portrait

SOURCE: Final = "leadscore"
"""The source of what somebody decides at the terminal"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Whom an event names."""

    user_id: str | None = None
    namespace: str | None = None
    email: str | None = None
    anonymous_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Who decides, and what they say about it."""

    by: str
    note: str
    at: datetime


def objection(history: Sequence[Event], who: str, said: Said, ids: Ids) -> list[Event]:
    """The event by which this person objects.

    who:  what the person was asked for by; if an event names it, the objection does

    Raises Invalid (`nobody_named`).
    """
    named = _as_asked(history, who)
    if named == Named():
        named = _strongest(history)
    if named == Named():
        raise Invalid("nobody_named", f"no event says who {who} is. Give an address, or an id as it was sent")
    return [_event(PERSON_OBJECTED, named, said, ids)]


def withdrawal(history: Sequence[Event], said: Said, ids: Ids) -> list[Event]:
    """The events that take back every objection of this history: each names whom the objection named."""
    objected = [_named(event) for event in history if event.name == PERSON_OBJECTED]
    different = [named for position, named in enumerate(objected) if named not in objected[:position]]
    return [_event(PERSON_OBJECTION_WITHDRAWN, named, said, ids) for named in different]


def _event(name: str, named: Named, said: Said, ids: Ids) -> Event:
    return Event(
        event_id=EventId(ids.fresh()),
        source=SOURCE,
        kind="crm",
        name=name,
        occurred_at=said.at,
        received_at=said.at,
        user_id=named.user_id,
        namespace=named.namespace,
        email=named.email,
        anonymous_id=named.anonymous_id,
        properties={"by": said.by, "note": said.note},
    )


def _named(event: Event) -> Named:
    return Named(
        user_id=event.user_id,
        namespace=event.namespace,
        email=event.email,
        anonymous_id=event.anonymous_id,
    )


def _as_asked(history: Sequence[Event], who: str) -> Named:
    """What an event says literally, or an address in whatever spelling."""
    for user_id, namespace in _user_ids(history):
        if who in {user_id, f"{namespace}:{user_id}"}:
            return Named(user_id=user_id, namespace=namespace)
    return Named(email=who) if is_address(who) else Named()


def _user_ids(history: Sequence[Event]) -> Iterator[tuple[str, str]]:
    for event in history:
        if event.user_id:
            yield event.user_id, event.namespace or default_namespace(event.kind, event.source)


def _strongest(history: Sequence[Event]) -> Named:
    """An address, else a user id, else a device."""
    person = portrait(history).person
    if person.get("email"):
        return Named(email=person["email"])
    for namespace, user_id in person["ids"].items():
        return Named(user_id=user_id, namespace=namespace)
    return Named(anonymous_id=person.get("anonymous_id"))
