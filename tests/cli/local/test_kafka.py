"""Embedded Kafka as a user meets it: first start, second start, kill -9."""

import asyncio
import os
import signal
from pathlib import Path
from threading import Event

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.cli.local import jars
from services.cli.local.kafka import KafkaServer
from services.cli.topics import check, ensure
from shared.errors import Misconfigured
from shared.kafka.connect import Connection
from shared.topics import Topics
from tests.servers import JARS
from tests.waiting import until


async def _send(address: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait(topic, b"kept")
    await producer.stop()


async def _first_value(address: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), 20)
        return bytes(record.value or b"")
    finally:
        await consumer.stop()


@pytest.mark.asyncio
async def test_kafka_keeps_address_topics_and_records_over_stop_and_kill(tmp_path: Path) -> None:
    """Stopped in order or killed, the next start has the same address, topics and records."""
    server = KafkaServer(tmp_path, cache=JARS)
    await server.stop()
    address = await server.start()
    first_pid = server.pid
    assert await server.start() == address
    assert server.pid == first_pid
    connection = Connection(bootstrap_servers=address, client_id="tests", options={})
    await ensure(connection, Topics())
    await _send(address, Topics().sales)
    await server.stop()
    await server.stop()
    assert not server.running

    assert await server.start() == address
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    again = KafkaServer(tmp_path, cache=JARS)
    assert await again.start() == address
    assert await check(connection, Topics()) == []
    assert await _first_value(address, Topics().sales) == b"kept"
    await again.stop()
    await server.stop()


@pytest.mark.asyncio
async def test_kafka_starts_in_a_folder_of_any_name(tmp_path: Path) -> None:
    """Letters beyond ASCII, a comma and a space in the paths of data and jars are no matter."""
    folder = tmp_path / "Müller, x"
    folder.mkdir()
    (folder / "jars").symlink_to(JARS)
    environment = {"PATH": os.environ["PATH"], "LEADSCORE_KAFKA_JARS": str(folder / "jars")}
    server = KafkaServer(folder / "kafka", cache=JARS, environment=environment)
    await server.start()
    # By this path a leftover is recognised.
    assert str(folder / "kafka" / "server.properties") in psutil.Process(server.pid).cmdline()
    await server.stop()
    assert (folder / "kafka" / "data" / "meta.properties").exists()


@pytest.mark.asyncio
async def test_missing_jars_stop_the_start_with_one_sentence(tmp_path: Path) -> None:
    """Nothing is started, formatted or left running when the jars are not there."""
    environment = {"PATH": os.environ["PATH"], "LEADSCORE_KAFKA_JARS": str(tmp_path)}
    server = KafkaServer(tmp_path / "kafka", cache=JARS, environment=environment)
    with pytest.raises(Misconfigured, match="and 43 more; put them there, or set LEADSCORE_KAFKA_JARS"):
        await server.start()
    assert not server.running
    assert not (tmp_path / "kafka" / "data").exists()


@pytest.mark.asyncio
async def test_a_start_that_is_given_up_fetches_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ctrl-C in the first start reaches the thread that fetches the jars."""
    heard: list[bool] = []
    fetching = Event()

    def provide(_cache: Path, _wanted: object, _environment: object, stop: Event) -> list[Path]:
        fetching.set()
        heard.append(stop.wait(10))
        return []

    monkeypatch.setattr(jars, "provide", provide)
    starting = asyncio.create_task(KafkaServer(tmp_path, cache=JARS).start())
    await until(fetching.is_set)
    starting.cancel()
    await until(lambda: bool(heard))
    assert heard == [True]
    assert starting.cancelled()


@pytest.mark.asyncio
async def test_a_broker_that_ends_at_once_says_why(tmp_path: Path) -> None:
    """The message carries the end of its log and where to read the rest."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\ncluster.id=x\nnode.id=7\n")
    server = KafkaServer(tmp_path, cache=JARS)
    with pytest.raises(Misconfigured, match=r"Kafka did not start in .*kafka\.log ends with:\n"):
        await server.start()
    assert not server.running
