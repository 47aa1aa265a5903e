"""`leadscore topics`: create the topics that are missing, tell where the others are not as they should be.

In: a connection, the topics as wanted (shared/topics.py). Out: one line per difference.
Refuses to change a topic that exists: more partitions would send a person's later events elsewhere, and with
what our Kafka client has, setting one value of a topic takes back all its others. The line says how to do it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from shared.errors import Misconfigured, Transient
from shared.kafka import connect
from shared.kafka.connect import Connection
from shared.settings import TopicSettings, load
from shared.topics import Topic, Topics

_REPLICAS: Final = 3
_DENIED: Final = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)
_VISIBLE_LIMIT_S: Final = 15.0
_DAY_MS: Final = 24 * 3600 * 1000
_SETTINGS: Final = ("min.insync.replicas", "retention.ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A topic as the cluster has it."""

    partitions: int
    replicas: int
    acknowledging: int
    """How many of them have to have an event before it is acknowledged (min.insync.replicas)."""
    retention_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is missing, and a sentence for each topic that differs."""

    missing: tuple[Topic, ...]
    differences: tuple[str, ...]


def topics(
    *,
    check_only: Annotated[bool, typer.Option("--check", help="Change nothing; say what is missing.")] = False,
    tolerate: Annotated[
        bool, typer.Option("--tolerate", help="Exit with 0 where a topic differs: it may be meant.")
    ] = False,
) -> None:
    """Create the Kafka topics that are missing; exit with 1 where one is not as it should be."""
    settings = load(TopicSettings)
    connection, wanted = connect.connection(settings, "leadscore-topics"), connect.kept_topics(settings)
    lines = asyncio.run(check(connection, wanted) if check_only else ensure(connection, wanted))
    for line in lines or ["all topics are as they should be"]:
        typer.echo(line)
    if not tolerate and any(not line.startswith("created ") for line in lines):
        raise typer.Exit(1)


async def ensure(connection: Connection, topics: Topics) -> list[str]:
    """Create what is missing; return a line for each topic created and for each that differs.

    Raises Transient if Kafka is away or does not answer in time, Misconfigured if it does not let us.
    """
    async with _admin(connection) as admin:
        replicas = await _replicas(admin)
        missing = compare(topics.wanted(), await _found(admin, topics), replicas).missing
        created = await _create(admin, missing, replicas) if missing else []
        # Compared again: one that somebody else made a moment ago is not as we would have made it.
        differences = compare(topics.wanted(), await _found(admin, topics), replicas).differences
        return [*(f"created {_shown(topic)}" for topic in created), *differences]


async def check(connection: Connection, topics: Topics) -> list[str]:
    """A line for each topic that is missing or differs; changes nothing.

    Raises Transient if Kafka is away or does not answer in time.
    """
    async with _admin(connection) as admin:
        comparison = compare(topics.wanted(), await _found(admin, topics), await _replicas(admin))
        return [*(f"missing {_shown(topic)}" for topic in comparison.missing), *comparison.differences]


def compare(wanted: Sequence[Topic], found: Mapping[str, Found], replicas: int) -> Comparison:
    """Tell the topics as wanted from those the cluster has.

    replicas: how many each partition should have in this cluster
    """
    differences = []
    for topic in wanted:
        if seen := found.get(topic.name):
            differences += _differences(topic, seen, replicas)
    return Comparison(
        missing=tuple(topic for topic in wanted if topic.name not in found), differences=tuple(differences)
    )


def _differences(topic: Topic, seen: Found, replicas: int) -> list[str]:
    lines = []
    if seen.partitions != topic.partitions:
        lines.append(
            f"{topic.name} has {seen.partitions} partitions, {topic.partitions} are wanted. Not changed: a "
            "person's later events would go elsewhere: drain it, then `kafka-topics --alter --partitions`."
        )
    if seen.replicas < replicas:
        lines.append(
            f"{topic.name} has {seen.replicas} replica(s), {replicas} are wanted: a broker that "
            "is lost takes events with it. Kafka may have made it by itself (auto.create.topics.enable). Not "
            "changed: `kafka-reassign-partitions` adds replicas; then set min.insync.replicas=2."
        )
    if seen.acknowledging < _acknowledging(seen.replicas):
        lines.append(
            f"{topic.name} has min.insync.replicas={seen.acknowledging}, {_acknowledging(seen.replicas)} is "
            "wanted: a broker that is lost takes acknowledged events with it. Not changed: `kafka-configs "
            f"--bootstrap-server … --alter --topic {topic.name} --add-config min.insync.replicas=2`."
        )
    if seen.retention_ms != topic.retention_ms:
        lines.append(
            f"{topic.name} has retention.ms={seen.retention_ms}, {topic.retention_ms} is wanted. Not "
            f"changed: `kafka-configs --bootstrap-server … --alter --topic {topic.name} --add-config "
            f"retention.ms={topic.retention_ms}`, or say with LEADSCORE_RETENTION_TOPIC_… that it is meant."
        )
    return lines


def _shown(topic: Topic) -> str:
    return f"{topic.name}: {topic.partitions} partitions, kept {topic.retention_ms // _DAY_MS} days"


@asynccontextmanager
async def _admin(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; whatever it raises means that Kafka is away, or that its ACLs do not let us."""
    admin = AIOKafkaAdminClient(**connection.arguments(), request_timeout_ms=10_000)
    try:
        await admin.start()
        yield admin
    except _DENIED as error:
        raise Misconfigured(
            f"Kafka at {connection.bootstrap_servers} denies us topics ({type(error).__name__}):",
            ["Whoever we log in as needs Create, Describe and DescribeConfigs on the three topics."],
        ) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise Transient(
            await connect.refusal(connection)
            or f"Kafka at {connection.bootstrap_servers} does not do it now: {type(error).__name__}. "
            "Is it running, and does it know us?"
        ) from error
    finally:
        await admin.close()


async def _found(admin: AIOKafkaAdminClient, topics: Topics) -> dict[str, Found]:
    """Those of our topics that exist.

    All topics of the cluster are listed: asking for one by name may create it.
    """
    ours = {topic.name for topic in topics.wanted()}
    listed = [each for each in await admin.describe_topics() if each["topic"] in ours]
    settings = await _settings(admin, [each["topic"] for each in listed])
    return {
        each["topic"]: Found(
            partitions=len(each["partitions"]),
            replicas=min(len(partition["replicas"]) for partition in each["partitions"]),
            acknowledging=settings[each["topic"]]["min.insync.replicas"],
            retention_ms=settings[each["topic"]]["retention.ms"],
        )
        for each in listed
    }


async def _settings(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, int]]:
    """Topic → its settings that we look at."""
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(_SETTINGS)) for name in names]
    answered = [each for response in await admin.describe_configs(asked) for each in response.resources]
    for code, *_rest in answered:
        if code:
            raise for_code(code)
    return {
        name: {entry[0]: int(entry[1]) for entry in entries}
        for _code, _message, _type, name, entries in answered
    }


async def _replicas(admin: AIOKafkaAdminClient) -> int:
    """Three, where there are that many brokers."""
    return min(_REPLICAS, len((await admin.describe_cluster())["brokers"]))


async def _create(admin: AIOKafkaAdminClient, missing: Sequence[Topic], replicas: int) -> list[Topic]:
    """Create them; return those that were ours to create, when every partition has a leader.

    A topic may turn out to exist: a broker lists one only a moment after it was made.
    """
    response = await admin.create_topics([_as_new(topic, replicas) for topic in missing])
    codes = {name: code for name, code, *_message in response.topic_errors}
    for code in codes.values():
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise for_code(code)
    await _until_led(admin, missing)
    return [topic for topic in missing if not codes[topic.name]]


def _as_new(topic: Topic, replicas: int) -> NewTopic:
    """Of three replicas two have to acknowledge; of two, one: both could not be taken down in turn."""
    settings = {
        "retention.ms": str(topic.retention_ms),
        "min.insync.replicas": str(_acknowledging(replicas)),
    }
    return NewTopic(topic.name, topic.partitions, replicas, topic_configs=settings)


def _acknowledging(replicas: int) -> int:
    return 2 if replicas >= _REPLICAS else 1


async def _until_led(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    deadline = time.monotonic() + _VISIBLE_LIMIT_S
    names = [topic.name for topic in topics]
    while not all(_led(each) for each in await admin.describe_topics(names)):
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.05)


def _led(described: dict[str, Any]) -> bool:
    partitions = described["partitions"]
    return bool(partitions) and all(each["leader"] >= 0 for each in partitions)
