"""Records → Kafka, and the promise that they are durable (P1).

In: records. Out: nothing, but only after every in-sync replica has them.
Refuses to wait longer than the caller's deadline: then it raises `Transient`, and the records may or may
not arrive later. That is why every event carries an id and is deduplicated downstream.
"""

import asyncio
from collections import Counter as CounterOf
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber
from prometheus_client import Counter, Histogram

from shared.errors import Invalid, Transient
from shared.kafka.connect import Connection, refusal
from shared.telemetry import log

PRODUCED = Counter("leadscore_kafka_produced_records_total", "Records handed to Kafka.", ["topic", "result"])
PRODUCE_SECONDS = Histogram(
    "leadscore_kafka_produce_seconds",
    "From handing records to Kafka until all in-sync replicas have them.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

MAX_RECORD_BYTES: Final = 1_048_576
UNREADY_S: Final = 15.0
_RECONNECT_S: Final = 1.0
_STOP_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record on its way to Kafka."""

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class Publisher(Protocol):
    """Makes records durable. Two implementations: Kafka, and `shared.testing.MemoryBroker`."""

    name: str

    async def start(self) -> None:
        """Begin to connect; returns at once, so that a service starts while Kafka is away."""

    async def stop(self) -> None:
        """Flush what is in flight, within a deadline of our own."""

    async def publish(self, records: Sequence[Record], *, deadline_s: float) -> None:
        """Return when all records are durable; raise Transient when not within the deadline.

        Raises Invalid (`too_large`) for a record that Kafka will never take.
        """

    def trouble(self) -> str:
        """Why publishing cannot work now, empty if it can: a readiness check."""


class KafkaPublisher:
    """An idempotent aiokafka producer with acks=all, reconnecting by itself.

    aiokafka's idempotent producer never gives a batch up, and neither does its stop(): the deadlines
    here are the only ones (measured: still pending 14 s after the broker was gone).
    """

    name = "kafka-publisher"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._missed_at_s: float | None = None  # when the last publish missed its deadline; None: it did not

    async def start(self) -> None:
        self._reconnect()

    async def stop(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting}, timeout=_STOP_S)
        producer, self._producer = self._producer, None
        if producer is not None:
            await _close(producer)

    async def publish(self, records: Sequence[Record], *, deadline_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + deadline_s
        producer = self._producer
        if producer is None:
            _count(records, "failed")
            raise Transient("Kafka is not connected yet. Send again in a moment.")
        try:
            with PRODUCE_SECONDS.time():
                await _deliver(producer, records, deadline)
        except TimeoutError as error:
            self._missed_at_s = monotonic()
            _count(records, "late")
            raise Transient(f"Kafka did not acknowledge within {deadline_s:g} s. Send again.") from error
        except MessageSizeTooLargeError as error:
            raise Invalid(
                "too_large",
                f"a record is larger than the {MAX_RECORD_BYTES} bytes Kafka takes. Send less at once.",
            ) from error
        except KafkaError as error:
            _count(records, "failed")
            await self._replace_if_broken(error, producer)
            raise Transient(f"Kafka refused: {type(error).__name__}. Send again.") from error
        self._missed_at_s = None
        _count(records, "acknowledged")

    def trouble(self) -> str:
        if self._producer is None:
            return "not connected to Kafka"
        return "" if self._missed_at_s is None else "Kafka missed the last deadline"

    def unready(self) -> str:
        """Why a balancer should lead senders elsewhere, empty if not: trouble, while it is fresh.

        Only a request finds out that Kafka is back, and none comes to who is not ready.
        """
        fresh = self._missed_at_s is not None and monotonic() - self._missed_at_s < UNREADY_S
        return self.trouble() if fresh or self._producer is None else ""

    async def _replace_if_broken(self, error: KafkaError, producer: AIOKafkaProducer) -> None:
        """Replace a producer that lost its sequence: it would fail for ever (aiokafka #1017)."""
        if isinstance(error, OutOfOrderSequenceNumber) and self._producer is producer:
            self._producer = None
            await _close(producer)
            self._reconnect()

    def _reconnect(self) -> None:
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect(), name="kafka-connect")

    async def _connect(self) -> None:
        """Try until the broker answers: `AIOKafkaProducer.start` raises when it is away."""
        while self._producer is None:
            producer = AIOKafkaProducer(
                **self._connection.arguments(),
                acks="all",
                enable_idempotence=True,
                linger_ms=2,
                max_batch_size=262_144,
                max_request_size=MAX_RECORD_BYTES,
                request_timeout_ms=10_000,
                metadata_max_age_ms=60_000,
            )
            try:
                await producer.start()
                self._producer = producer
                log("kafka.connected")
            except (KafkaError, OSError) as error:
                await _close(producer)
                why = await refusal(self._connection) or type(error).__name__
                log("kafka.connect_failed", level="warning", error=why)
                await asyncio.sleep(_RECONNECT_S)
            except Exception as error:  # noqa: BLE001 - nobody waits for this task, and without it nothing works
                await _close(producer)
                log("kafka.connect_failed", level="error", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_RECONNECT_S)
            except asyncio.CancelledError:
                await _close(producer)
                raise


async def _deliver(producer: AIOKafkaProducer, records: Sequence[Record], deadline: float) -> None:
    """Queue the records and wait for their acknowledgements; TimeoutError past the deadline."""
    acks: list[asyncio.Future[object]] = []
    try:
        async with asyncio.timeout_at(deadline):
            for record in records:
                # Waits while its partition's batch is full (that is the backpressure).
                acks.append(  # noqa: PERF401 - a comprehension loses what it has when the deadline cuts it
                    await producer.send(
                        record.topic, key=record.key, value=record.value, headers=list(record.headers)
                    )
                )
        await _all_acknowledged(acks, deadline)
    except BaseException:
        # These futures lose their reader here; their exceptions are then nobody's news.
        for ack in acks:
            ack.add_done_callback(_retrieve)
        raise


async def _all_acknowledged(acks: "Sequence[asyncio.Future[object]]", deadline: float) -> None:
    """Wait without cancelling: cancelling an aiokafka future does not unsend, it only loses the outcome.

    One after the other: Kafka acknowledges batches, so that most are done when the first is, and waiting
    for all at once would cost a callback for each.
    """
    loop = asyncio.get_running_loop()
    for ack in acks:
        if not ack.done():
            await asyncio.wait((ack,), timeout=max(0.0, deadline - loop.time()))
        if not ack.done():
            raise TimeoutError
    for ack in acks:
        ack.result()


def _count(records: Sequence[Record], result: str) -> None:
    for topic, number in CounterOf(record.topic for record in records).items():
        _produced(topic, result).inc(number)


# Both labels are closed sets, so this stays small; labels() takes a lock and checks its names each time.
_produced = cache(PRODUCED.labels)


async def _close(producer: AIOKafkaProducer) -> None:
    """Stop a producer within our own deadline, since it has none."""
    stopping = asyncio.create_task(producer.stop())
    await asyncio.wait({stopping}, timeout=_STOP_S)
    if not stopping.done():
        stopping.cancel()
        log("kafka.producer_abandoned", level="warning", waited_s=_STOP_S)


def _retrieve(ack: "asyncio.Future[object]") -> None:
    if not ack.cancelled():
        ack.exception()
