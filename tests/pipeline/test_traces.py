"""One event end to end in one trace: real processes, real servers, a collector in this process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from shared.topics import Topics
from tests.cli.contracts.messages import check_record, check_webhook
from tests.collector import Collector, Spanned
from tests.installation import Installation, Servers, running
from tests.pipeline.test_one_event_all_the_way import EMAIL, request_demo, view_pricing
from tests.waiting import until

pytestmark = pytest.mark.asyncio

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
OURS: Final = "00f067aa0ba902b7"
TRACEPARENT: Final = {"traceparent": f"00-{TRACE}-{OURS}-01"}
VISITOR: Final = "visitor-who-is-traced"
SECRET_WORDS: Final = (EMAIL, "Ada", "Lovelace", "Engines", VISITOR, "pricing", "demo-request")

# What a process has imported is told when it ends.
TELLING: Final = """
import sys
from services.{name}.__main__ import main
code = main()
sdk = sorted(one for one in sys.modules if one.startswith(("opentelemetry.sdk", "opentelemetry.exporter")))
print("IMPORTED", len(sdk), file=sys.stderr)
sys.exit(code)
"""


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    """Where spans go."""
    made = Collector()
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def ready(
    database: str, topics: Topics, kafka_server: str, tmp_path: Path
) -> AsyncIterator[Installation]:
    """An installation, not started; each process tells in the end what it had imported."""
    async with running(Servers(kafka=kafka_server, database=database), topics, tmp_path) as made:
        for name, service in made.services.items():
            service.program = TELLING.format(name=name)
        yield made


def traced(leadscore: Installation, collector: Collector) -> None:
    """Have it send spans at once, and trace nothing of its own accord."""
    for service in leadscore.services.values():
        service.environment = {
            **service.environment,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_TRACES_SAMPLER_ARG": "0",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }


async def qualify(leadscore: Installation) -> None:
    """An untraced visit, then a traced form that makes the visitor an MQL, delivered to both destinations."""
    async with httpx.AsyncClient(base_url=leadscore.ingest) as client:
        await view_pricing(client, VISITOR)
        await view_pricing(client, VISITOR)
        await until(lambda: leadscore.counted(2))
        client.headers.update(TRACEPARENT)
        await request_demo(client, VISITOR)
    await until(lambda: len(leadscore.receiver.hits) > 0)
    await until(lambda: delivered(leadscore))


async def delivered(leadscore: Installation) -> bool:
    """Whether both destinations have it."""
    rows = await leadscore.fetch("SELECT count(*)::int AS n FROM deliveries WHERE state = 'delivered'")
    return bool(rows[0]["n"] == 2)


async def records(leadscore: Installation) -> list[ConsumerRecord]:
    """Everything on the three topics."""
    consumer = AIOKafkaConsumer(bootstrap_servers=leadscore.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic.name, number)
            for topic in leadscore.topics.wanted()
            for number in range(topic.partitions)
        ]
        consumer.assign(partitions)
        wanted = sum((await consumer.end_offsets(partitions)).values())
        found: list[ConsumerRecord] = []
        while len(found) < wanted:
            for some in (await consumer.getmany(timeout_ms=500)).values():
                found += some
        return found
    finally:
        await consumer.stop()


def chain(collector: Collector, leaf: Spanned) -> list[tuple[str, str]]:
    """The service and the name of a span and of all above it, the uppermost first."""
    by_id = {one.span: one for one in collector.of(TRACE)}
    found = [leaf]
    while found[0].parent in by_id:
        found.insert(0, by_id[found[0].parent])
    assert found[0].parent == OURS
    return [(one.service, one.name) for one in found]


async def test_one_event_is_one_trace(ready: Installation, collector: Collector) -> None:
    """From the sender's traceparent to the receiver's: each step's parent is the step before."""
    traced(ready, collector)
    await ready.start()
    await qualify(ready)
    topic = ready.topics.events
    names = {"POST form", f"send {topic}", f"process {topic}", "plan transition", "deliver crm"}
    await until(lambda: names | {"deliver sales-queue"} <= {one.name for one in collector.of(TRACE)})

    above = [
        ("leadscore-ingest", "POST form"),
        ("leadscore-ingest", f"send {topic}"),
        ("leadscore-scorer", f"process {topic}"),
        ("leadscore-router", "plan transition"),
    ]
    ends = {one.name: one for one in collector.of(TRACE) if one.name.startswith("deliver")}
    for destination in ("crm", "sales-queue"):
        leaf = ends[f"deliver {destination}"]
        assert chain(collector, leaf) == [*above, ("leadscore-router", f"deliver {destination}")]
    (hit,) = ready.receiver.hits
    assert hit.headers["traceparent"] == f"00-{TRACE}-{ends['deliver crm'].span}-01"

    written = await records(ready)
    headers = [dict(one.headers) for one in written]
    with_trace = [each[name].decode() for each in headers for name in each if name == "traceparent"]
    assert len(with_trace) == 2, "the form's event and the sales queue's record, not the visits"
    assert f"00-{TRACE}-{ends['deliver sales-queue'].span}-01" in with_trace
    for one in written:
        check_record(one.topic, one.headers, one.value)
    check_webhook(hit.headers, hit.body)

    assert {one.trace for one in collector.spans} == {TRACE}, "nothing else is traced"
    assert not personal(collector, await leads(ready))
    await collector.stop()
    assert [await service.stop() for service in ready.services.values()] == [0, 0, 0]


async def leads(leadscore: Installation) -> list[str]:
    """Ids of leads and of events."""
    rows = await leadscore.fetch("SELECT lead_id AS id FROM leads UNION SELECT event_id FROM events")
    return [str(row["id"]) for row in rows]


def personal(collector: Collector, ids: list[str]) -> list[Any]:
    """Names and values of spans that hold what leads to a person."""
    said = [value for one in collector.spans for value in (one.name, one.failed, *one.attributes.values())]
    return [value for value in said if any(word in str(value) for word in (*SECRET_WORDS, *ids))]


async def test_off_is_off(ready: Installation, collector: Collector) -> None:
    """Without an endpoint nothing is imported, sent, written or passed on, whatever the sender asks for."""
    await ready.start()
    await qualify(ready)
    assert [await service.stop() for service in ready.services.values()] == [0, 0, 0]
    assert [service.log.read_text().count("IMPORTED 0") for service in ready.services.values()] == [1, 1, 1]
    assert collector.spans == []
    assert "traceparent" not in ready.receiver.hits[0].headers
    assert not [one for one in await records(ready) if "traceparent" in dict(one.headers)]
    rows = await ready.fetch("SELECT traceparent FROM transitions UNION SELECT traceparent FROM deliveries")
    assert [row["traceparent"] for row in rows] == [None]
