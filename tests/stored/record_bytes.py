"""Writes down what a version stores: run by hand for each release, never by the suite (README.md beside it).

    RELEASE=<commit> REVISION=<of its schema> .venv/bin/pytest -n 0 tests/stored/record_bytes.py

In: a commit. Out: tests/stored/<commit>.json: records of the three topics, rows of the tables, as its own
processes wrote them for a few people on the real Kafka and Postgres.
"""

import asyncio
import base64
import json
import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.cli.migrate import downgrade
from shared.topics import Topics
from tests.installation import CRM_KEY, PRODUCT_KEY, ROOT, Installation, Receiver, Servers, installation
from tests.pipeline.test_one_event_all_the_way import click_mail, request_demo, view_pricing
from tests.waiting import until

RELEASE: Final = os.environ.get("RELEASE", "HEAD")
REVISION: Final = os.environ.get("REVISION", "head")
HERE: Final = Path(__file__).parent
TABLES: Final = ("leads", "events", "transitions", "deliveries", "dead_letters")
POISON: Final = b'{"event_id": "not one"'


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """The release as it was."""
    archive = subprocess.run(
        ["git", "archive", RELEASE, "services", "shared", "deploy"], cwd=ROOT, capture_output=True, check=True
    )
    folder = tmp_path / "code"
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as packed:
        packed.extractall(folder, filter="data")
    return folder


@pytest.mark.asyncio
async def test_write_down(
    database: str, topics: Topics, kafka_server: str, tmp_path: Path, code: Path
) -> None:
    """Run the release, have a few people do what people do, keep what is stored then."""
    if REVISION != "head":
        await asyncio.to_thread(downgrade, database, REVISION)
    receiver = Receiver()
    await receiver.start()
    leadscore = installation(Servers(kafka=kafka_server, database=database), topics, receiver, tmp_path)
    for service in leadscore.services.values():
        service.code = code
    try:
        await leadscore.start()
        await people(leadscore)
        stored = {
            "release": RELEASE,
            "topics": {
                name: await records(kafka_server, topic)
                for name, topic in (
                    ("events", topics.events),
                    ("rejected", topics.rejected),
                    ("sales", topics.sales),
                )
            },
            "webhooks": [{"headers": dict(hit.headers), "body": hit.body.decode()} for hit in receiver.hits],
            "tables": {table: await rows(leadscore, table) for table in TABLES},
        }
    finally:
        await leadscore.stop()
        await receiver.stop()
    text = json.dumps(stored, indent=1, ensure_ascii=False)
    (HERE / f"{RELEASE[:7]}.json").write_text(f"{text}\n")


async def people(leadscore: Installation) -> None:
    """A visitor who becomes sales qualified, a person of two devices, a rejected item, a broken record."""
    async with httpx.AsyncClient(base_url=leadscore.ingest) as client:
        await view_pricing(client, "visitor-1")
        await view_pricing(client, "visitor-1")
        await request_demo(client, "visitor-1")
        await until(lambda: leadscore.counted(3), within_s=60)
        await click_mail(leadscore)
        for call in CALLS:
            key = CRM_KEY if call["event"].startswith("deal.") else PRODUCT_KEY
            answer = await client.post("/v1/track", auth=(key, ""), json=call)
            assert answer.status_code == 200, answer.text
        await client.post("/v1/batch", auth=(PRODUCT_KEY, ""), json={"batch": [{"type": "track"}]})
    producer = AIOKafkaProducer(bootstrap_servers=leadscore.kafka)
    await producer.start()
    await producer.send_and_wait(leadscore.topics.events, POISON, key=b"poison")
    await producer.stop()
    await until(lambda: leadscore.taken(5 + len(CALLS)), within_s=60)
    await until(lambda: delivered(leadscore), within_s=60)


CALLS: Final[list[dict[str, Any]]] = [
    {
        "userId": "user-1",
        "anonymousId": "visitor-2",
        "event": "Trial Started",
        "messageId": "m-1",
        "timestamp": "2026-11-01T09:00:00Z",
        "properties": {"plan": "team", "seats": 12, "tags": ["a", "ä€😀"]},
        "context": {
            "traits": {"email": "bob@mills.example", "employees": 250},
            "consent": {"categoryPreferences": {"marketing": True, "analytics": False}},
        },
    },
    {"userId": "user-1", "event": "Invited", "messageId": "m-2", "context": {"campaign": {"source": "ads"}}},
    {
        "event": "deal.created",
        "messageId": "m-3",
        "context": {"traits": {"email": "bob@mills.example"}},
        "properties": {"deal_id": "d-1", "amount": 900.5},
    },
]


async def delivered(leadscore: Installation) -> bool:
    """Whether nothing waits any more, after the visitor became sales qualified."""
    told = await leadscore.fetch("SELECT count(*)::int AS n FROM transitions WHERE stage = 'sql'")
    waiting = await leadscore.fetch(
        "SELECT (SELECT count(*) FROM transitions WHERE planned_at IS NULL)::int"
        " + (SELECT count(*) FROM deliveries WHERE state <> 'delivered')::int AS n"
    )
    return bool(told[0]["n"] > 0 and waiting[0]["n"] == 0)


async def records(kafka: str, topic: str) -> list[dict[str, Any]]:
    """Everything on a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()
        ] or [TopicPartition(topic, number) for number in range(12 if topic.endswith("events.v1") else 3)]
        consumer.assign(partitions)
        wanted = sum((await consumer.end_offsets(partitions)).values())
        found: list[dict[str, Any]] = []
        while len(found) < wanted:
            for some in (await consumer.getmany(timeout_ms=500)).values():
                found += [
                    {
                        "key": record.key.decode(),
                        "headers": [[name, value.decode()] for name, value in record.headers],
                        "value": record.value.decode(),
                    }
                    for record in some
                ]
        return found
    finally:
        await consumer.stop()


async def rows(leadscore: Installation, table: str) -> list[dict[str, Any]]:
    """Every row, with bytes as base64 and times as text."""
    found = await leadscore.fetch(f"SELECT * FROM {table}")
    return [{name: plain(value) for name, value in row.items()} for row in found]


def plain(value: Any) -> Any:
    """A value as JSON can hold it; bytes are told apart."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return str(value)
