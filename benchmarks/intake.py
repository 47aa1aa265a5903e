"""Ingest: how many events per second, and which part of what a bare app does.

In: a stage. Out: an `Intake`. Refuses to compare what was measured at different times: ingest and the bare
app take turns, and the medians are compared.
"""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from statistics import median
from typing import Final

import msgspec

from benchmarks.load import Load, Spec
from benchmarks.stage import ROOT, Running, Stage, bare, service, setting

_CONNECTIONS: Final = 32
_BATCH: Final = 50
_WARM_S: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure: rounds of so many seconds."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Rates in events per second (medians of the rounds), peak memory in bytes.

    half:    single events at half of the rate that was reached
    cpu_us:  CPU time of the process per single event: what it costs whoever else uses the machine
    """

    single: float
    bare: float
    batched: float
    half: Load
    cpu_us: float
    bare_cpu_us: float
    peak_bytes: int

    @property
    def ratio(self) -> float:
        """Ingest with single events as a part of the bare app."""
        return self.single / self.bare


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One round against one app."""

    per_s: float
    cpu_us: float


async def measure(on: Stage, effort: Effort) -> Intake:
    """Single events in turn with the bare app, then batches, then half load."""
    within = await setting(on, "intake")
    key = on.secrets["LEADSCORE_KEY_PRODUCT"]
    async with service(within, "ingest") as ours, bare(within) as reference:
        for each in (ours, reference):
            await load_on(each, key, _WARM_S)
        mine, theirs = [], []
        for _ in range(effort.rounds):
            mine.append(await _turn(ours, key, effort.seconds))
            theirs.append(await _turn(reference, key, effort.seconds))
        await load_on(ours, key, _WARM_S, events=_BATCH)
        batched = [await load_on(ours, key, effort.seconds, events=_BATCH) for _ in range(effort.rounds)]
        single = median(turn.per_s for turn in mine)
        return Intake(
            single=single,
            bare=median(turn.per_s for turn in theirs),
            batched=median(each.events_per_s for each in batched),
            half=await load_on(ours, key, effort.seconds, rate=single / 2),
            cpu_us=median(turn.cpu_us for turn in mine),
            bare_cpu_us=median(turn.cpu_us for turn in theirs),
            peak_bytes=ours.peak_bytes(),
        )


async def _turn(target: Running, key: str, seconds: float) -> _Turn:
    before_s = target.cpu_s()
    done = await load_on(target, key, seconds)
    return _Turn(per_s=done.events_per_s, cpu_us=(target.cpu_s() - before_s) / done.requests * 1e6)


async def load_on(target: Running, key: str, seconds: float, *, events: int = 1, rate: float = 0.0) -> Load:
    """Load from another process. Raises RuntimeError if anything was not answered with 200."""
    spec = Spec(
        port=target.port, key=key, connections=_CONNECTIONS, seconds=seconds, events=events, rate=rate
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        input=msgspec.json.encode(spec),
        stdout=subprocess.PIPE,
        timeout=seconds + 30,
        check=True,
    )
    found = msgspec.json.decode(done.stdout, type=Load)
    if found.errors:
        raise RuntimeError(f"{found.errors} of {found.requests} requests failed under load")
    return found
