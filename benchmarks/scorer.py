"""`make bench-scorer`: how fast events are counted, beside a peer and beside the bare SQL, in one run.

In: nothing but this checkout (`make setup`); its servers and services are its own, on free ports. Out: a
table; with --markdown the same in docs/benchmarks.md. Refuses to leave anything behind.

    .venv/bin/python -m benchmarks.scorer [--quick] [--markdown]
"""

import argparse
import asyncio
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import uvloop
from rich.console import Console

from benchmarks import backlog, bare_sql, crowded, machine, path, plans
from benchmarks.backlog import Backlog, Crowd, Task
from benchmarks.bare_sql import Statement
from benchmarks.figures import DOCUMENT, table, write
from benchmarks.peers import measure as peer
from benchmarks.scorer_figures import Crowded, Results, report
from benchmarks.stage import Stage, database_url, servers, stage

_PACKAGES: Final = ("aiokafka", "asyncpg", "msgspec")
_RATES: Final = (100, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much to measure; the command that asks for it.

    rounds:  of each backlog, of which the median counts
    crowded: leads in the database, the small number and the large one
    """

    command: str
    events: int
    rounds: int
    crowded: tuple[int, int]
    path_s: float


_FULL: Final = Size(
    command="make bench-scorer", events=100_000, rounds=3, crowded=(100_000, 10_000_000), path_s=20.0
)
_QUICK: Final = Size(
    command="python -m benchmarks.scorer --quick",
    events=30_000,
    rounds=1,
    crowded=(100_000, 400_000),
    path_s=5.0,
)


async def run(size: Size, console: Console) -> Results:
    """Measure everything, one after the other."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="leadscore-bench-") as name:
        folder = Path(name)
        # PostgreSQL as root runs as another user, who has to get through here.
        await asyncio.to_thread(folder.chmod, 0o755)
        async with stage(folder) as on:
            described = machine.describe(_PACKAGES, load, await servers(on))
            counting = _Counting(on=on, size=size, console=console)
            mixed, views = backlog.backlog, backlog.page_views
            return Results(
                one=await counting.rounds("one", mixed, processes=1),
                two=await counting.rounds("two", mixed, processes=2),
                views_one=await counting.rounds("views_one", views, processes=1),
                views_two=await counting.rounds("views_two", views, processes=2),
                peer=await counting.peer(),
                limit=(limit := await counting.limit()),
                crowded=[await counting.crowded(number, limit.statements) for number in size.crowded],
                paths=await path.measure(on, _RATES, size.path_s),
                machine=described,
                command=size.command,
                day=datetime.now(UTC).date().isoformat(),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counting:
    """The measurements of one run."""

    on: Stage
    size: Size
    console: Console

    async def rounds(self, name: str, crowd: Crowd, *, processes: int) -> Backlog:
        """The round in the middle."""
        self.console.print(f"backlog {name} …")
        tasks = [
            Task(name=f"{name}_{number}", events=self.size.events, crowd=crowd, processes=processes)
            for number in range(self.size.rounds)
        ]
        counted = [await backlog.count(self.on, task) for task in tasks]
        middle = median(each.per_s for each in counted)
        found = min(counted, key=lambda each: abs(each.per_s - middle))
        self._tell(found)
        return found

    async def peer(self) -> Backlog | None:
        """The peer with the same backlog; None, and says so, if its packages cannot be had."""
        self.console.print("the peer …")
        try:
            counted = await peer.count(
                self.on, Task(name="peer", events=self.size.events, crowd=backlog.backlog)
            )
        except subprocess.CalledProcessError as error:
            self.console.print(f"left out: the packages of the peer cannot be installed here ({error})")
            return None
        self._tell(counted)
        return counted

    async def limit(self) -> bare_sql.Limit:
        """The bare SQL of the same transactions."""
        self.console.print("the bare SQL …")
        events = min(self.size.events, 30_000)
        return await bare_sql.measure(self.on, list(backlog.backlog(events, datetime.now(UTC))))

    async def crowded(self, leads: int, statements: Sequence[Statement]) -> Crowded:
        """The usual backlog of leads that are among so many others, and plans of these statements there."""
        self.console.print(f"a database with {leads:,} leads …")
        touched = [backlog.person_of(lead) for lead in range(backlog.leads_of(self.size.events))]
        key = self.on.secrets["LEADSCORE_IDENTITY_KEY"]
        fill = partial(crowded.fill, number=leads, touched=touched, key=key)
        task = Task(name=f"crowded_{leads}", events=self.size.events, crowd=backlog.backlog, fill=fill)
        counted = await backlog.count(self.on, task)
        self._tell(counted)
        looked = await plans.look(database_url(self.on, task.name), statements)
        return Crowded(leads=leads, counted=counted, looked=looked)

    def _tell(self, counted: Backlog) -> None:
        """What was found, at once: a whole run takes twenty minutes."""
        self.console.print(f"  {counted.per_s:,.0f} events/s, {counted.cpu_us:,.0f} µs of CPU each")


def main() -> None:
    """Read the options, measure, print."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.scorer", description="Measure the scorer.")
    options.add_argument("--quick", action="store_true", help="less of everything, in a few minutes")
    options.add_argument("--markdown", action="store_true", help=f"write {DOCUMENT.name}")
    chosen = options.parse_args()
    console = Console()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(run(_QUICK if chosen.quick else _FULL, console))
    reported = report(results)
    console.print(table(reported))
    if chosen.markdown:
        write(DOCUMENT, reported)


if __name__ == "__main__":
    main()
