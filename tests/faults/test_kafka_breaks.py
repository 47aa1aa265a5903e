"""Rows 11, 12, 13 of the fault matrix: Kafka is killed, loses a topic, or says nothing any more."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.cli.local.kafka import KafkaServer
from services.cli.topics import ensure
from shared.kafka.connect import Connection
from tests.faults.aftermath import all_is_well, ends_of_events, taken_of_events
from tests.faults.conftest import World, kill, own_servers
from tests.faults.proxy import Proxy
from tests.faults.report import Row
from tests.faults.seed import ROUNDS
from tests.faults.traffic import Traffic, flowing
from tests.faults.watching import SESSION_S, all_taken_until_now, counted_more, until_owned_by
from tests.installation import Installation
from tests.ports import free_port
from tests.servers import JARS
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(300 + 150 * ROUNDS)]


@pytest.mark.slow
@pytest.mark.fault(11, "Kafka killed -9 and started again")
async def test_row_11_kafka_killed(world: World, chance: Random, row: Row) -> None:
    """Ingest refuses meanwhile, so that senders try again; the scorer goes on where it was in a minute."""
    leadscore = world.leadscore
    worst_s = 0.0
    async with flowing(leadscore, chance) as traffic:
        for _ in range(ROUNDS):
            await counted_more(leadscore, chance.randrange(50, 400))
            began = time.monotonic()
            await kill(world.kafka)
            before = await taken_of_events(leadscore)
            await world.kafka.start()
            await counted_more(leadscore, 1, within_s=120)
            worst_s = max(worst_s, time.monotonic() - began)
            after = await taken_of_events(leadscore)
            assert all(after[number] >= offset for number, offset in before.items()), "an offset went back"
    row.note(kills=ROUNDS, resumed_s=worst_s, sent_again=traffic.repeated)
    await all_is_well(row, leadscore, traffic)
    assert worst_s <= 60


@pytest.mark.slow
@pytest.mark.parametrize("when", ["while it runs", "while it is down"])
@pytest.mark.parametrize("loss", ["truncated", "made anew"])
@pytest.mark.fault(12, "the events topic")
async def test_row_12_the_topic_lost_records(
    leadscore: Installation, chance: Random, row: Row, loss: str, when: str
) -> None:
    """Records are gone that were never counted: the partitions stop and say so, no offset sets itself."""
    row.fault += f" {loss} {when}"
    await leadscore.start()
    traffic = Traffic(leadscore, chance)
    await traffic.send(600)
    await all_taken_until_now(leadscore)
    counted = (await leadscore.books())["counted"]
    if when == "while it is down":
        await leadscore.scorer.kill()
    else:
        leadscore.scorer.freeze()
    await traffic.send(600)
    before = await taken_of_events(leadscore)
    ends = await ends_of_events(leadscore)
    lost = [number for number, end in ends.items() if end > before[number]]
    assert lost
    if loss == "truncated":
        await _truncate(leadscore, {number: ends[number] for number in lost})
        await traffic.send(300)
    else:
        await _make_anew(leadscore)
    if when == "while it is down":
        await _start_unready(leadscore)
    else:
        leadscore.scorer.thaw()
    await until(lambda: _halted(leadscore, lost), within_s=60)
    after = await taken_of_events(leadscore)
    # What Kafka had sent to a scorer that was frozen just then is no loss: it counts, and no offset above.
    held = {number: after[number] - before[number] for number in lost if after[number] != before[number]}
    assert when == "while it runs" or held == {}
    assert {number for number in held if not before[number] < after[number] < ends[number]} == set()
    row.note(halted=len(lost), held_by_the_frozen=sum(held.values()))
    row.acknowledged, row.counted = len(traffic.acknowledged), (await leadscore.books())["counted"]
    assert row.counted >= counted
    assert await leadscore.off() == []


async def _halted(leadscore: Installation, partitions: Sequence[int]) -> bool:
    """Whether the scorer says of each of these partitions why it does not read it."""
    said = await leadscore.scorer.trouble()
    return all(f"partition {number}:" in said for number in partitions)


async def _start_unready(leadscore: Installation) -> None:
    """Start the scorer, which will not say that it is ready."""
    starting = asyncio.create_task(leadscore.scorer.start())
    await until(lambda: _answers(leadscore), within_s=60)
    starting.cancel()
    await asyncio.wait({starting})


async def _answers(leadscore: Installation) -> bool:
    return "partition" in await leadscore.scorer.trouble()


async def _truncate(leadscore: Installation, until_offset: dict[int, int]) -> None:
    """Delete the first records, as retention does."""
    topic = leadscore.topics.events
    admin = AIOKafkaAdminClient(bootstrap_servers=leadscore.kafka)
    await admin.start()
    try:
        await admin.delete_records(
            {
                TopicPartition(topic, number): RecordsToDelete(before_offset=offset)
                for number, offset in until_offset.items()
            }
        )
    finally:
        await admin.close()


async def _make_anew(leadscore: Installation) -> None:
    """Delete the topic and create it again, as somebody does who wants to begin afresh."""
    admin = AIOKafkaAdminClient(bootstrap_servers=leadscore.kafka)
    await admin.start()
    try:
        await admin.delete_topics([leadscore.topics.events])

        async def gone() -> bool:
            return leadscore.topics.events not in await admin.list_topics()

        await until(gone)
    finally:
        await admin.close()
    connection = Connection(bootstrap_servers=leadscore.kafka, client_id="tests", options={})
    await ensure(connection, leadscore.topics)


@pytest_asyncio.fixture
async def silent_world(tmp_path: Path) -> AsyncIterator[tuple[World, Proxy]]:
    """An installation whose first scorer reaches Kafka through a proxy, at an address Kafka gives it."""
    direct, behind, controller = free_port(), free_port(), free_port()
    proxy = Proxy(free_port(), behind)
    names = {
        "listeners": f"PLAINTEXT://127.0.0.1:{direct},PROXIED://127.0.0.1:{behind},"
        f"CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{direct},PROXIED://127.0.0.1:{proxy.port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
    kafka = KafkaServer(tmp_path / "kafka", cache=JARS, wished_ports=(direct, controller), more=names)
    await proxy.start()
    try:
        async with own_servers(tmp_path, kafka) as made:
            scorer = made.leadscore.scorer
            at = f"127.0.0.1:{proxy.port}"
            scorer.environment = {**scorer.environment, "KAFKA_BOOTSTRAP_SERVERS": at}
            yield made, proxy
    finally:
        await proxy.stop()


@pytest.mark.slow
@pytest.mark.fault(13, "the line to Kafka goes silent, unclosed")
async def test_row_13_a_black_hole_to_kafka(
    silent_world: tuple[World, Proxy], chance: Random, row: Row
) -> None:
    """The group gives its partitions away within the session; when the line is back it is a member again."""
    world, proxy = silent_world
    leadscore = world.leadscore
    cut_off = leadscore.scorer
    other = leadscore.another_scorer(KAFKA_BOOTSTRAP_SERVERS=leadscore.kafka)
    await leadscore.start()
    await other.start()
    worst_s = back_s = 0.0
    async with flowing(leadscore, chance) as traffic:
        for _ in range(ROUNDS):
            await until_owned_by(leadscore, cut_off, other)
            await counted_more(leadscore, chance.randrange(50, 400))
            proxy.silent = True
            began = time.monotonic()
            await until_owned_by(leadscore, other)
            await all_taken_until_now(leadscore)
            worst_s = max(worst_s, time.monotonic() - began)
            proxy.silent = False
            began = time.monotonic()
            await until_owned_by(leadscore, cut_off, other, within_s=120)
            back_s = max(back_s, time.monotonic() - began)
    row.note(taken_over_s=worst_s, back_s=back_s)
    books = await all_is_well(row, leadscore, traffic)
    assert worst_s <= SESSION_S + 5
    assert books["duplicate"] <= traffic.repeated
