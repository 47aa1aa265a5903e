"""Spans, by OpenTelemetry's SDK; the only module that imports it.

In: names and values from closed sets, contexts as `traceparent`. Out: spans, sent in the background as OTLP
over HTTP. Refuses to hold anything up: what the collector does not take in time is dropped, as is what is
above 2,048 waiting spans.

Nothing is made global: FastAPI, which looks for a global provider, makes no spans of its own.
"""

import asyncio
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Final, Literal

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.traces import TRACEPARENT

Kind = Literal["server", "producer", "consumer", "internal", "client"]
Attributes = Mapping[str, str | int]

_STOP_S: Final = 2.0
_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
    "client": SpanKind.CLIENT,
}
_propagator: Final = TraceContextTextMapPropagator()


class Span:
    """One step of a trace that is kept.

    traceparent: its context, for whoever comes next
    """

    __slots__ = ("_span", "_tracer", "traceparent")

    def __init__(self, tracer: Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def child(self, name: str, kind: Kind, attributes: Attributes) -> "Span":
        """A step within this one."""
        within = trace.set_span_in_context(self._span)
        span = self._tracer.start_span(name, within, kind=_KINDS[kind], attributes=attributes)
        return Span(self._tracer, span)

    def end(self, attributes: Attributes, *, name: str = "", failed: str = "") -> None:
        """It is over.

        name:    its name, where only its end told
        failed:  why it failed, from a closed set; empty if it did not
        """
        if name:
            self._span.update_name(name)
        self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(Status(StatusCode.ERROR, failed))
        self._span.end()


class Traces:
    """Begins and follows traces, and sends their spans; a part of the process.

    ratio:      the share of traces that are kept, of those that begin here
    processor:  what takes ended spans; without it they are sent to the endpoint
    """

    name = "traces"

    def __init__(
        self, service: str, endpoint: str, ratio: float, processor: SpanProcessor | None = None
    ) -> None:
        resource = Resource.create(
            {"service.name": f"leadscore-{service}", "service.version": version("leadscore")}
        )
        self._provider = TracerProvider(
            resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)), shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor or _sender(endpoint))
        self._tracer = self._provider.get_tracer("leadscore")

    def begin(self, name: str, kind: Kind, parent: str, attributes: Attributes) -> Span | None:
        """The first step of ours; None if this trace is not kept.

        parent: `traceparent` as it came, whatever it holds; its sampled flag decides, else the ratio does
        """
        within = _propagator.extract({TRACEPARENT: parent})
        span = self._tracer.start_span(name, within, kind=_KINDS[kind], attributes=attributes)
        return Span(self._tracer, span) if span.is_recording() else None

    def follow(self, name: str, kind: Kind, parent: str, attributes: Attributes) -> Span | None:
        """The next step of a trace that is kept; None for any other, and for what is no `traceparent`."""
        within = _propagator.extract({TRACEPARENT: parent})
        context = trace.get_current_span(within).get_span_context()
        if not (context.is_valid and context.trace_flags.sampled):
            return None
        return Span(
            self._tracer, self._tracer.start_span(name, within, kind=_KINDS[kind], attributes=attributes)
        )

    async def start(self) -> None:
        """Nothing: the first span is sent when there is one."""

    async def stop(self) -> None:
        """Send what waits, if the collector takes it in time; a collector that is away holds nothing up."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._provider.force_flush()
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(sent.set)

        # Of its own and no worker of the loop's: those are waited for when the process ends.
        threading.Thread(target=send, daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await sent.wait()


def _sender(endpoint: str) -> SpanProcessor:
    """Sends spans in the background, some at a time."""
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))
