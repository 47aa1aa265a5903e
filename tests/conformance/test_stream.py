"""What every stream promises: the real one on Kafka, the fake one in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from shared.kafka.connect import Connection
from shared.kafka.publish import KafkaPublisher, Publisher, Record
from shared.kafka.stream import KafkaStream, OutOfRange, Range, Received, Stream
from shared.testing import MemoryBroker, MemoryStream
from shared.topics import Topics
from tests.waiting import until


@dataclass(slots=True)
class Books:
    """An owner that starts every partition where its books say, else at the first offset."""

    starts: dict[int, int] = field(default_factory=dict)
    left_out: set[int] = field(default_factory=set)
    given: dict[int, Range] = field(default_factory=dict)
    revocations: int = 0

    async def assigned(self, partitions: Mapping[int, Range], generation: int) -> Mapping[int, int]:
        assert generation >= 0
        self.given = dict(partitions)
        return {n: self.starts.get(n, r.first) for n, r in partitions.items() if n not in self.left_out}

    async def revoked(self, partitions: Iterable[int]) -> None:
        self.revocations += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    publisher: Publisher
    stream: Stream
    books: Books
    topic: str


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.servers)])
def made(request: pytest.FixtureRequest) -> Bench:
    return _memory(Books()) if request.param == "memory" else _kafka(request, Books())


@pytest_asyncio.fixture
async def bench(made: Bench) -> AsyncIterator[Bench]:
    await made.publisher.start()
    await until(lambda: not made.publisher.trouble())
    yield made
    await made.stream.stop()
    await made.publisher.stop()


def _memory(books: Books) -> Bench:
    broker = MemoryBroker()
    return Bench(
        publisher=broker, stream=MemoryStream(broker, topic="t", owner=books), books=books, topic="t"
    )


def _kafka(request: pytest.FixtureRequest, books: Books) -> Bench:
    topics: Topics = request.getfixturevalue("topics")
    connection = Connection(
        bootstrap_servers=request.getfixturevalue("kafka_server"), client_id="test", options={}
    )
    return Bench(
        publisher=KafkaPublisher(connection),
        stream=KafkaStream(connection, topic=topics.sales, group=topics.sales, owner=books),
        books=books,
        topic=topics.sales,
    )


async def fill(bench: Bench, number: int) -> None:
    """Publish this many records, spread over the partitions."""
    records = [Record(topic=bench.topic, key=bytes([n % 7]), value=str(n).encode()) for n in range(number)]
    await bench.publisher.publish(records, deadline_s=10)


async def joined(bench: Bench) -> None:
    """Wait until the stream has its partitions."""
    await until(lambda: len(bench.stream.assigned()) == 3 - len(bench.books.left_out))


async def read(bench: Bench, number: int, *, partitions: Iterable[int] | None = None) -> list[Received]:
    """Read until this many records came, at most 20 s."""
    found: list[Received] = []
    async with asyncio.timeout(20):
        while len(found) < number:
            wanted = bench.stream.assigned() if partitions is None else partitions
            for records in (await bench.stream.poll(wanted, max_records=50, timeout_s=0.2)).values():
                found += records
    return found


@pytest.mark.asyncio
@pytest.mark.servers
async def test_a_partition_without_a_reader_can_be_seen(topics: Topics, kafka: Connection) -> None:
    """The metrics tell how many partitions the topic has, beside how many this process reads."""
    stream = KafkaStream(kafka, topic=topics.sales, group=topics.sales, owner=Books(left_out={0}))
    await stream.start()
    await until(lambda: len(stream.assigned()) == 2)
    of_topic = {"topic": topics.sales}
    assert REGISTRY.get_sample_value("leadscore_kafka_topic_partitions", of_topic) == 3
    assert REGISTRY.get_sample_value("leadscore_kafka_assigned_partitions", of_topic) == 2
    await stream.stop()


@pytest.mark.asyncio
async def test_every_record_is_read_once_in_order(bench: Bench) -> None:
    """From the first offset on, each partition's records come in order and without gaps."""
    await fill(bench, 200)
    await bench.stream.start()
    await joined(bench)
    found = await read(bench, 200)
    assert sorted(int(record.value) for record in found) == list(range(200))
    for partition in range(3):
        offsets = [record.offset for record in found if record.partition == partition]
        assert offsets == list(range(len(offsets)))


@pytest.mark.asyncio
async def test_the_owner_decides_where_reading_starts(bench: Bench) -> None:
    """A partition starts where the owner says, whatever Kafka has committed."""
    await fill(bench, 200)
    bench.books.starts = {0: 5, 1: 5, 2: 5}
    await bench.stream.start()
    await joined(bench)
    ends = {number: readable.end for number, readable in bench.books.given.items()}
    found = await read(bench, sum(max(0, end - 5) for end in ends.values()))
    assert min(record.offset for record in found) == 5


@pytest.mark.asyncio
async def test_a_partition_left_out_is_not_read(bench: Bench) -> None:
    """What the owner does not give a start is neither assigned nor polled."""
    await fill(bench, 100)
    bench.books.left_out = {1}
    await bench.stream.start()
    await joined(bench)
    assert bench.stream.assigned() == {0, 2}
    found = await read(bench, bench.books.given[0].end + bench.books.given[2].end)
    assert {record.partition for record in found} <= {0, 2}


@pytest.mark.asyncio
async def test_seek_reads_again(bench: Bench) -> None:
    """After a rollback the same records are read once more."""
    await fill(bench, 100)
    await bench.stream.start()
    await joined(bench)
    first = [record for record in await read(bench, 100) if record.partition == 0]
    bench.stream.seek(0, first[3].offset)
    again = await read(bench, len(first) - 3, partitions=[0])
    assert [record.value for record in again] == [record.value for record in first[3:]]


@pytest.mark.asyncio
async def test_a_position_that_is_not_there_is_told(bench: Bench) -> None:
    """Records that are gone are no outage: the reader learns of which partition, and the others go on."""
    await fill(bench, 100)
    await bench.stream.start()
    await joined(bench)
    bench.stream.seek(0, 1_000)
    with pytest.raises(OutOfRange) as raised:
        await read(bench, 1, partitions=[0])
    assert raised.value.partitions == {0}
    others = bench.books.given[1].end + bench.books.given[2].end
    assert {record.partition for record in await read(bench, others, partitions=[1, 2])} == {1, 2}


@pytest.mark.asyncio
async def test_only_the_partitions_asked_for_are_polled(bench: Bench) -> None:
    """A partition whose batch is still being counted is not read further."""
    await fill(bench, 100)
    await bench.stream.start()
    await joined(bench)
    found = await read(bench, bench.books.given[2].end, partitions=[2])
    assert {record.partition for record in found} == {2}


@pytest.mark.asyncio
async def test_lag_is_what_is_left(bench: Bench) -> None:
    """After reading, the lag is the number of records behind the given offset."""
    await fill(bench, 100)
    await bench.stream.start()
    await joined(bench)
    await read(bench, 100)
    end = bench.books.given[0].end
    assert bench.stream.lag_records(0, end) == 0
    assert bench.stream.lag_records(0, end - 4) == 4
    assert (await bench.stream.ends([0]))[0] == end
    await bench.stream.mirror({0: end})


@pytest.mark.asyncio
async def test_stopping_twice_or_before_start_is_legal(bench: Bench) -> None:
    """A stream can be stopped at any time."""
    await bench.stream.stop()
    await bench.stream.start()
    await bench.stream.stop()
    await bench.stream.stop()
    assert bench.stream.assigned() == frozenset()
