"""Which events of a batch are traced, and what a span says of one."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.scorer.count import Decoded
from services.scorer.traced import MOST, counting
from shared.errors import Invalid
from shared.events import Event
from shared.ids import EventId
from shared.kafka.stream import Received
from shared.traces.otel import Traces

AT = datetime(2026, 1, 1, tzinfo=UTC)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-01".encode()


def decoded(number: int, headers: Any, name: str = "page.viewed") -> Decoded:
    """A record with this event."""
    event = Event(
        event_id=EventId(UUID(int=number)),
        source="web",
        kind="web",
        name=name,
        occurred_at=AT,
        received_at=AT,
        user_id="somebody",
    )
    record = Received(partition=3, offset=number, timestamp_ms=0, key=b"k", value=b"", headers=tuple(headers))
    return Decoded(record=record, content=event)


@pytest.fixture
def kept() -> InMemorySpanExporter:
    """The spans that ended."""
    return InMemorySpanExporter()


@pytest.fixture
def traces(kept: InMemorySpanExporter) -> Traces:
    """Traces that begin none of their own."""
    return Traces("scorer", "http://127.0.0.1:9", 0, SimpleSpanProcessor(kept))


def test_only_traced_events_have_spans(traces: Traces, kept: InMemorySpanExporter) -> None:
    """Records without headers, with nonsense, or with a header that has no value are counted all the same."""
    letter = decoded(7, [("traceparent", SAMPLED)]).rejected(Invalid("not_an_event", "no event"))
    batch = [
        decoded(1, []),
        decoded(2, [("traceparent", b"\xff nonsense")]),
        decoded(3, [("traceparent", None)]),
        decoded(4, [("traceparent", SAMPLED[:-1] + b"0")]),
        decoded(5, [("ce_id", b"5"), ("traceparent", SAMPLED)]),
        decoded(6, [("traceparent", SAMPLED)], name="Order #4711 of Ada"),
        letter,
    ]
    with counting(traces, "leads.events.v1", batch) as contexts:
        assert set(contexts) == {UUID(int=5), UUID(int=6)}
        assert all(context.startswith(f"00-{TRACE}-") for context in contexts.values())
        assert kept.get_finished_spans() == ()
    first, second = kept.get_finished_spans()
    assert first.attributes is not None
    assert second.attributes is not None
    assert dict(first.attributes) == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": "leads.events.v1",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 5,
        "messaging.batch.message_count": 7,
        "leadscore.source": "web",
        "leadscore.event": "page.viewed",
    }
    assert second.attributes["leadscore.event"] == "other"


def test_a_batch_that_is_rolled_back_says_so(traces: Traces, kept: InMemorySpanExporter) -> None:
    """Its events are counted with another batch, in a span of its own."""
    with pytest.raises(RuntimeError), counting(traces, "t", [decoded(1, [("traceparent", SAMPLED)])]):
        raise RuntimeError
    (span,) = kept.get_finished_spans()
    assert span.status.description == "rolled_back"


def test_a_batch_has_so_many_spans_at_most(traces: Traces) -> None:
    """Whatever senders ask for."""
    batch = [decoded(number, [("traceparent", SAMPLED)]) for number in range(MOST + 5)]
    with counting(traces, "t", batch) as contexts:
        assert len(contexts) == MOST


def test_without_traces_headers_are_not_looked_at() -> None:
    """Nearly every installation, and every batch of it."""
    with counting(None, "t", [decoded(1, [("traceparent", SAMPLED)])]) as contexts:
        assert contexts == {}
