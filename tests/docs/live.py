"""What `make run` starts, for a reader of the documents to work with.

In: the run's Kafka and Postgres, a folder. Out: `Live`: the processes run, nothing has been sent.
Refuses to share tables, topics or a consumer group with other tests.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer

from services.cli.imports.pace import Backlog
from services.cli.installation import Installation
from shared.database import engine, transaction
from tests.docs.blocks import ROOT
from tests.waiting import until

_UP: Final = "Leadscore is up"
_START_S: Final = 60
_STOP_S: Final = 40
_SETTLE_S: Final = 60
_UNDELIVERED: Final = """
SELECT (SELECT count(*) FROM transitions WHERE planned_at IS NULL)
     + (SELECT count(*) FROM deliveries WHERE state IN ('pending', 'claimed'))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """environment: of a shell beside it."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def known(self) -> dict[str, str]:
        """Addresses and secrets, as `leadscore up` keeps them."""
        return Installation(folder=self.folder).known()

    def settle(self) -> None:
        """Return when everything that was sent is counted, and told."""
        asyncio.run(self._settle())

    async def _settle(self) -> None:
        known = self.known
        topic = f"{self.environment['LEADSCORE_TOPIC_PREFIX']}leads.events.v1"
        pool = engine(known["DATABASE_URL"], application="docs-test", pool_size=1)
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=known["KAFKA_BOOTSTRAP_SERVERS"])
        await consumer.start()
        backlog = Backlog(consumer, pool, topic)

        async def waiting() -> tuple[int, int]:
            """Records that are not counted, moves that are not told."""
            async with transaction(pool) as connection:
                untold = await connection.fetchval(_UNDELIVERED)
            return await backlog.waiting(), untold

        async def quiet() -> bool:
            return await waiting() == (0, 0)

        try:
            await until(quiet, within_s=_SETTLE_S)
        except TimeoutError as error:
            said = (self.folder.parent / "make-run.log").read_text()[-3000:]
            raise AssertionError(
                f"(uncounted, untold) stays {await waiting()}; the services say:\n{said}"
            ) from error
        finally:
            await consumer.stop()
            await pool.dispose()


@contextmanager
def live(folder: Path, servers: Mapping[str, str], prefix: str, more: Mapping[str, str]) -> Iterator[Live]:
    """`make run` in this folder, with the run's servers; stopped by what Ctrl-C sends.

    more: what a guide puts in front of `make run`
    """
    mine = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("LEADSCORE_", "KAFKA_"))
        },
        "LEADSCORE_DATA": str(folder),
        "LEADSCORE_TOPIC_PREFIX": prefix,
        "LEADSCORE_SCORER_GROUP": f"{prefix}scorer",
    }
    mine.pop("DATABASE_URL", None)
    log = folder.parent / "make-run.log"
    with log.open("wb") as output:
        # -o setup: the environment that runs this test is the one that setup made.
        made = subprocess.Popen(
            ["make", "--no-print-directory", "-o", "setup", "run"],
            cwd=ROOT,
            env={**mine, **servers, **more},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_up(made, log)
        yield Live(folder=folder, environment=mine)
    finally:
        os.killpg(made.pid, signal.SIGINT)
        made.wait(timeout=_STOP_S)


def _wait_until_up(made: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while _UP not in log.read_text():
        assert made.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
