"""What must not grow: looked at every ten seconds.

In: the running installation. Out: samples. Refuses to let a look end the soak: there is none while
Postgres is away, or a process ends while it is looked at.
"""

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil

from benchmarks.meters import family, held
from benchmarks.soak.senders import Senders
from shared.errors import LeadscoreError
from tests.faults.conftest import World
from tests.installation import ROOT

LOG: Final = ROOT / ".cache" / "soak.jsonl"
"""The samples of the last soak, to look at while it runs and when something grew."""
_EVERY_S: Final = 10.0
_DATABASE: Final = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS connections,
  (SELECT sum(n_dead_tup)::float8 / greatest(sum(n_live_tup), 1) FROM pg_stat_user_tables) AS dead_share,
  pg_database_size(current_database()) AS bytes,
  (SELECT coalesce(sum(next_offset - started_at_offset), 0)::bigint FROM partition_offsets) AS taken
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look.

    at_s:        since the soak began
    memory:      process → bytes of resident set (Postgres: proportional set of all its processes)
    files:       open file descriptors of our services together
    dead_share:  dead rows for each live one, over all tables
    database, kafka: bytes on disk
    acknowledged, taken: events so far, so that bytes can be divided by them
    """

    at_s: float
    memory: dict[str, int]
    files: int
    connections: int
    dead_share: float
    database: int
    kafka: int
    acknowledged: int
    taken: int


async def keep(world: World, samples: list[Sample], senders: Senders) -> None:
    """Add a sample every ten seconds, to LOG too; never returns."""
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_text("")
    began = time.monotonic()
    while True:
        await asyncio.sleep(_EVERY_S)
        try:
            [row] = await world.leadscore.fetch(_DATABASE)
            taken = await asyncio.to_thread(_of_processes, world)
        except (LeadscoreError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, psutil.Error):
            continue
        samples.append(_sample(time.monotonic() - began, row, taken, senders.acknowledged))
        with LOG.open("a") as log:
            log.write(json.dumps(asdict(samples[-1])) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Processes:
    memory: dict[str, int]
    files: int
    kafka: int


def _sample(at_s: float, row: dict[str, Any], processes: _Processes, acknowledged: int) -> Sample:
    return Sample(
        at_s=at_s,
        memory=processes.memory,
        files=processes.files,
        connections=row["connections"],
        dead_share=row["dead_share"],
        database=row["bytes"],
        kafka=processes.kafka,
        acknowledged=acknowledged,
        taken=row["taken"],
    )


def _of_processes(world: World) -> _Processes:
    services = [*world.leadscore.services.values(), *world.leadscore.more_scorers]
    memory: dict[str, int] = {}
    files = 0
    for service in services:
        if (process := _alive(service.pid)) is not None:
            memory[service.name] = max(memory.get(service.name, 0), process.memory_info().rss)
            files += process.num_fds()
    if (kafka := _alive(world.kafka.pid)) is not None:
        memory["Kafka"] = kafka.memory_info().rss
    if (postgres := _alive(world.postgres.pid)) is not None:
        memory["Postgres"] = sum(held(each) for each in family(postgres.pid))
    return _Processes(memory=memory, files=files, kafka=_bytes(world.kafka.folder))


def _alive(pid: int | None) -> psutil.Process | None:
    try:
        return psutil.Process(pid) if pid else None
    except psutil.NoSuchProcess:
        return None


def _bytes(folder: Path) -> int:
    """What the files of a folder take; one that goes while we look takes nothing."""
    return sum(_size(path) for path in folder.rglob("*"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except OSError:
        return 0
