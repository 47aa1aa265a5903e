"""What the sender or ingest says of one event by itself: the mark in its `machine` (pure).

In: an event. Out: why it must not count, or None. Refuses to drop anything: a quarantined event is stored
with its reason and can be released. What several events say together: verdicts.py.
"""

from shared.events import Event


def quarantine_reason(event: Event) -> str | None:
    """The reason this event stays out of the score, None if it counts."""
    return event.machine.reason if event.machine else None
