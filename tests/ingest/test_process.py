"""The ingest process: started as `python -m services.ingest`, with the real Kafka."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer

from shared.kafka.connect import Connection
from shared.topics import Topics
from tests.ingest.senders import ENVIRONMENT, PRODUCT_KEY, SOURCES
from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]


def environment(folder: Path, **changed: str) -> dict[str, str]:
    """The environment of one ingest process with the tests' sources."""
    sources = folder / "sources.yaml"
    sources.write_text(SOURCES)
    ours = {"LEADSCORE_INGEST_SOURCES_FILE": str(sources), "PYTHONPATH": str(ROOT)}
    return {**os.environ, **ENVIRONMENT, **ours, **changed}


def refusal(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A start that must fail."""
    command = [sys.executable, "-m", "services.ingest"]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)


def test_wrong_sources_are_told_all_at_once(tmp_path: Path) -> None:
    """Exit code 2, every mistake with its line, and no traceback."""
    variables = environment(tmp_path, KEY_PRODUCT="", SENDGRID="bm90IGEga2V5")
    refused = refusal(variables)
    assert refused.returncode == 2
    assert "${KEY_PRODUCT} is not set" in refused.stderr
    assert "not a P-256 public key" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"LEADSCORE_INGEST_SOURCES_FILE": "/nowhere.yaml"}, "Set LEADSCORE_INGEST_SOURCES_FILE"),
        ({"LEADSCORE_INGEST_PORT": "many"}, "LEADSCORE_INGEST_PORT"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092x"}, 'KAFKA_BOOTSTRAP_SERVERS has "kafka:9092x"'),
        ({"KAFKA_BOOTSTRAP_SERVERS": "one:9092,kafka..svc:9092"}, "host:port, several by comma"),
    ],
)
def test_wrong_settings_are_told(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    """Exit code 2 and the variable to change."""
    refused = refusal(environment(tmp_path, **changed))
    assert refused.returncode == 2
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


@asynccontextmanager
async def running(variables: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process; killed at the end if the test did not stop it."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.ingest", env=variables)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ready(client: httpx.AsyncClient, admin: str) -> bool:
    """Whether the process says that it can take events."""
    try:
        return (await client.get(f"{admin}/readyz")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.asyncio
async def test_what_it_acknowledges_is_in_kafka(tmp_path: Path, kafka: Connection, topics: Topics) -> None:
    """Started, ready, 200 for a batch with a bad item, both on their topics, SIGTERM ends it with 0."""
    port, admin_port = free_port(), free_port()
    variables = environment(
        tmp_path,
        KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
        LEADSCORE_TOPIC_PREFIX=topics.prefix,
        LEADSCORE_INGEST_PORT=str(port),
        LEADSCORE_INGEST_ADMIN_PORT=str(admin_port),
    )
    ingest, admin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}"
    async with running(variables) as process, httpx.AsyncClient() as client:
        await until(lambda: ready(client, admin))
        item = {"type": "track", "event": "Signed Up", "userId": "u1"}
        answer = await client.post(f"{ingest}/v1/batch", json={"batch": [item, {}]}, auth=(PRODUCT_KEY, ""))
        assert answer.json()["accepted"] == answer.json()["rejected"] == 1
        assert (
            'leadscore_ingest_accepted_events_total{source="product"} 1.0'
            in (await client.get(f"{admin}/metrics")).text
        )
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert await values(kafka, topics.events) == [("Signed Up", "product")]
    assert await values(kafka, topics.rejected) == [("unknown_type", "product")]


async def values(kafka: Connection, topic: str) -> list[tuple[str, str]]:
    """Name or code, and source, of what is on a topic."""
    consumer = AIOKafkaConsumer(topic, **kafka.arguments(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), 20)
        value = msgspec.json.decode(record.value)
        return [(value.get("name") or value["code"], value["source"])]
    finally:
        await consumer.stop()
