"""Traces: what one event goes through, from its request to its deliveries, for an OpenTelemetry collector.

In: settings. Out: `Traces`, or None where no endpoint is set: then nothing of OpenTelemetry's SDK is
imported, and a request, a batch and a delivery cost one look at None each.
Refuses personal data: a span has closed sets, counts and places in Kafka, never a lead, an event's id, an
address or a value somebody sent (docs/guides/traces.md).

A trace begins at ingest, which decides whether it is kept. From there its context travels with the data:
as header `traceparent` (W3C) of HTTP and Kafka, as a column of transitions and deliveries.
"""

from typing import TYPE_CHECKING, Final

from shared.errors import Misconfigured
from shared.settings import ServiceSettings

if TYPE_CHECKING:
    from shared.traces.otel import Traces

TRACEPARENT: Final = "traceparent"
"""The header, of HTTP and of Kafka"""


def open_traces(service: str, settings: ServiceSettings) -> "Traces | None":
    """What begins and follows traces in this process; None where nobody asked for them.

    Raises Misconfigured if they are asked for, and the SDK is not installed.
    """
    if not settings.traces_endpoint:
        return None
    try:
        from shared.traces.otel import Traces
    except ImportError as error:
        raise Misconfigured(
            "Traces cannot be sent:",
            [f"OTEL_EXPORTER_OTLP_ENDPOINT is set, and {error.name} is missing. Install leadscore[traces]"],
        ) from error
    return Traces(service, settings.traces_endpoint, settings.traces_ratio)
