"""The first step of a trace: a request, and what it sends to Kafka.

In: ASGI scopes, what became of a request. Out: spans, with a route, a status, counts; None where none is
kept.
Refuses to look at who sent it or what: nothing of a body, an address or a key is in a span.
"""

from typing import TYPE_CHECKING, Final

from starlette.types import Scope

if TYPE_CHECKING:
    from shared.traces.otel import Span, Traces

SPAN: Final = "leadscore.span"
"""Scope key of the request's span, where there is one"""

_OURS_FROM: Final = 500


def begin(traces: "Traces", scope: Scope) -> "Span | None":
    """The span of this request, kept in its scope for who sends to Kafka."""
    parent = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
    span = traces.begin(
        "request", "server", parent.decode("latin-1"), {"http.request.method": scope["method"]}
    )
    scope[SPAN] = span
    return span


def end(span: "Span", method: str, route: str, status: int) -> None:
    """It is answered. A refusal is no fault of ours; what we could not take is."""
    attributes: dict[str, str | int] = {"http.route": route, "http.response.status_code": status}
    failed = str(status) if status >= _OURS_FROM else ""
    span.end(attributes, name=f"{method} {route}", failed=failed)


def sending(span: "Span", topic: str, source: str, records: int) -> "Span":
    """The span of what this request sends; its context travels with the records."""
    attributes: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
        "messaging.batch.message_count": records,
        "leadscore.source": source,
    }
    return span.child(f"send {topic}", "producer", attributes)
