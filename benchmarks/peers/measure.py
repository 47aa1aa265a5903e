"""The peer: how many events per second it counts while there is always more to do.

In: a stage, a backlog. Out: a `Backlog`. Refuses to time its start, as for the scorer.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final

import asyncpg

from benchmarks.backlog import Backlog, Task, produce, result, watch
from benchmarks.peers.environment import python
from benchmarks.stage import ROOT, Setting, Stage, process, setting

_PEER: Final = ROOT / "benchmarks" / "peers" / "quix.py"
_DONE: Final = "SELECT count(*), true FROM peer_events"
_TABLE: Final = "CREATE TABLE peer_events (timestamp timestamptz NOT NULL, event_id text PRIMARY KEY)"


async def count(on: Stage, task: Task) -> Backlog:
    """Fill the topic, start the peer, wait until it has counted everything.

    Raises CalledProcessError if its packages cannot be had.
    """
    interpreter = await asyncio.to_thread(python)
    within = await setting(on, task.name)
    await _prepare(within)
    await produce(within, task.crowd(task.events, datetime.now(UTC)))
    watching = asyncio.create_task(watch(within.database, _DONE, task.events))
    argv = [
        str(interpreter),
        str(_PEER),
        on.kafka.bootstrap_servers,
        within.topics.events,
        within.database,
        str(on.folder / "peer-state"),
    ]
    async with process(within, "peer", argv) as peer:
        return result(task, await watching, [peer])


async def _prepare(within: Setting) -> None:
    """The table that is asked for progress: the sink adds its other columns."""
    connection = await asyncpg.connect(within.database)
    try:
        await connection.execute(_TABLE)
    finally:
        await connection.close()
