"""Row 8 of the fault matrix, and the guide to backups word for word: the database is one of before.

What was acknowledged after the copy is counted again from Kafka. Leads that the copy has keep their ids, and
so do their deliveries; leads that came later are made anew under other ids, which docs/guides/backup.md says.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from sqlalchemy import make_url

from services.cli.local import postgres_binaries, postgres_data
from tests.books import balanced
from tests.faults.aftermath import (
    counted_once,
    ends_of_events,
    taken_of_events,
    worked_off,
)
from tests.faults.conftest import World, kill
from tests.faults.report import Row
from tests.faults.traffic import Traffic, flowing, visit
from tests.faults.watching import all_taken_until_now, counted_more
from tests.installation import Installation, Service
from tests.servers import REPOSITORY
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(420)]

GUIDE: Final = REPOSITORY / "docs" / "guides" / "backup.md"
DUMP, RESTORE, LOOK = re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
[GIVE_UP] = re.findall(r"^```sql\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


async def type_in(text: str, folder: Path, leadscore: Installation) -> str:
    """What somebody types who reads the guide; it has to end well."""
    ours = f"{postgres_binaries.find()}:{Path(sys.executable).parent}"
    environment = {**os.environ, **leadscore.scorer.environment, "PATH": f"{ours}:{os.environ['PATH']}"}
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euc", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def lose_postgres(world: World) -> None:
    """The server is killed, and its disk is gone; another one has an empty database."""
    await kill(world.postgres)
    shutil.rmtree(world.postgres.folder / "data")
    await world.postgres.start()


async def leads_there(leadscore: Installation) -> set[str]:
    return {str(row["lead_id"]) for row in await leadscore.fetch("SELECT lead_id FROM leads")}


async def all_counted_and_told(leadscore: Installation, traffic: Sequence[Traffic]) -> None:
    """Each acknowledged event has its row, the books add up, reconcile finds nothing, all was delivered."""
    await worked_off(leadscore)
    await counted_once(leadscore, traffic)
    books = await leadscore.books()
    assert balanced(books), books
    assert books["dead_lettered"] == 0
    assert await leadscore.off() == []
    rows = await leadscore.fetch("SELECT delivery_id, state FROM deliveries WHERE destination = 'crm'")
    assert {row["state"] for row in rows} <= {"delivered"}
    got = {UUID(hit.headers["webhook-id"]) for hit in leadscore.receiver.hits}
    assert {row["delivery_id"] for row in rows} <= got


async def told_before_and_not_again(leadscore: Installation) -> list[dict[str, Any]]:
    """What the webhook was told under an id of which there is no row now."""
    rows = await leadscore.fetch("SELECT delivery_id FROM deliveries WHERE destination = 'crm'")
    there = {str(row["delivery_id"]) for row in rows}
    return [
        json.loads(hit.body)["data"]
        for hit in leadscore.receiver.hits
        if hit.headers["webhook-id"] not in there
    ]


@pytest.mark.slow
@pytest.mark.fault(8, "a dump is restored, as the guide says")
async def test_the_guide_to_backups_word_for_word(world: World, chance: Random, tmp_path: Path) -> None:
    """Dumped under traffic, lost, restored: what came after the dump is counted from Kafka, once.

    Leads that the dump has are told as before; who came later is told under another lead id.
    """
    leadscore, others = world.leadscore, [world.leadscore.services["router"], world.leadscore.scorer]
    async with flowing(leadscore, chance, make=partial(visit, people=300)) as traffic:
        await counted_more(leadscore, 100)
        await type_in(DUMP, tmp_path, leadscore)
        await counted_more(leadscore, 200)
    await all_taken_until_now(leadscore)
    counted, lost = (await leadscore.books())["counted"], await leads_there(leadscore)
    for service in others:
        await service.stop()
    await lose_postgres(world)
    await asyncio.gather(type_in(RESTORE, tmp_path, leadscore), traffic.send(100))
    restored, leads = (await leadscore.books())["counted"], await leads_there(leadscore)
    assert restored < counted, "the dump is of before"
    for service in reversed(others):
        await service.start()
        await all_taken_until_now(leadscore)
    await all_counted_and_told(leadscore, [traffic])
    assert (await leadscore.books())["counted"] > counted
    assert "everything is as promised" in (await type_in(LOOK, tmp_path, leadscore))
    again = await told_before_and_not_again(leadscore)
    assert [told["lead"] for told in again if told["lead"] in leads] == []
    assert lost - leads
    assert (lost - leads) & await leads_there(leadscore) == set()


@pytest.mark.slow
@pytest.mark.fault(8, "a dump is older than what Kafka keeps")
async def test_what_kafka_no_longer_has_halts_until_somebody_gives_it_up(
    world: World, chance: Random, tmp_path: Path
) -> None:
    """The dump is older than Kafka's retention: its partitions halt and say so; the guide's SQL goes on."""
    leadscore = world.leadscore
    traffic, lost = Traffic(leadscore, chance), Traffic(leadscore, chance, prefix="lost")
    await traffic.send(300)
    await all_taken_until_now(leadscore)
    await type_in(DUMP, tmp_path, leadscore)
    await lost.send(300)
    await all_taken_until_now(leadscore)
    for service in (leadscore.services["router"], leadscore.scorer):
        await service.stop()
    await forget_in_kafka(leadscore)
    await lose_postgres(world)
    await type_in(RESTORE, tmp_path, leadscore)
    before, ends = await taken_of_events(leadscore), await ends_of_events(leadscore)
    gone = [number for number, end in ends.items() if end > before.get(number, 0)]
    said = await halts(leadscore.scorer, gone)
    await leadscore.scorer.stop()
    for number, first in re.findall(r"partition (\d+): its next offset is \d+, Kafka has (\d+) to", said):
        words = GIVE_UP.replace("9000", first).replace("partition = 3", f"partition = {number}")
        await leadscore.fetch(words)
    await leadscore.scorer.start()
    await leadscore.services["router"].start()
    await traffic.send(200)
    await all_counted_and_told(leadscore, [traffic])


async def halts(scorer: Service, partitions: Sequence[int]) -> str:
    """Start a scorer that cannot get ready, and return what /readyz says when all of these have halted."""
    starting = asyncio.create_task(scorer.start())

    async def told() -> bool:
        said = await scorer.trouble()
        return all(f"partition {number}:" in said for number in partitions)

    await until(told, within_s=60)
    starting.cancel()
    await asyncio.wait({starting})
    return await scorer.trouble()


async def forget_in_kafka(leadscore: Installation) -> None:
    """Delete all records, as retention does in the end."""
    admin = AIOKafkaAdminClient(bootstrap_servers=leadscore.kafka)
    await admin.start()
    try:
        ends = await ends_of_events(leadscore)
        topic = leadscore.topics.events
        await admin.delete_records(
            {TopicPartition(topic, n): RecordsToDelete(before_offset=end) for n, end in ends.items()}
        )
    finally:
        await admin.close()


@pytest.mark.slow
@pytest.mark.fault(8, "a copy of Postgres that lags behind takes over")
async def test_row_08_a_lagging_copy_takes_over(
    world: World, chance: Random, row: Row, tmp_path: Path
) -> None:
    """Under running processes: offsets go back with the rows, also of partitions to which nothing comes."""
    leadscore = world.leadscore
    async with flowing(leadscore, chance) as traffic:
        await counted_more(leadscore, chance.randrange(100, 400))
        copy = await base_backup(world, tmp_path / "copy")
        await counted_more(leadscore, chance.randrange(200, 600))
    await all_taken_until_now(leadscore)
    before = (await leadscore.books())["taken"]
    await kill(world.postgres)
    shutil.rmtree(world.postgres.folder / "data")
    copy.rename(world.postgres.folder / "data")
    await world.postgres.start()
    lost, leads = before - (await leadscore.books())["taken"], await leads_there(leadscore)
    # Nothing is sent any more: each partition has to be looked at by itself.
    again_s = await all_taken_until_now(leadscore)
    await all_counted_and_told(leadscore, [traffic])
    again = await told_before_and_not_again(leadscore)
    assert lost > 0
    assert [told["lead"] for told in again if told["lead"] in leads] == []
    row.acknowledged, row.counted = len(traffic.acknowledged), (await leadscore.books())["counted"]
    row.note(lagged=f"{lost} records", counted_again_s=again_s, told_under_a_new_id=len(again))


async def base_backup(world: World, folder: Path) -> Path:
    """A copy of the server's files while it runs, as a replica that stopped following has them."""
    user = postgres_data.runs_as(world.postgres.folder / "data")
    url = make_url(world.leadscore.database).set(database="postgres").render_as_string(hide_password=False)
    copy = f'pg_basebackup --pgdata {folder} --checkpoint=fast --no-sync --dbname "{url}"'
    owned = f"chown -R {user}:{user} {folder}" if user is not None else ""
    await type_in(f"{copy}\n{owned}", folder.parent, world.leadscore)
    return folder
