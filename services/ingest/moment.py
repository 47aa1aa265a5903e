"""When did it happen? The sender's clock, corrected by ours.

In: times as senders write them, and when we received them. Out: aware UTC datetimes.
Refuses times without a zone, before the year 2000, or that are no times.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from shared.errors import Invalid

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
MAX_SKEW: Final = timedelta(days=400)
"""A clock further off than this is not corrected.

However far off a clock is, a `sentAt` by the same clock makes the correction right. What looks the same and
is not: a request sent again, long after, with the `sentAt` of its first try (mobile libraries close a
batch's file, `sentAt` included, and may wait days for the network; requests are replayed from a log). Its
events come out late by as long as it waited, though never later than it arrived. No bound tells a clock
that is a month behind from a request that is a month old: this one takes devices that are wrong by a year,
and leaves older things where they were. What another collector passes on with its `receivedAt` (an archive,
a webhook) is corrected by that, so an import of history keeps its times.
"""

# Larger numbers are milliseconds: as seconds they would be after the year 5138.
SECONDS_BELOW: Final = 1e11


class Moment(NamedTuple):
    """When an event happened.

    trusted: false if the sender's clock was more than MAX_SKEW off, so that it was not corrected
    """

    at: datetime
    trusted: bool


def occurred(written: Any, sent: Any, received_at: datetime, collected: Any = None) -> Moment:
    """When the event happened: received_at - (sent - written), never after received_at.

        written:    the event's own time; nothing means now
        sent:       when the sender sent it, by the same clock; nothing, or nonsense, means no correction
        collected:  when another collector received it, if one did: takes the place of received_at

    Raises Invalid `invalid_time` if `written` is no usable time.
    """
    if written is None or written == "":
        return Moment(received_at, trusted=True)
    at = instant(written)
    skew = _skew(sent, collected or received_at)
    trusted = abs(skew) <= MAX_SKEW
    try:
        corrected = at + skew if trusted else at
    except OverflowError:
        corrected = at
    return Moment(min(corrected, received_at), trusted=trusted)


def instant(written: Any) -> datetime:
    """A time as senders write it: ISO 8601 with a zone, or seconds or milliseconds since 1970.

    Raises Invalid `invalid_time`.
    """
    try:
        at = _parsed(written)
    except (ValueError, OverflowError, OSError) as error:
        raise _not_a_time(written) from error
    if at is None or at < EARLIEST:
        raise _not_a_time(written)
    return at


def _parsed(written: Any) -> datetime | None:
    if isinstance(written, str):
        at = datetime.fromisoformat(written)
        if at.tzinfo is None:
            return None
        return at if at.tzinfo is UTC else at.astimezone(UTC)
    if isinstance(written, bool) or not isinstance(written, int | float):
        return None
    return datetime.fromtimestamp(written if written < SECONDS_BELOW else written / 1000, UTC)


def _skew(sent: Any, received: Any) -> timedelta:
    """How far the sender's clock is behind that of whoever received, transport included."""
    if not sent:
        return timedelta()
    try:
        return (received if isinstance(received, datetime) else instant(received)) - instant(sent)
    except Invalid:
        return timedelta()


def _not_a_time(written: Any) -> Invalid:
    seen = repr(written[:40]) if isinstance(written, str) else type(written).__name__
    return Invalid(
        "invalid_time",
        f"{seen} is no time since 2000 with a zone. Write it as 2026-01-31T09:00:00Z",
        field="timestamp",
    )
