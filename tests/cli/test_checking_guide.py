"""Every command of docs/guides/checking-and-correcting.md runs as it stands there."""

import asyncio
import re
import shlex
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
import pytest

from shared.events import Event, Machine
from shared.ids import EventId
from shared.topics import Topics
from tests.cli.lead.test_who_is_who import Told, run, told
from tests.scorer.identity.people import seen

__all__ = ["told"]

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "checking-and-correcting.md"
BOOK = """
INSERT INTO partition_offsets (consumer_group, topic, partition, epoch, generation, owner,
  started_at_offset, next_offset, counted, quarantined, dead_lettered)
SELECT 'g', 't', 0, 1, 1, 'test', 0, count(*) + 2, count(*) FILTER (WHERE quarantine IS NULL),
  count(*) FILTER (WHERE quarantine IS NOT NULL), 2 FROM events
"""
LETTERS = """
INSERT INTO dead_letters (topic, partition, record_offset, code, message, key, value, headers)
SELECT 't', 0, n, 'not_an_event', 'not an event', 'k', 'x', '[["h", "MQ=="]]' FROM generate_series(1, 2) AS n
"""
IDS = re.compile(r"d6a2a4a9-0000-5000-8000-\d{12}")


def named(event_id: str, event: Event) -> Event:
    return msgspec.structs.replace(event, event_id=EventId(UUID(event_id)))


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def test_every_command_of_the_guide_runs(
    told: Told, database: str, kafka_server: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, for a person, two events and two dead letters that have such names; nothing is off before."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_server)
    monkeypatch.setenv("LEADSCORE_TOPIC_PREFIX", topics.prefix)
    one, two = sorted(set(IDS.findall(GUIDE.read_text())))
    told(
        named(one, seen(1, email="ada@firma.example", name="form.submitted")),
        named(two, seen(2, email="ada@firma.example", machine=Machine(reason="webdriver"))),
        seen(3, user_id="undefined"),
    )
    asyncio.run(execute(database, BOOK, LETTERS))
    found = re.findall(r"^leadscore (reconcile)$|`leadscore ([^`]+)`", GUIDE.read_text(), re.MULTILINE)
    commands = [first or second for first, second in found]
    ran = [command for command in commands if is_whole(command)]
    assert len(ran) == 11
    for command in ran:
        run(*shlex.split(command))


def is_whole(command: str) -> bool:
    """Whether this is a command to be typed, and no mere mention of one that has its own guide."""
    return command.startswith(("reconcile", "events", "dead-letters"))
