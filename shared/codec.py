"""Bytes ⇄ event: the only place that knows the wire format of `leads.events.v1`.

In: an `Event`, or bytes from Kafka or the events table. Out: the other one.
Refuses bytes that are not an event, with the field and what was expected (`Invalid`).

The body is JSON by msgspec; CloudEvents 1.0 attributes travel as Kafka headers (binary mode), so that
any CloudEvents tool can read the topic.
"""

import hashlib
from typing import Final

import msgspec

from shared.errors import Invalid
from shared.events import Event

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)
_all_decoder = msgspec.json.Decoder(list[Event])

_NOT_READABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def encode(event: Event) -> bytes:
    """The event as JSON bytes."""
    return _encoder.encode(event)


def decode(body: bytes) -> Event:
    """The event in these bytes.

    Raises Invalid (`not_an_event`) if they are not JSON or not an event; the message names the field.
    """
    try:
        event = _decoder.decode(body)
    except _NOT_READABLE as error:
        raise Invalid("not_an_event", f"not an event: {error}. Expected the envelope of schema 1") from error
    _check_zones(event)
    _check_years(event)
    return event


def decode_all(bodies: bytes) -> list[Event]:
    """The events in these bytes, which `encode` made, joined by commas: a quarter faster than one by one.

    Raises Invalid (`not_an_event`) as `decode` does; the message counts the events from 0.
    """
    try:
        events = _all_decoder.decode(b"[%b]" % bodies)
    except _NOT_READABLE as error:
        raise Invalid("not_an_event", f"not events: {error}. Expected the envelope of schema 1") from error
    for event in events:
        _check_zones(event)
    return events


def _check_zones(event: Event) -> None:
    if event.occurred_at.tzinfo is None or event.received_at.tzinfo is None:
        raise Invalid("not_an_event", "a time has no zone. Expected UTC, as in 2026-01-31T09:00:00Z")


def _check_years(event: Event) -> None:
    """Postgres calls the ends of the calendar infinite, and the driver gives those back without a zone.

    A lead with such a time could not be scored any more: each of its later events would be a dead letter.
    """
    if not (1 < event.occurred_at.year < 9999 and 1 < event.received_at.year < 9999):
        raise Invalid("not_an_event", "a time is at the end of the calendar. Expected a year from 2 to 9998")


def partition_key(event: Event) -> bytes:
    """The Kafka key: one person's events stay in one partition as far as their ids allow."""
    if event.user_id or event.anonymous_id:
        return f"{event.source}:{event.user_id or event.anonymous_id}".encode()
    digest = hashlib.sha256((event.email or str(event.event_id)).lower().encode()).hexdigest()
    return f"{event.source}:{digest[:32]}".encode()


def cloudevent_headers(event: Event) -> list[tuple[str, bytes]]:
    """CloudEvents attributes, binary mode, for the Kafka record of this event."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event.event_id).encode()),
        ("ce_source", f"/sources/{event.source}".encode()),
        ("ce_type", event.name.encode()),
        ("ce_time", event.occurred_at.isoformat().encode()),
        ("content-type", b"application/json"),
    ]
