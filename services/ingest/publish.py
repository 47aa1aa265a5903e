"""Accepted and rejected → Kafka, in one step, and not a word to the sender before Kafka has them (P1).

In: a `Parcel`: what one request became. Out: nothing, but all of it durable.
Refuses (`Transient`) when Kafka does not acknowledge within the deadline.

A rejected record is JSON: what came (base64, cut at 32 KiB), the code, the message, the field, the step, the
source, when. Enough to fix the sender and send it again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from services.ingest import metrics, traced
from services.ingest.registry import Source
from shared import codec
from shared.errors import Invalid
from shared.events import Event
from shared.kafka.publish import Publisher, Record
from shared.topics import Topics
from shared.traces import TRACEPARENT

if TYPE_CHECKING:
    from shared.traces.otel import Span

MAX_KEPT_BYTES: Final = 32 * 1024
REJECTED_SCHEMA_VERSION: Final = 1
REJECTED_HEADERS: Final = (("content-type", b"application/json"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One item, or one whole request, that is not an event.

    raw:    the bytes as they came
    step:   `receive` for a whole request, `validate` for one item
    index:  position in its batch, counted from 0
    """

    error: Invalid
    raw: bytes
    step: str
    index: int | None = None


@dataclass(slots=True, kw_only=True)
class Parcel:
    """What one request became."""

    source: Source
    received_at: datetime
    accepted: list[Event] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)


class RejectedRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The value of a record on `leads.rejected.v1`.

    raw:        at most MAX_KEPT_BYTES of what came, as base64
    raw_bytes:  how much came
    """

    source: str
    received_at: datetime
    code: str
    message: str
    step: str
    raw: bytes
    raw_bytes: int
    field: str = ""
    index: int | None = None
    schema_version: int = REJECTED_SCHEMA_VERSION


_rejected_encoder = msgspec.json.Encoder()


class ParcelPublisher:
    """Parcels → the topics of this installation."""

    def __init__(self, publisher: Publisher, topics: Topics) -> None:
        self._publisher = publisher
        self._events_topic = topics.events
        self._rejected_topic = topics.rejected

    async def send(self, parcel: Parcel, *, deadline_s: float, span: "Span | None" = None) -> None:
        """Return when all of the parcel is durable. Counts it only then: a sender repeats what failed.

            span: of the request, if it is traced

        Raises Transient after the deadline.
        """
        if span is not None:
            await self._traced(parcel, deadline_s, span)
        elif records := self.records(parcel):
            await self._publisher.publish(records, deadline_s=deadline_s)
        count(parcel.source.id, len(parcel.accepted), parcel.rejected)

    async def _traced(self, parcel: Parcel, deadline_s: float, span: "Span") -> None:
        """The same as a step of the request's trace, whose context goes with each event."""
        accepted = len(parcel.accepted)
        sending = traced.sending(span, self._events_topic, parcel.source.id, accepted)
        failed = "unavailable"
        try:
            if records := self.records(parcel, sending.traceparent):
                await self._publisher.publish(records, deadline_s=deadline_s)
            failed = ""
        finally:
            sending.end({"leadscore.rejected": len(parcel.rejected)}, failed=failed)

    def records(self, parcel: Parcel, traceparent: str = "") -> Sequence[Record]:
        """The records of a parcel: its events in their order, then what was rejected."""
        trace = [(TRACEPARENT, traceparent.encode())] if traceparent else []
        records = [
            Record(
                topic=self._events_topic,
                key=codec.partition_key(event),
                value=codec.encode(event),
                headers=codec.cloudevent_headers(event) + trace,
            )
            for event in parcel.accepted
        ]
        records.extend(self._rejected(parcel, rejection) for rejection in parcel.rejected)
        return records

    def _rejected(self, parcel: Parcel, rejection: Rejection) -> Record:
        value = RejectedRecord(
            source=parcel.source.id,
            received_at=parcel.received_at,
            code=rejection.error.code,
            message=rejection.error.message,
            field=rejection.error.field,
            step=rejection.step,
            index=rejection.index,
            raw=rejection.raw[:MAX_KEPT_BYTES],
            raw_bytes=len(rejection.raw),
        )
        return Record(
            topic=self._rejected_topic,
            key=parcel.source.id.encode(),
            value=_rejected_encoder.encode(value),
            headers=REJECTED_HEADERS,
        )


def count(source: str, accepted: int, rejected: Sequence[Rejection]) -> None:
    """Count what is settled.

    source: an id of sources.yaml, or metrics.NOBODY
    """
    if accepted:
        metrics.ACCEPTED.labels(source=source).inc(accepted)
    for code, times in Counter(rejection.error.code for rejection in rejected).items():
        metrics.REJECTED.labels(source=source, code=code).inc(times)
