"""A lead's history → the events by which its person objects, or takes that back (pure).

In: counted events, the name by which somebody was asked for. Out: whom an objection may name; events for the
events topic. Refuses to know whose a name is now: an event's address may have stayed with somebody else.

An objection is an event like any other: it belongs to whom it names, also when people are merged or taken
apart later, and its order with all others is that of time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.events import PERSON_OBJECTED, PERSON_OBJECTION_WITHDRAWN, Event, default_namespace
from shared.ids import EventId, Ids
from shared.leads.identifiers import is_address

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


def names(history: Sequence[Event], who: str) -> list[Named]:
    """Whom an objection of this lead may name: who was asked for, then addresses, user ids, devices.

    Of each kind the newest first.

    who:  what the person was asked for by; if an event names it, the objection does
    """
    newest = history[::-1]
    found = [
        _as_asked(history, who),
        *(Named(email=event.email) for event in newest if event.email),
        *(Named(user_id=user_id, namespace=namespace) for user_id, namespace in _user_ids(newest)),
        *(Named(anonymous_id=event.anonymous_id) for event in newest if event.anonymous_id),
    ]
    return [named for named in dict.fromkeys(found) if named != Named()]


def objection(named: Named, said: Said, ids: Ids) -> list[Event]:
    """The event by which this person objects."""
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
