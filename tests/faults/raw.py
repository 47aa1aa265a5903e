"""Records put into Kafka past ingest, and read out of it: what no sender of ours would do.

In: an installation, keys and values. Out: records in leads.events.v1, or those that are there.
"""

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.installation import Installation

PARTITIONS = range(12)


async def produce(leadscore: Installation, records: Sequence[tuple[int | None, bytes | None, bytes]]) -> None:
    """Write these records, acknowledged. Each: the partition, None for the key's; the value; the key."""
    producer = AIOKafkaProducer(bootstrap_servers=leadscore.kafka, acks="all", linger_ms=5)
    await producer.start()
    try:
        sent = [
            await producer.send(leadscore.topics.events, value=value, key=key, partition=partition)
            for partition, value, key in records
        ]
        for each in sent:
            await each
    finally:
        await producer.stop()


async def everything(leadscore: Installation) -> list[tuple[int | None, bytes | None, bytes]]:
    """All records of the events topic, as `produce` takes them."""
    consumer = AIOKafkaConsumer(bootstrap_servers=leadscore.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(leadscore.topics.events, number) for number in PARTITIONS]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[tuple[int | None, bytes | None, bytes]] = []
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [(record.partition, record.value, record.key) for record in records]
        return found
    finally:
        await consumer.stop()
