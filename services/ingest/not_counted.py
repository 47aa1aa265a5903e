"""Accepted events that a user agent keeps from being counted, as their sender is told.

In: what one request became. Out: a `NotCounted` for each such event, ten at most, with what would help.
Refuses to tell of other marks: who fills a trap, or drives a browser by remote control, should not learn that
it shows.
"""

from typing import Final

import msgspec

from services.ingest import machine
from services.ingest.publish import Parcel
from services.ingest.registry import Form, Source
from shared.events import FORM_SUBMITTED, Event

MOST_TOLD: Final = 10

_MOST_SHOWN_CHARS: Final = 80


class NotCounted(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted event that the scorer will keep and not count.

    index:   position in its batch, counted from 0
    reason:  as in the event's `machine`
    """

    index: int
    reason: str
    message: str


def not_counted(parcel: Parcel) -> list[NotCounted]:
    """What to tell about these accepted events; nothing where no user agent marked one."""
    marked = [
        (at, event)
        for at, event in enumerate(parcel.accepted)
        if event.machine is not None and event.machine.reason == machine.USER_AGENT
    ]
    if not marked:
        return []
    indexes = _indexes(parcel)
    return [
        NotCounted(index=indexes[at], reason=machine.USER_AGENT, message=_message(event, parcel.source))
        for at, event in marked[:MOST_TOLD]
    ]


def _indexes(parcel: Parcel) -> list[int]:
    """Where each accepted event stood in its batch: wherever nothing was rejected."""
    rejected = {rejection.index for rejection in parcel.rejected}
    return [at for at in range(len(parcel.accepted) + len(parcel.rejected)) if at not in rejected]


def _message(event: Event, source: Source) -> str:
    agent = str(event.context.get("user_agent", ""))
    form = _form(event, source)
    return f'kept, but not counted: the user agent "{agent[:_MOST_SHOWN_CHARS]}" is {_remedy(agent, form)}'


def _remedy(agent: str, form: Form | None) -> str:
    place = "context.userAgent" if form is None else "the User-Agent header"
    if machine.announced(agent) == "crawler":
        return f"a crawler's. If a person did this, send their browser's as {place}"
    if form is None:
        return f"a program's. Use the key of a secret source, or send the person's browser as {place}"
    setting = f'"server: true" at form "{form.id}" in sources.yaml'
    return f"a program's. If a server of yours sends this form, write {setting}"


def _form(event: Event, source: Source) -> Form | None:
    """The form that was submitted; None for any other event."""
    name = event.properties.get("form") if event.name == FORM_SUBMITTED else None
    return next((form for form in source.forms if form.id == name), None)
