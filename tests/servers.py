"""The real Kafka and Postgres of one test run: started by who asks first, gone when the last user is.

In: which server, a folder that all workers of the run share. Out: its address.
Refuses to outlive the run: a keeper process owns the server, and every user holds a shared lock on one file;
when the keeper gets that lock for itself, no user is left — however they ended, kill -9 included.

    python -m tests.servers kafka <folder>      the keeper; returns at once, goes on in the background
"""

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from services.cli.local.kafka import KafkaServer
from services.cli.local.postgres import PostgresServer

REPOSITORY: Final = Path(__file__).resolve().parents[1]
JARS: Final = REPOSITORY / ".cache" / "kafka"
_START_LIMIT_S: Final = 150
_STOP_LIMIT_S: Final = 40


@contextmanager
def shared_server(kind: str, folder: Path) -> Iterator[str]:
    """The address of the run's server for as long as the block lasts.

    kind:    `kafka` or `postgres`
    folder:  the same for every worker of the run
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{kind}.users").open("a") as users:
        # Before the keeper starts, so that it never finds itself without users; and it waits here for
        # one that is just stopping.
        fcntl.flock(users, fcntl.LOCK_SH)
        with (folder / f"{kind}.starting").open("a") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            address = folder / f"{kind}.address"
            if not address.exists():
                _start_keeper(kind, folder)
        yield address.read_text()


def wait_until_gone(folder: Path) -> None:
    """Return when the keepers of this run have stopped their servers."""
    deadline = time.monotonic() + _STOP_LIMIT_S
    while any(folder.glob("*.address")) and time.monotonic() < deadline:
        time.sleep(0.05)


def _start_keeper(kind: str, folder: Path) -> None:
    """Start it and wait for the address; its own complaint is the message if there is none."""
    log = folder / f"{kind}.keeper.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "tests.servers", kind, str(folder)],
            cwd=REPOSITORY,
            stdout=output,
            stderr=output,
            timeout=_START_LIMIT_S,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"the {kind} server of this test run did not start:\n{log.read_text()}")


def _keep(kind: str, folder: Path) -> None:
    """Be the keeper: start the server, let the caller go on, stop when the last user is gone."""
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        sys.exit(0 if os.read(read, 1) else "it ended before it answered; see above")
    os.setsid()
    os.close(read)
    asyncio.run(_live(kind, folder, write))


async def _live(kind: str, folder: Path, started: int) -> None:
    data = folder / kind
    server = PostgresServer(data, fast=True) if kind == "postgres" else KafkaServer(data, cache=JARS)
    address = folder / f"{kind}.address"
    with (folder / f"{kind}.users").open("a") as users:
        address.write_text(await server.start())
        os.write(started, b"1")
        os.close(started)
        await asyncio.to_thread(fcntl.flock, users, fcntl.LOCK_EX)
        try:
            await server.stop()
            shutil.rmtree(data / "data")
        finally:
            address.unlink()


if __name__ == "__main__":
    _keep(sys.argv[1], Path(sys.argv[2]))
