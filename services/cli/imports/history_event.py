"""Draft of history → the event that ingest would have made of it, marked as imported (pure).

In: a draft, how it comes. Out: an `Event` whose id is the same however often and from whichever file it is
imported: of the source and the row's message id, else of the source and what the event says.
Refuses (`Invalid`) what ingest refuses.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from services.ingest.draft import Arrival, Draft
from services.ingest.registry import Source
from services.ingest.validate import validate
from shared import ids
from shared.events import Event, Imported
from shared.ids import EventId

_NO_ID: Final = EventId(UUID(int=0))
_content = msgspec.json.Encoder(order="deterministic")


class _NoIds:
    """Ids for events whose own is found afterwards."""

    def fresh(self) -> UUID:
        return _NO_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the rows come from, and what becomes of the moves they cause."""

    source: Source
    mark: Imported

    def arrival(self, now: datetime) -> Arrival:
        """How rows come: from the company itself, which may say what only its servers may."""
        return Arrival(source=replace(self.source, access="secret"), received_at=now, by_server=True)


def history_event(draft: Draft, origin: Origin, arrival: Arrival) -> Event:
    """The event that this draft is. Raises Invalid as ingest's `validate` does."""
    event = validate(draft, arrival, _NoIds())
    if event.event_id == _NO_ID:
        return msgspec.structs.replace(event, event_id=_by_content(event), imported=origin.mark)
    return msgspec.structs.replace(event, imported=origin.mark)


def _by_content(event: Event) -> EventId:
    """The id of an event without one: who, what and when, whatever file it stands in and when it is read."""
    said = msgspec.structs.replace(event, received_at=event.occurred_at)
    digest = hashlib.sha256(_content.encode(said)).hexdigest()
    return ids.event_id(event.source, f"content:{digest[:64]}")
