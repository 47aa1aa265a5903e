"""A traced transition's steps through the router: planning it, and each attempt to deliver it.

In: rows of transitions, deliveries, outcomes. Out: spans; and the context that goes on to the receiver.
Refuses to begin a trace: what time alone causes has none.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.router.queue import Delivery
from services.router.retry import Failed, Outcome

if TYPE_CHECKING:
    from shared.traces.otel import Span, Traces

Row = Mapping[str, Any]


@contextmanager
def planning(traces: "Traces | None", rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The rows while they are planned, each traced one with the context of its own span."""
    if traces is None:
        yield rows
        return
    spans: list[Span] = []
    failed = "rolled_back"
    try:
        yield [_planned(traces, row, spans) for row in rows]
        failed = ""
    finally:
        for span in spans:
            span.end({}, failed=failed)


def _planned(traces: "Traces", row: Row, spans: "list[Span]") -> Row:
    if not row.get("traceparent"):
        return row
    attributes = {"leadscore.stage": row["stage"], "leadscore.cause": row["cause"]}
    span = traces.follow("plan transition", "internal", row["traceparent"], attributes)
    if span is None:
        return row
    spans.append(span)
    return {**row, "traceparent": span.traceparent}


def attempt(traces: "Traces | None", delivery: Delivery) -> "Span | None":
    """The span of one attempt; None where nothing is traced."""
    if traces is None or delivery.traceparent is None:
        return None
    attributes: dict[str, str | int] = {
        "leadscore.destination": delivery.destination,
        "leadscore.attempt": delivery.attempt,
    }
    return traces.follow(f"deliver {delivery.destination}", "client", delivery.traceparent, attributes)


def within(span: "Span | None", delivery: Delivery) -> Delivery:
    """The delivery as it is sent: with the context of this attempt, if there is one."""
    return delivery if span is None else replace(delivery, traceparent=span.traceparent)


def end(span: "Span", outcome: Outcome) -> None:
    """It arrived, or it did not: why is from a closed set."""
    status = {} if outcome.status is None else {"http.response.status_code": outcome.status}
    span.end(status, failed=outcome.reason if isinstance(outcome, Failed) else "")
