"""What every publisher promises: the real one on Kafka, the fake one in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.errors import Invalid, Transient
from shared.kafka.connect import Connection
from shared.kafka.publish import MAX_RECORD_BYTES, KafkaPublisher, Publisher, Record
from shared.testing import MemoryBroker
from shared.topics import Topics
from tests.waiting import until


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A publisher, one that cannot reach its broker, and a way to see what arrived."""

    publisher: Publisher
    unreachable: Publisher
    topic: str
    arrived: Callable[[], Awaitable[list[tuple[bytes, bytes, list[tuple[str, bytes]]]]]]


def _memory() -> Bench:
    broker, away = MemoryBroker(), MemoryBroker()
    away.away = True

    async def arrived() -> list[tuple[bytes, bytes, list[tuple[str, bytes]]]]:
        return [(r.key, r.value, list(r.headers)) for r in broker.on("t")]

    return Bench(publisher=broker, unreachable=away, topic="t", arrived=arrived)


def _kafka(bootstrap: str, topics: Topics) -> Bench:
    def connection(servers: str) -> Connection:
        return Connection(bootstrap_servers=servers, client_id="test", options={})

    async def arrived() -> list[tuple[bytes, bytes, list[tuple[str, bytes]]]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            partitions = [TopicPartition(topics.sales, number) for number in range(3)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[tuple[bytes, bytes, list[tuple[str, bytes]]]] = []
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += [(r.key, r.value, list(r.headers)) for r in records]
            return found
        finally:
            await consumer.stop()

    return Bench(
        publisher=KafkaPublisher(connection(bootstrap)),
        unreachable=KafkaPublisher(connection("127.0.0.1:1")),
        topic=topics.sales,
        arrived=arrived,
    )


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.servers)])
def made(request: pytest.FixtureRequest) -> Bench:
    if request.param == "memory":
        return _memory()
    return _kafka(request.getfixturevalue("kafka_server"), request.getfixturevalue("topics"))


@pytest_asyncio.fixture
async def bench(made: Bench) -> AsyncIterator[Bench]:
    yield made
    await made.publisher.stop()
    await made.unreachable.stop()


async def until_ready(publisher: Publisher) -> None:
    """Wait until the publisher has no trouble, at most 20 s."""
    await until(lambda: not publisher.trouble())


@pytest.mark.asyncio
async def test_what_is_acknowledged_has_arrived(bench: Bench) -> None:
    """When publish returns, key, value and headers of every record can be read."""
    await bench.publisher.start()
    await until_ready(bench.publisher)
    sent = [
        Record(topic=bench.topic, key=f"k{n}".encode(), value=b"v" * n, headers=[("h", b"1")])
        for n in range(1, 30)
    ]
    await bench.publisher.publish(sent, deadline_s=10)
    assert sorted(await bench.arrived()) == sorted((r.key, r.value, [("h", b"1")]) for r in sent)


@pytest.mark.asyncio
async def test_an_unreachable_broker_is_transient_within_the_deadline(bench: Bench) -> None:
    """Publishing to nobody raises Transient soon, and readiness says why."""
    await bench.unreachable.start()
    assert bench.unreachable.trouble()
    async with asyncio.timeout(3):
        with pytest.raises(Transient):
            await bench.unreachable.publish([Record(topic=bench.topic, key=b"k", value=b"v")], deadline_s=0.2)


@pytest.mark.asyncio
async def test_a_record_too_large_is_invalid(bench: Bench) -> None:
    """A record that Kafka will never take is refused for good, and its text says the limit."""
    await bench.publisher.start()
    await until_ready(bench.publisher)
    with pytest.raises(Invalid, match=str(MAX_RECORD_BYTES)):
        await bench.publisher.publish(
            [Record(topic=bench.topic, key=b"k", value=b"v" * (MAX_RECORD_BYTES + 1))], deadline_s=5
        )


@pytest.mark.asyncio
async def test_stopping_twice_or_before_start_is_legal(bench: Bench) -> None:
    """A publisher can be stopped at any time."""
    await bench.publisher.stop()
    await bench.publisher.start()
    await bench.publisher.stop()
    await bench.publisher.stop()
