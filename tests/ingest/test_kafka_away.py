"""The real publisher without its Kafka: an answer in time, never a hang."""

import asyncio
import time

import httpx
import pytest
from prometheus_client import REGISTRY

from services.ingest import app as http
from services.ingest.limits import Limits
from services.ingest.middleware import Admission
from services.ingest.publish import ParcelPublisher
from services.ingest.receive import Receiver
from services.ingest.registry import Registry
from shared.errors import Transient
from shared.kafka.connect import Connection
from shared.kafka.publish import KafkaPublisher, Record
from shared.testing import FrozenClock, SequentialIds
from shared.topics import Topics
from tests.ingest.senders import PRODUCT_KEY
from tests.waiting import until

TRACK = {"event": "a", "userId": "u"}


def failed() -> float:
    """Records that Kafka did not take."""
    labels = {"topic": Topics().events, "result": "failed"}
    return REGISTRY.get_sample_value("leadscore_kafka_produced_records_total", labels) or 0.0


@pytest.mark.asyncio
async def test_no_kafka_is_503_at_once(registry: Registry) -> None:
    """Ingest runs without Kafka, says so to everybody, and stops without waiting for it."""
    publisher = KafkaPublisher(Connection(bootstrap_servers="127.0.0.1:1", client_id="test", options={}))
    receiver = Receiver(
        registry=registry,
        parcels=ParcelPublisher(publisher, Topics()),
        clock=FrozenClock(),
        ids=SequentialIds(),
        limits=Limits(ack_s=0.5),
    )
    app = http.create(receiver, registry, Admission(max_in_flight=64, trouble=publisher.trouble))
    await publisher.start()
    before = failed()
    started_s = time.monotonic()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://ingest.test", auth=(PRODUCT_KEY, "")
    ) as client:
        answers = await asyncio.gather(*(client.post("/v1/track", json=TRACK) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {503}
    assert failed() > before, "else no alert would say that Kafka has been away since our start"
    assert all(20 <= int(answer.headers["retry-after"]) <= 40 for answer in answers)
    await publisher.stop()
    assert time.monotonic() - started_s < 5


@pytest.mark.asyncio
async def test_who_missed_a_deadline_is_ready_again_soon(
    monkeypatch: pytest.MonkeyPatch, kafka: Connection, topics: Topics
) -> None:
    """Nobody sends to who is not ready, and only a request finds out that Kafka is back."""
    publisher = KafkaPublisher(kafka)
    await publisher.start()
    try:
        await until(lambda: not publisher.trouble())
        record = Record(topic=topics.events, key=b"k", value=b"v")
        with pytest.raises(Transient):
            await publisher.publish([record], deadline_s=0)
        assert publisher.trouble() == publisher.unready() == "Kafka missed the last deadline"
        monkeypatch.setattr("shared.kafka.publish.UNREADY_S", 0)
        assert (publisher.trouble() != "", publisher.unready()) == (True, "")
        await publisher.publish([record], deadline_s=10)
        assert publisher.trouble() == ""
    finally:
        await publisher.stop()


@pytest.mark.asyncio
async def test_what_nobody_foresaw_is_told_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    """An address that aiokafka cannot read would end the task that connects, without a word."""
    publisher = KafkaPublisher(Connection(bootstrap_servers="kafka:9092x", client_id="test", options={}))
    said = []

    def is_told() -> bool:
        said.append(capsys.readouterr().out)
        return "ValueError" in "".join(said)

    await publisher.start()
    await until(is_told)
    assert publisher._connecting is not None
    assert not publisher._connecting.done()
    await publisher.stop()
