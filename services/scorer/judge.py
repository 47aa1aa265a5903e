"""Did a person do this? A first, honest answer.

In: an event. Out: why it must not count, or None. Refuses to drop anything: a quarantined event is
stored with its reason and can be released (it is then folded like a late one).

Today it believes the marks that senders and ingest set (`machine`); patterns over several events
(link scanners, bursts) come on top and keep this signature.
"""

from shared.events import Event


def quarantine_reason(event: Event) -> str | None:
    """The reason this event stays out of the score, None if it counts."""
    return event.machine.reason if event.machine else None
