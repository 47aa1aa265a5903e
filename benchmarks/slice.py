"""`make bench-slice`: the whole path measured on this machine, in less than five minutes.

In: nothing but this checkout (`make setup`); its servers and services are its own, on free ports. Out: a
table; with --markdown the same in docs/benchmarks.md. Refuses to leave anything behind.

    .venv/bin/python -m benchmarks.slice [--quick] [--markdown]
"""

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from benchmarks import backlog, intake, machine, path
from benchmarks.figures import DOCUMENT, table, write
from benchmarks.slice_figures import Results, report
from benchmarks.stage import servers, stage

_PACKAGES: Final = ("uvicorn", "aiokafka", "asyncpg", "msgspec")
_RATES: Final = (100, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much to measure; the command that asks for it."""

    command: str
    intake: intake.Effort
    backlog_events: int
    path_s: float
    limit_s: float


_FULL: Final = Size(
    command="make bench-slice",
    intake=intake.Effort(rounds=3, seconds=5.0),
    backlog_events=100_000,
    path_s=20.0,
    limit_s=300.0,
)
_QUICK: Final = Size(
    command="python -m benchmarks.slice --quick",
    intake=intake.Effort(rounds=1, seconds=2.0),
    backlog_events=20_000,
    path_s=5.0,
    limit_s=90.0,
)


async def run(size: Size, console: Console) -> Results:
    """Measure everything, one after the other. Raises TimeoutError past the size's limit."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="leadscore-bench-") as name:
        folder = Path(name)
        # PostgreSQL as root runs as another user, who has to get through here.
        await asyncio.to_thread(folder.chmod, 0o755)
        async with asyncio.timeout(size.limit_s), stage(folder) as on:
            described = machine.describe(_PACKAGES, load, await servers(on))
            console.print("ingest …")
            taken_in = await intake.measure(on, size.intake)
            console.print("scorer …")
            counted = await backlog.measure(on, size.backlog_events)
            console.print("the whole path …")
            return Results(
                intake=taken_in,
                backlog=counted,
                paths=await path.measure(on, _RATES, size.path_s),
                machine=described,
                command=size.command,
                day=datetime.now(UTC).date().isoformat(),
            )


def main() -> None:
    """Read the options, measure, print."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.slice", description="Measure the whole path."
    )
    options.add_argument("--quick", action="store_true", help="less of everything, in under 90 seconds")
    options.add_argument("--markdown", action="store_true", help=f"write {DOCUMENT.name}")
    chosen = options.parse_args()
    console = Console()
    size = _QUICK if chosen.quick else _FULL
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            results = runner.run(run(size, console))
    except TimeoutError:
        sys.exit(f"Not done after {size.limit_s:g} s, so nothing is reported. Is the machine busy otherwise?")
    reported = report(results)
    console.print(table(reported))
    if chosen.markdown:
        write(DOCUMENT, reported)


if __name__ == "__main__":
    main()
