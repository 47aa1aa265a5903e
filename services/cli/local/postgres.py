"""Embedded PostgreSQL: one server, one folder, one child process.

In: a folder, a port. Out: the URL of a running server with the database `leadscore` in it.
Refuses to touch anything outside its folder: no user is made, no right of a foreign directory changed.

PostgreSQL refuses to run as root, so for root it runs as the owner of its data (uid 65534 at first). It is
started inside its data folder and told that this is `/proc/self/cwd`: that works even where that user could
not walk to the folder, such as below /root.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from services.cli.local import ports, postgres_binaries
from services.cli.local.process import Child, Command, stop_leftover
from shared.errors import Misconfigured

DATABASE: Final = "leadscore"
_NOBODY: Final = 65534
_START_LIMIT_S: Final = 60.0  # crash recovery replays the log first
# Only for data that may be lost: a test's.
_FAST: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_ALWAYS: Final = (
    "listen_addresses=127.0.0.1",
    # Nobody uses it, and its path may not be longer than 103 bytes.
    "unix_socket_directories=",
    "max_connections=200",
    "timezone=UTC",
    "log_timezone=UTC",
)


class PostgresServer:
    """A server on 127.0.0.1. Starting and stopping twice is legal.

    folder:       everything it owns: `data`, its log, its pid and port
    port:         first wish; 0 takes any. The port of the last start is kept where it is free
    fast:         no fsync: several times faster, and a crash of the machine may lose everything
    environment:  where LEADSCORE_PG_BIN and PATH are read from
    """

    name = "postgres"

    def __init__(
        self, folder: Path, *, port: int = 0, fast: bool = False, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.folder = folder.resolve()
        self.port = 0
        self._wished = port
        self._fast = fast
        self._environment = environment
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where it answers; only meaningful after start."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        """Process id of the server while it runs."""
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    async def start(self) -> str:
        """Start it and return its URL when it answers.

        Raises Misconfigured if there are no programs, or with the end of the log if it does not come up.
        """
        if self.running:
            return self.url
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self._command()
        await stop_leftover(command)
        self._take_over_pid_file()
        binaries = await asyncio.to_thread(self._prepare)
        [self.port] = ports.remembered(self.folder / "port.json", [self._wished])
        self._child = Child(replace(command, argv=self._argv(binaries), user=self._user()))
        await self._until_it_answers(self._child)
        return self.url

    async def wait(self) -> int:
        """Return its exit code when it ends; only meaningful after start."""
        assert self._child is not None
        return await self._child.wait()

    async def stop(self) -> None:
        """Stop it the fast way: open transactions roll back, nothing is left to recover."""
        if self._child is not None:
            await self._child.stop()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _command(self) -> Command:
        return Command(
            name=self.name,
            argv=(),
            folder=self.folder,
            mark="postgres",
            stop_signal=signal.SIGINT,
            stop_s=30.0,
            cwd=self._data,
            environment=_environment(),
        )

    def _argv(self, binaries: Path) -> list[str]:
        settings = [*_ALWAYS, f"port={self.port}", *(_FAST if self._fast else ())]
        flags = [flag for setting in settings for flag in ("-c", setting)]
        return [str(binaries / "postgres"), "-D", _here(self._data), *flags]

    def _user(self) -> int | None:
        """The uid to run as: None for ours, the owner of the data (at first `nobody`) if we are root."""
        if os.geteuid() != 0:
            return None
        return (self._data.stat().st_uid if self._data.exists() else 0) or _NOBODY

    def _check_name(self, user: int | None) -> None:
        """Raise Misconfigured for a uid without a name, such as a container's random one: initdb wants it."""
        uid = os.geteuid() if user is None else user
        try:
            pwd.getpwuid(uid)
        except KeyError as error:
            raise Misconfigured(
                f"PostgreSQL cannot be set up by user {uid}, who has no name on this machine (/etc/passwd). "
                "Run as a user that has one, or set DATABASE_URL to a running PostgreSQL.",
                [],
            ) from error

    def _prepare(self) -> Path:
        """Make the data folder if there is none; return the programs that fit it."""
        binaries = postgres_binaries.find(self._environment)
        user = self._user()
        if user is not None:
            binaries = postgres_binaries.runnable_by(user, binaries)
        major = postgres_binaries.major_version(binaries)
        if not self._data.exists():
            self._make_data(binaries, major, user)
        written_by = (self._data / "PG_VERSION").read_text().strip()
        if written_by != str(major):
            raise Misconfigured(
                f"{self._data} was written by PostgreSQL {written_by}, the programs in {binaries} are "
                f"{major}. Set LEADSCORE_PG_BIN to a PostgreSQL {written_by}, or make wipe.",
                [],
            )
        return binaries

    def _make_data(self, binaries: Path, major: int, user: int | None) -> None:
        """Run initdb beside the final place, so that being killed half-way leaves no half data."""
        self._check_name(user)
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if user is not None:
            os.chown(unfinished, user, user)
        done = subprocess.run(
            [binaries / "initdb", "-D", _here(unfinished), "-U", "postgres", "-A", "trust", *_locale(major)],
            cwd=unfinished,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        if done.returncode != 0:
            raise Misconfigured(
                f"initdb failed in {unfinished}:", (done.stdout + done.stderr).splitlines()[-8:]
            )
        unfinished.rename(self._data)

    def _take_over_pid_file(self) -> None:
        """Write our pid into PostgreSQL's own pid file if the one in it is no server any more.

        It would respect a recycled pid, or the zombie of a killed server, and not start. Ours it knows for
        its parent's. The file stays, because with it PostgreSQL checks that no old backend still runs.
        """
        note = self._data / "postmaster.pid"
        try:
            pid, rest = note.read_text().split("\n", 1)
            other = psutil.Process(int(pid))
            if "postgres" in other.name() and other.status() != psutil.STATUS_ZOMBIE:
                return
        except (OSError, ValueError, psutil.NoSuchProcess):
            return
        note.write_text(f"{os.getpid()}\n{rest}")

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


def _here(data: Path) -> str:
    """How the server is told its data folder, which is also its working directory."""
    return "/proc/self/cwd" if sys.platform == "linux" and os.geteuid() == 0 else str(data)


def _locale(major: int) -> list[str]:
    """UTF-8 that sorts and folds the same on every machine."""
    if major >= 17:
        return [
            "-E",
            "UTF8",
            "--no-sync",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
    return ["-E", "UTF8", "--no-sync", "--locale=C.UTF-8"]


def _environment() -> dict[str, str]:
    """Nothing of ours: neither PG* variables that change defaults nor secrets."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
