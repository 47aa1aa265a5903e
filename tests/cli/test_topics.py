"""The topics command: what is missing is made, what differs is told and left alone."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from typer.testing import CliRunner

from services.cli.__main__ import COMMANDS, application
from services.cli.topics import Found, check, compare, ensure
from shared.errors import Transient
from shared.kafka.connect import Connection
from shared.topics import Topic, Topics

_DAY_MS = 24 * 3600 * 1000
WANTED = Topic(name="leads.events.v1", partitions=12, retention_ms=14 * _DAY_MS, key="person")


def test_a_topic_that_is_as_wanted_needs_nothing() -> None:
    """No line and nothing to create when partitions, replicas and retention agree."""
    found = Found(partitions=12, replicas=3, acknowledging=2, retention_ms=14 * _DAY_MS)
    seen = compare([WANTED], {"leads.events.v1": found}, 3)
    assert (seen.missing, seen.differences) == ((), ())


def test_an_absent_topic_is_missing() -> None:
    """A topic that the cluster does not have is to be created."""
    assert compare([WANTED], {}, 3).missing == (WANTED,)


def test_what_differs_is_told_with_the_remedy() -> None:
    """Each difference is one sentence with the value seen, the value wanted and what would work."""
    found = Found(partitions=3, replicas=1, acknowledging=1, retention_ms=1000)
    partitions, replicas, retention = compare([WANTED], {"leads.events.v1": found}, 3).differences
    assert "has 3 partitions, 12 are wanted" in partitions
    assert "kafka-topics --alter" in partitions
    assert "1 replica(s), 3 are wanted" in replicas
    assert "auto.create.topics.enable" in replicas
    assert "retention.ms=1000, 1209600000 is wanted" in retention


def test_three_replicas_of_which_one_acknowledges_are_told() -> None:
    """Replicas were added and the second half of the advice forgotten: one broker's loss is an event's."""
    found = Found(partitions=12, replicas=3, acknowledging=1, retention_ms=14 * _DAY_MS)
    (line,) = compare([WANTED], {"leads.events.v1": found}, 3).differences
    assert "has min.insync.replicas=1, 2 is wanted" in line
    assert "--add-config min.insync.replicas=2" in line


@pytest.mark.asyncio
async def test_ensure_creates_once_and_then_has_nothing_to_say(kafka: Connection) -> None:
    """A first run makes every topic and says so; a second finds them as wanted."""
    ours = Topics(prefix="ensured-once.")
    created = await ensure(kafka, ours)
    assert created[0] == "created ensured-once.leads.events.v1: 12 partitions, kept 14 days"
    assert len(created) == len(ours.wanted())
    assert await ensure(kafka, ours) == []
    assert await check(kafka, ours) == []


@pytest.mark.asyncio
async def test_check_changes_nothing(kafka: Connection) -> None:
    """Checking an empty cluster reports each topic as missing, every time."""
    ours = Topics(prefix="never-made.")
    first = await check(kafka, ours)
    assert [line.split(":")[0] for line in first] == [f"missing {topic.name}" for topic in ours.wanted()]
    assert await check(kafka, ours) == first


@pytest.mark.asyncio
async def test_a_topic_with_other_partitions_is_left_alone(kafka: Connection) -> None:
    """A topic that exists differently stays as it is, and the line says so each time."""
    ours = Topics(prefix="differs.")
    admin = AIOKafkaAdminClient(**kafka.arguments())
    await admin.start()
    await admin.create_topics([NewTopic(ours.events, 2, 1, topic_configs={"retention.ms": "60000"})])
    await admin.close()
    lines = [line for line in await ensure(kafka, ours) if not line.startswith("created")]
    assert [line.split(" Not changed")[0] for line in lines] == [
        "differs.leads.events.v1 has 2 partitions, 12 are wanted.",
        "differs.leads.events.v1 has retention.ms=60000, 1209600000 is wanted.",
    ]
    assert await check(kafka, ours) == lines


@pytest.mark.asyncio
async def test_an_absent_kafka_is_transient() -> None:
    """Nothing on the port: try again later, not a mistake in the data or the settings."""
    nobody = Connection(bootstrap_servers="127.0.0.1:1", client_id="tests", options={})
    with pytest.raises(Transient, match=r"127\.0\.0\.1:1"):
        await ensure(nobody, Topics())


def test_a_difference_can_be_tolerated(kafka: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that differs is told, and ends with 1; with --tolerate too, and with 0: services may start."""
    ours = Topics(prefix="tolerated.")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("LEADSCORE_TOPIC_PREFIX", ours.prefix)

    async def differ() -> None:
        admin = AIOKafkaAdminClient(**kafka.arguments())
        await admin.start()
        await admin.create_topics([NewTopic(ours.events, 2, 1)])
        await admin.close()

    asyncio.run(differ())
    for argv, code in ((["topics"], 1), (["topics", "--tolerate"], 0)):
        done = CliRunner().invoke(application(COMMANDS, argv), argv)
        assert "has 2 partitions, 12 are wanted" in done.output
        assert done.exit_code == code
