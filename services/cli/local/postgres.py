"""Embedded PostgreSQL: one server, one folder, one child process.

In: a folder, a port. Out: the URL of a running server with the database `leadscore` in it.
Refuses to touch anything outside its folder: no user is made, no right of a foreign directory changed.
"""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import asyncpg

from services.cli.local import memory, ports, postgres_data
from services.cli.local.process import Child, Command, stop_leftover
from services.cli.local.server import LocalServer
from shared.errors import Misconfigured

DATABASE: Final = "leadscore"
_START_LIMIT_S: Final = 600.0  # crash recovery replays the log first; stopped at that, it would begin anew
# Only for data that may be lost: a test's.
_FAST: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
# An eighth of the memory: others live here too. PostgreSQL's own 128 MB make it fetch each page of a history
# from the system again (a plan over a million events spent a fifth of its time on that).
_BUFFERS_SHARE: Final = 8
_BUFFERS_MB: Final = (128, 1024)
_ALWAYS: Final = (
    "listen_addresses=127.0.0.1",
    # Nobody uses it, and its path may not be longer than 103 bytes.
    "unix_socket_directories=",
    "max_connections=200",
    "timezone=UTC",
    "log_timezone=UTC",
)


class PostgresServer(LocalServer):
    """A server on 127.0.0.1. Starting and stopping twice is legal.

    folder:       everything it owns: `data`, its log, its pid and port
    port:         first wish; 0 takes any. The port of the last start is kept where it is free
    fast:         no fsync, least memory: several times faster, and a crash of the machine may lose everything
    environment:  where LEADSCORE_PG_BIN and PATH are read from
    """

    name = "postgres"

    def __init__(
        self, folder: Path, *, port: int = 0, fast: bool = False, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.folder = folder.resolve()
        self._wished = port
        self._fast = fast
        self._environment = environment

    @property
    def url(self) -> str:
        """Where it answers; only meaningful after start."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{DATABASE}"

    async def start(self) -> str:
        """Start it and return its URL when it answers.

        Raises Misconfigured if there are no programs, or with the end of the log if it does not come up.
        """
        if self.running:
            return self.url
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self._command()
        await stop_leftover(command)
        postgres_data.take_over_pid_file(self._data)
        binaries = await asyncio.to_thread(postgres_data.prepare, self._data, self._environment)
        [self.port] = ports.remembered(self.folder / "port.json", [self._wished])
        self._child = Child(
            replace(command, argv=self._argv(binaries), user=postgres_data.runs_as(self._data))
        )
        await self._until_it_answers(self._child)
        return self.url

    def _command(self) -> Command:
        return Command(
            name=self.name,
            argv=(),
            folder=self.folder,
            mark="postgres",
            stop_signal=signal.SIGINT,
            stop_s=30.0,
            cwd=self._data,
            environment=postgres_data.ENVIRONMENT,
        )

    def _argv(self, binaries: Path) -> list[str]:
        pace = _FAST if self._fast else (f"shared_buffers={_buffers_mb()}MB",)
        settings = [*_ALWAYS, f"port={self.port}", *pace]
        flags = [flag for setting in settings for flag in ("-c", setting)]
        return [str(binaries / "postgres"), "-D", postgres_data.as_told(self._data), *flags]

    async def _until_it_answers(self, child: Child) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        await child.start()
        while not (self._says_ready(child) and await self._answers()):
            if time.monotonic() > deadline:
                await child.stop()
            elif not child.running and self._backends_linger(child):
                await child.start()
            if not child.running:
                raise Misconfigured(
                    f"PostgreSQL did not start in {self.folder}; {child.command.log_file} ends with:",
                    child.last_lines(),
                )
            await asyncio.sleep(0.02)

    def _backends_linger(self, child: Child) -> bool:
        """True right after a kill -9 of the server: its backends need a moment to notice."""
        return any("shared memory block" in line and "in use" in line for line in child.last_lines())

    def _says_ready(self, child: Child) -> bool:
        """True when the server in our folder is our child and is up: another may answer on that port."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(child.pid) and lines[7].strip() == "ready"

    async def _answers(self) -> bool:
        """True when it takes connections; makes our database if it is missing."""
        try:
            connection = await asyncpg.connect(self.url.replace(f"/{DATABASE}", "/postgres"), timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await connection.close()
        return True


def _buffers_mb() -> int:
    """What it may keep in memory of its own files."""
    least, most = _BUFFERS_MB
    return min(max(memory.total_bytes() // memory.MEBIBYTE // _BUFFERS_SHARE, least), most)
