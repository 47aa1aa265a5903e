"""One attempt at the sales queue."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer

from services.router.queue import Delivery
from services.router.retry import Delivered, Failed
from services.router.send_kafka import KafkaQueue
from shared.ids import DeliveryId, LeadId
from shared.kafka.connect import Connection
from shared.kafka.publish import MAX_RECORD_BYTES, KafkaPublisher
from shared.testing import MemoryBroker
from shared.topics import Topics
from tests.waiting import until

LEAD = LeadId(UUID(int=7))


def delivery(*, sequence: int = 1, body: bytes = b'{"type":"lead.stage_changed"}') -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(UUID(int=100 + sequence)),
        destination="sales-queue",
        lead_id=LEAD,
        sequence=sequence,
        body=body,
        attempt=1,
        claim=UUID(int=4),
        event_received_at=datetime.now(UTC),
    )


@pytest.mark.asyncio
async def test_the_record_is_a_cloudevent_keyed_by_lead(kafka: Connection, topics: Topics) -> None:
    """On a real Kafka: key, body, id and order of two transitions of one lead."""
    publisher = KafkaPublisher(kafka)
    consumer = AIOKafkaConsumer(topics.sales, auto_offset_reset="earliest", **kafka.arguments())
    await publisher.start()
    await consumer.start()
    try:
        await until(lambda: publisher.trouble() == "")
        queue = KafkaQueue(publisher=publisher, topic=topics.sales)
        assert [await queue.send(delivery(sequence=number)) for number in (1, 2)] == [Delivered()] * 2
        records = [await consumer.getone() for _ in range(2)]
    finally:
        await consumer.stop()
        await publisher.stop()
    assert {record.partition for record in records} == {records[0].partition}
    assert [record.key for record in records] == [str(LEAD).encode()] * 2
    assert records[0].value == delivery().body
    assert dict(records[1].headers) == {
        "ce_specversion": b"1.0",
        "ce_id": str(UUID(int=102)).encode(),
        "ce_source": b"/leadscore/router",
        "ce_type": b"lead.stage_changed",
        "ce_subject": str(LEAD).encode(),
        "ce_sequence": b"2",
        "content-type": b"application/json",
    }


@pytest.mark.asyncio
async def test_kafka_away_is_a_failure_to_be_repeated() -> None:
    """The row stays and is tried again; nothing is lost."""
    broker = MemoryBroker()
    await broker.start()
    broker.away = True
    failed = await KafkaQueue(publisher=broker, topic="t").send(delivery())
    assert isinstance(failed, Failed)
    assert failed.reason == "kafka"


@pytest.mark.asyncio
async def test_a_body_that_kafka_never_takes_is_not_to_be_repeated() -> None:
    """It would fail for ever and hold up its lead."""
    broker = MemoryBroker()
    await broker.start()
    failed = await KafkaQueue(publisher=broker, topic="t").send(delivery(body=b"x" * (MAX_RECORD_BYTES + 1)))
    assert isinstance(failed, Failed)
    assert failed.reason == "too_large"
