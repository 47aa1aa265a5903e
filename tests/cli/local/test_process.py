"""One child process: tied to its parent, remembered on disk, stopped for certain."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from services.cli.local.process import Child, Command, stop_leftover, until

_REPOSITORY = Path(__file__).resolve().parents[3]
_SLEEPS = "import time; print('up', flush=True); time.sleep(600)"
_IGNORES_TERM = "import signal; signal.signal(15, signal.SIG_IGN); " + _SLEEPS


def _command(folder: Path, program: str = _SLEEPS, stop_s: float = 15.0) -> Command:
    return Command(
        name="sleeper",
        argv=[sys.executable, "-c", program, str(folder)],
        folder=folder,
        mark=str(folder),
        stop_s=stop_s,
    )


async def _started(command: Command) -> Child:
    child = Child(command)
    await child.start()
    assert await until(lambda: "up" in child.last_lines(), 20)
    return child


@pytest.mark.asyncio
async def test_starting_and_stopping_twice_is_legal(tmp_path: Path) -> None:
    """The second start keeps the process, the second stop finds nothing to do, nor does one before start."""
    child = Child(_command(tmp_path))
    await child.stop()
    child = await _started(_command(tmp_path))
    pid = child.pid
    await child.start()
    assert child.pid == pid
    await child.stop()
    await child.stop()
    assert not child.running
    assert child.returncode == -signal.SIGTERM
    assert not child.command.pid_file.exists()


@pytest.mark.asyncio
async def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    """After the seconds it is given, SIGKILL ends what ignores its stop signal."""
    child = await _started(_command(tmp_path, _IGNORES_TERM, stop_s=0.2))
    await child.stop()
    assert child.returncode == -signal.SIGKILL


@pytest.mark.asyncio
async def test_a_leftover_is_stopped_before_a_new_start(tmp_path: Path) -> None:
    """What an earlier supervisor left running is found by its pid file and ended first."""
    forgotten = await _started(_command(tmp_path))
    child = await _started(_command(tmp_path))
    assert not forgotten.running
    assert child.running
    await forgotten.stop()
    assert child.command.pid_file.exists(), "the pid file is the new one's now"
    await child.stop()


@pytest.mark.asyncio
@pytest.mark.parametrize("wrong", ["start time", "command line", "file"])
async def test_a_recycled_pid_is_left_alone(tmp_path: Path, wrong: str) -> None:
    """A pid that another process has now is not touched, and a broken pid file means nothing."""
    innocent = await _started(_command(tmp_path))
    pid_file = innocent.command.pid_file
    noted = json.loads(pid_file.read_text())
    if wrong == "start time":
        pid_file.write_text(json.dumps(noted | {"started": noted["started"] - 3600}))
    if wrong == "file":
        pid_file.write_text("{")
    mark = "another command" if wrong == "command line" else str(tmp_path)
    await stop_leftover(Command(name="sleeper", argv=(), folder=tmp_path, mark=mark))
    assert innocent.running
    await innocent.stop()


@pytest.mark.asyncio
async def test_the_log_of_the_run_before_is_kept(tmp_path: Path) -> None:
    """A start begins a new log and keeps the one before, which says why a restart was needed."""
    await (await _started(_command(tmp_path, "print('first') ; " + _SLEEPS))).stop()
    await (await _started(_command(tmp_path))).stop()
    assert (tmp_path / "sleeper.previous.log").read_text().splitlines() == ["first", "up"]
    assert (tmp_path / "sleeper.log").read_text().splitlines() == ["up"]


@pytest.mark.asyncio
async def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A kill -9 of the supervisor ends its children (on Linux; elsewhere the next start does)."""
    child = psutil.Process(await asyncio.to_thread(_killed_supervisor, tmp_path))
    if sys.platform != "linux":
        await stop_leftover(_command(tmp_path))
    assert await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10)


@pytest.mark.asyncio
async def test_wait_tells_the_exit_code(tmp_path: Path) -> None:
    """A process that ends by itself gives its code to who waits for it."""
    child = Child(_command(tmp_path, "raise SystemExit(3)"))
    await child.start()
    assert await child.wait() == 3


@pytest.mark.asyncio
async def test_output_may_go_to_a_pipe(tmp_path: Path) -> None:
    """With an output of one's own, no log file is written."""
    read, write = os.pipe()
    child = Child(_command(tmp_path))
    await child.start(write)
    os.close(write)
    assert await asyncio.to_thread(os.read, read, 2) == b"up"
    await child.stop()
    os.close(read)
    assert not child.command.log_file.exists()


def _killed_supervisor(folder: Path) -> int:
    """Start a supervisor that starts a child, kill it, return the pid of the child."""
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(folder)], cwd=_REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    return pid


_PARENT = f"""
import asyncio, sys, time
from pathlib import Path
from services.cli.local.process import Child, Command
folder = Path(sys.argv[1])
argv = [sys.executable, "-c", {_SLEEPS!r}, str(folder)]
child = Child(Command(name="sleeper", argv=argv, folder=folder, mark=str(folder)))
asyncio.run(child.start())
while "up" not in child.last_lines():
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(600)
"""
