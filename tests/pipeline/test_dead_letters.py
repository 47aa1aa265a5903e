"""Dead letters are sent again through the real Kafka: counted once, or a dead letter of their own again."""

import os
import subprocess
import sys
from uuid import uuid4

import pytest

from services.scorer.store import dead_letters
from shared import database as postgres
from shared.codec import cloudevent_headers, encode, partition_key
from shared.database import transaction
from shared.errors import Invalid
from shared.kafka.connect import Connection
from shared.kafka.publish import KafkaPublisher, Record
from shared.kafka.stream import Received
from tests.installation import ROOT, Installation
from tests.scorer.conftest import event
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]


def retry(leadscore: Installation, *argv: str) -> str:
    """`leadscore dead-letters retry …` as an operator runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "dead-letters", "retry", *argv],
        cwd=ROOT,
        env={**os.environ, **leadscore.scorer.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_record_that_fails_again_is_another_dead_letter(leadscore: Installation) -> None:
    """Its number is new, its offset too; the one that was sent again is resolved; the books balance."""
    publisher = KafkaPublisher(Connection(bootstrap_servers=leadscore.kafka, client_id="tests", options={}))
    await publisher.start()
    await until(lambda: _connected(publisher))
    broken = Record(topic=leadscore.topics.events, key=b"broken", value=b"no event", headers=[("h", b"1")])
    await publisher.publish([broken], deadline_s=10)
    await publisher.stop()
    await until(lambda: leadscore.taken(1), within_s=60)
    assert "1 sent again" in retry(leadscore, "1")
    await until(lambda: leadscore.taken(2), within_s=60)
    rows = await leadscore.fetch("SELECT * FROM dead_letters ORDER BY dead_letter_id")
    assert [row["resolved_at"] is None for row in rows] == [False, True]
    first, second = ({**row, "key": bytes(row["key"])} for row in rows)
    same = ("topic", "partition", "code", "key", "value", "headers")
    assert [first[name] for name in same] == [second[name] for name in same]
    assert second["record_offset"] > first["record_offset"]
    assert await leadscore.off() == []


async def test_what_can_be_read_by_now_counts_once(leadscore: Installation) -> None:
    """An event that an older release could not read is counted; sent again once more, it is a duplicate."""
    one = event(f"m-{uuid4()}", name="form.submitted", user_id="u1")
    await _keep(leadscore, one_record=(partition_key(one), encode(one), cloudevent_headers(one)))
    assert "1 sent again" in retry(leadscore, "--code", "too_new")
    await until(lambda: leadscore.counted(1), within_s=60)
    # As if the process had been killed between the acknowledgement and the mark.
    await leadscore.fetch("UPDATE dead_letters SET resolved_at = NULL RETURNING 1")
    assert "1 sent again" in retry(leadscore, "1")
    await until(lambda: leadscore.taken(2), within_s=60)
    books = await leadscore.books()
    assert (books["counted"], books["duplicate"], books["dead_lettered"]) == (1, 1, 0)
    assert [row["event_count"] for row in await leadscore.fetch("SELECT event_count FROM leads")] == [1]


async def _keep(leadscore: Installation, one_record: tuple[bytes, bytes, list[tuple[str, bytes]]]) -> None:
    key, value, headers = one_record
    engine = postgres.engine(leadscore.database, application="test", pool_size=1)
    async with transaction(engine) as connection:
        letter = Received(partition=0, offset=9, timestamp_ms=0, key=key, value=value, headers=tuple(headers))
        await dead_letters.insert(
            connection, leadscore.topics.events, [(letter, Invalid("too_new", "of a newer release"))]
        )
    await engine.dispose()


async def _connected(publisher: KafkaPublisher) -> bool:
    return not publisher.trouble()
