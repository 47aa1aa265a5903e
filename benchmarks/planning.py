"""One plan as a real process, and the reference beside it: reading and decoding the same rows.

In: a filled database, a draft. Out: seconds, CPU, memory of every process. Refuses to measure from inside:
the command runs as a person would run it.
"""

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final
from uuid import UUID

import psutil

from benchmarks.stage import ROOT
from services.cli.model.plan import read
from shared.codec import decode_all
from shared.database import engine

_WORKERS: Final = 2
_LOOK_S: Final = 0.1
_KIBIBYTE: Final = 1024


@dataclass(slots=True, kw_only=True)
class Run:
    """What one plan took; `events` those that it replayed."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    events: int = 0
    peaks: dict[int, int] = field(default_factory=dict)

    @property
    def peak_bytes(self) -> list[int]:
        """Of each process, in the order in which they began."""
        return [self.peaks[process] for process in sorted(self.peaks)]


async def run_plan(url: str, draft: Path) -> Run:
    """Run the command to its end. Raises RuntimeError with its words if it fails."""
    found = Run()
    with tempfile.TemporaryDirectory() as name:
        written = Path(name) / "plan.json"
        argv = ("plan", str(draft), "--workers", str(_WORKERS), "--json", str(written), "--no-html")
        before, began = os.times(), time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "model", *argv),
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        watching = asyncio.create_task(_watch(process.pid, found))
        said, _ = await process.communicate()
        found.seconds = time.perf_counter() - began
        watching.cancel()
        if process.returncode:
            raise RuntimeError(f"the plan failed: {said.decode(errors='replace')}")
        after = os.times()
        found.cpu_s = after.children_user + after.children_system
        found.cpu_s -= before.children_user + before.children_system
        found.events = json.loads(written.read_bytes())["events"]
    return found


async def _watch(pid: int, found: Run) -> None:
    """Note the highest memory of the command and its workers while they live."""
    while True:
        for process in _family(pid):
            found.peaks[process] = max(_peak_bytes(process), found.peaks.get(process, 0))
        await asyncio.sleep(_LOOK_S)


def _family(pid: int) -> Iterator[int]:
    with suppress(psutil.NoSuchProcess):
        yield pid
        yield from (child.pid for child in psutil.Process(pid).children())


def _peak_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * _KIBIBYTE
    return 0


async def read_only(url: str) -> float:
    """Seconds in which two processes read and decode what a plan reads, and do nothing with it."""
    with ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn")) as processes:
        await asyncio.to_thread(lambda: list(processes.map(_warm, range(_WORKERS))))
        ranges = await _ranges(url)
        began = time.perf_counter()
        await asyncio.to_thread(lambda: list(processes.map(_read, [(url, part) for part in ranges])))
        return time.perf_counter() - began


async def _ranges(url: str) -> list[list[read.Range]]:
    """All ranges, twenty to a job: a job makes a connection of its own."""
    pool = engine(url, application="bench", pool_size=1)
    try:
        found = [one async for one in read.ranges(pool)]
    finally:
        await pool.dispose()
    return [found[first : first + 20] for first in range(0, len(found), 20)]


def _warm(number: int) -> int:
    """Be there before the clock runs, without garbage collection, as the workers are."""
    gc.disable()
    time.sleep(0.1)
    return number


def _read(job: tuple[str, list[tuple[UUID, UUID]]]) -> int:
    return asyncio.run(_read_all(*job))


async def _read_all(url: str, ranges: list[tuple[UUID, UUID]]) -> int:
    pool = engine(url, application="bench", pool_size=1)
    try:
        return sum(
            [
                len(decode_all(bodies))
                for between in ranges
                async for piece in read.known_leads(pool, between)
                for _, bodies in piece
            ]
        )
    finally:
        await pool.dispose()
