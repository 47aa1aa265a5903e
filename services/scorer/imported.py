"""Which leads moved only because history was imported (pure).

In: the events of a batch that count, by lead. Out: leads whose moves are recorded and delivered to nobody.
Refuses to be silent about a lead that did anything itself, however much of its history comes with it.
"""

from collections.abc import Collection, Mapping, Sequence

from shared.events import Event
from shared.ids import LeadId


def moved_silently(counted: Mapping[LeadId, Sequence[Event]]) -> Collection[LeadId]:
    """The leads of whom every new event is imported, silently."""
    return {lead for lead, events in counted.items() if all(event.imported == "silent" for event in events)}
