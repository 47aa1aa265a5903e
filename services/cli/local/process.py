"""One child process: started tied to us, remembered on disk, stopped for certain.

In: a `Command`. Out: a running process whose output goes to a file or a pipe.
Refuses to start beside its own leftover: a process of the same command that an earlier, killed
supervisor left behind is found by its pid file (pid, start time and command line must all agree,
so that a recycled pid is never hit) and stopped first.

Spawn from the main thread: on Linux a child's death signal follows the thread that made it.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil

from shared.errors import Misconfigured

_TETHER: Final = Path(__file__).with_name("tether.py")
_POLL_S: Final = 0.02
# Boot time, which a start time is counted from, moves when the clock is set.
_CLOCK_STEP_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, as whom, and how it ends.

    argv:         program and arguments
    folder:       where `<name>.pid` and `<name>.log` are kept
    mark:         part of the command line that only this process has
    stop_signal:  asks it to end in order; it gets the same one when we die
    stop_s:       seconds it gets for that before SIGKILL
    user:         uid to run as; None for ours
    cwd:          working directory, None for ours
    environment:  its whole environment, None for ours
    """

    name: str
    argv: Sequence[str]
    folder: Path
    mark: str
    stop_signal: signal.Signals = signal.SIGTERM
    stop_s: float = 15.0
    user: int | None = None
    cwd: Path | None = None
    environment: Mapping[str, str] | None = None

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"


class Child:
    """A process of ours. Starting a running one and stopping a stopped one is legal."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self.running else None

    @property
    def returncode(self) -> int | None:
        """How it ended: None while it runs or before start, -9 for SIGKILL."""
        return self._process.poll() if self._process else None

    async def start(self, output: IO[bytes] | int | None = None) -> None:
        """Start it, after stopping what is left of an earlier one.

        output: a file or pipe to write to instead of `<name>.log`
        """
        if self.running:
            return
        self.command.folder.mkdir(parents=True, exist_ok=True)
        await stop_leftover(self.command)
        if output is not None:
            self._process = _spawn(self.command, output)
        else:
            with _fresh_log(self.command.log_file).open("wb") as log:
                self._process = _spawn(self.command, log)
        _remember(self.command, self._process.pid)

    async def stop(self) -> None:
        """Ask it to end, wait, kill it if it does not; return when it is gone."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(self.command.stop_signal)
        if not await until(lambda: process.poll() is not None, self.command.stop_s):
            process.kill()
            await until(lambda: process.poll() is not None, 10.0)
        # Another start may have written its own over it.
        if _noted(self.command).get("pid") == process.pid:
            self.command.pid_file.unlink(missing_ok=True)

    async def wait(self) -> int:
        """Return its exit code when it ends."""
        process = self._process
        assert process is not None
        await until(lambda: process.poll() is not None, float("inf"))
        return process.returncode

    def last_lines(self, count: int = 8) -> list[str]:
        """The end of its log, for the message that says it failed."""
        try:
            return self.command.log_file.read_text(errors="replace").splitlines()[-count:]
        except OSError:
            return []


async def until(done: Callable[[], bool], limit_s: float) -> bool:
    """Wait for a condition; False if it did not come within `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    while not done():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def stop_leftover(command: Command) -> None:
    """Stop the process an earlier supervisor left behind, if there is one.

    Raises Misconfigured if it belongs to somebody else.
    """
    process = _leftover(command)
    if process is not None:
        try:
            process.send_signal(command.stop_signal)
            if not await until(lambda: _gone(process), command.stop_s):
                process.kill()
                await until(lambda: _gone(process), 10.0)
        except psutil.NoSuchProcess:
            pass
        except psutil.AccessDenied as error:
            raise Misconfigured(
                f"{command.name} still runs as process {process.pid} of another user. "
                f"Stop it, or choose another data folder than {command.folder}.",
                [],
            ) from error
    command.pid_file.unlink(missing_ok=True)


def _spawn(command: Command, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """The process, in a session of its own so that Ctrl-C reaches only the supervisor."""
    user = "-" if command.user is None else str(command.user)
    tether = [sys.executable, "-I", "-S", str(_TETHER)]
    return subprocess.Popen(
        [*tether, str(os.getpid()), str(int(command.stop_signal)), user, *command.argv],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=command.cwd,
        env=None if command.environment is None else dict(command.environment),
        start_new_session=True,
    )


def _remember(command: Command, pid: int) -> None:
    """Write the pid file: enough to recognise this very process later."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:  # died at once; whoever waits for it will say so
        return
    command.pid_file.write_text(json.dumps({"pid": pid, "started": started}))


def _leftover(command: Command) -> psutil.Process | None:
    """The living process that the pid file means, None if there is none or the pid is another's now."""
    noted = _noted(command)
    if not noted:
        return None
    try:
        process = psutil.Process(int(noted["pid"]))
        same_start = abs(process.create_time() - noted["started"]) < _CLOCK_STEP_S
        line = " ".join(process.cmdline())
    except psutil.Error:
        return None
    # A process that is just ending has no command line any more; it still has to be waited for.
    same_command = not line or command.mark in line
    return process if same_start and same_command and not _gone(process) else None


def _noted(command: Command) -> dict[str, float]:
    """What the pid file says: `pid` and `started`; nothing if it says nothing that we wrote."""
    try:
        noted = json.loads(command.pid_file.read_text())
        return {"pid": int(noted["pid"]), "started": float(noted["started"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _gone(process: psutil.Process) -> bool:
    """True when it has ended; a zombie that nobody collects has ended too."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _fresh_log(path: Path) -> Path:
    """The path, free to write; the log of the run before is kept as `.previous`."""
    if path.exists():
        path.replace(path.with_suffix(".previous.log"))
    return path
