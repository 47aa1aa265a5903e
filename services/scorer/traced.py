"""A traced event's step through the scorer: one span each, as long as the batch that counts it.

In: a batch. Out: event id → the context of its span, which goes into the transitions that it causes.
Refuses to trace what ingest did not: untraced events, which are nearly all, cost a look at their headers, and
only where traces are on. No more than 100 of a batch are traced, whatever senders ask for.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from services.scorer.count import Decoded
from shared import events
from shared.errors import Invalid
from shared.events import Event
from shared.ids import EventId
from shared.traces import TRACEPARENT

if TYPE_CHECKING:
    from shared.traces.otel import Span, Traces

MOST: Final = 100

# A track call's name is whatever its sender wrote; those of ours are a closed set.
OURS: Final = frozenset(
    value
    for name, value in vars(events).items()
    if name.isupper() and isinstance(value, str) and "." in value
)
OTHER: Final = "other"

Contexts = Mapping[EventId, str]
NONE: Final[Contexts] = {}


@contextmanager
def counting(traces: "Traces | None", topic: str, batch: Sequence[Decoded]) -> Iterator[Contexts]:
    """The spans of this batch while it is counted; a batch that is rolled back says why."""
    spans = {} if traces is None else _begun(traces, topic, batch)
    failed = "rolled_back"
    try:
        yield {event: span.traceparent for event, span in spans.items()} if spans else NONE
        failed = ""
    finally:
        for span in spans.values():
            span.end({}, failed=failed)


def _begun(traces: "Traces", topic: str, batch: Sequence[Decoded]) -> dict[EventId, "Span"]:
    spans: dict[EventId, Span] = {}
    for one in batch:
        parent = _parent(one)
        if parent and isinstance(one.content, Event) and len(spans) < MOST:
            span = traces.follow(f"process {topic}", "consumer", parent, _attributes(one, topic, len(batch)))
            if span is not None:
                spans[one.content.event_id] = span
    return spans


def _parent(one: Decoded) -> str:
    """What the record says of its trace; other producers write anything, and headers without a value."""
    if isinstance(one.content, Invalid):
        return ""
    found = next((value for name, value in one.record.headers if name == TRACEPARENT), b"")
    return (found or b"").decode("latin-1")


def _attributes(one: Decoded, topic: str, records: int) -> dict[str, Any]:
    assert isinstance(one.content, Event)
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(one.record.partition),
        "messaging.kafka.offset": one.record.offset,
        "messaging.batch.message_count": records,
        "leadscore.source": one.content.source,
        "leadscore.event": one.content.name if one.content.name in OURS else OTHER,
    }
