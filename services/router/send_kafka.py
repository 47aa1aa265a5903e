"""A delivery as a record on the sales queue, `leads.sales.v1`.

In: a claimed delivery. Out: `Delivered` once all in-sync replicas have it, else `Failed`.
Refuses to reorder: the key is the lead, so that one partition holds a lead's transitions in order; a retry
can repeat a record, which its `ce_id` (the delivery id) tells.
"""

from dataclasses import dataclass
from typing import Final

from services.router.queue import Delivery
from services.router.render import type_of
from services.router.retry import Delivered, Failed, Outcome
from shared.errors import Invalid, Transient
from shared.kafka.publish import Publisher, Record
from shared.traces import TRACEPARENT

_DEADLINE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaQueue:
    """One topic."""

    publisher: Publisher
    topic: str

    async def send(self, delivery: Delivery) -> Outcome:
        try:
            await self.publisher.publish([record(delivery, self.topic)], deadline_s=_DEADLINE_S)
        except Transient as error:
            return Failed(reason="kafka", detail=str(error))
        except Invalid as error:
            return Failed(reason="too_large", detail=error.message)
        return Delivered()

    async def stop(self) -> None:
        """Nothing: the publisher is a part of its own."""


def record(delivery: Delivery, topic: str) -> Record:
    """The record of this delivery: CloudEvents 1.0, binary mode (pure)."""
    trace = () if delivery.traceparent is None else ((TRACEPARENT, delivery.traceparent.encode()),)
    return Record(
        topic=topic,
        key=str(delivery.lead_id).encode(),
        value=delivery.body,
        headers=(
            ("ce_specversion", b"1.0"),
            ("ce_id", str(delivery.delivery_id).encode()),
            ("ce_source", b"/leadscore/router"),
            ("ce_type", type_of(delivery.body).encode()),
            ("ce_subject", str(delivery.lead_id).encode()),
            ("ce_sequence", str(delivery.sequence).encode()),
            ("content-type", b"application/json"),
            *trace,
        ),
    )
