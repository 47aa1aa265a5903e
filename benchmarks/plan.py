"""`make bench-plan`: `leadscore model plan` over a million stored events of a hundred thousand leads.

In: nothing but this checkout (`make setup`); the PostgreSQL is its own, on a free port. Out: a table; with
--markdown the same in docs/benchmarks.md. Refuses to leave anything behind.

Each crowd is planned for beside a reference of the same run: two processes that read and decode the same rows
and do nothing with them. The second crowd is the hard one: everybody is known, so that nobody can be skipped.

    .venv/bin/python -m benchmarks.plan [--quick] [--markdown]
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
from rich.console import Console
from sqlalchemy import make_url

from benchmarks import machine
from benchmarks.figures import DOCUMENT, Figure, Report, table, write
from benchmarks.past import Crowd
from benchmarks.planning import Run, read_only, run_plan
from benchmarks.populate import populate
from benchmarks.stage import ROOT
from services.cli import migrate
from services.cli.local.postgres import PostgresServer

_MODEL: Final = ROOT / "deploy" / "config" / "scoring.yaml"
_MEBIBYTE: Final = 1024**2
_AIM_S: Final = 30
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One crowd: what was stored, every run of the plan, and the reference beside them.

    plans: the fastest first
    """

    crowd: Crowd
    stored: int
    plans: list[Run]
    reading_s: float

    @property
    def plan(self) -> Run:
        """The run in the middle."""
        return self.plans[len(self.plans) // 2]


def crowds(*, quick: bool) -> list[Crowd]:
    """The usual crowd at a tenth of the size, which shows whether memory grows; then both in full."""
    small = Crowd(people=10_000, events=100_000, known=0.3)
    full = [Crowd(people=100_000, events=1_000_000, known=share) for share in (0.3, 1.0)]
    return [small] if quick else [small, *full]


async def measure(folder: Path, crowd: Crowd, postgres: PostgresServer, console: Console) -> Measured:
    """Fill a database with this crowd and plan for it."""
    name = f"plan_{crowd.people}_{round(crowd.known * 100)}"
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    url = make_url(postgres.url).set(database=name).render_as_string(hide_password=False)
    await asyncio.to_thread(migrate.upgrade, url)
    console.print(f"{crowd.people:,} people, {crowd.known:.0%} of them known: storing their past …")
    stored = await populate(url, crowd, _MODEL, datetime.now(UTC))
    console.print("reading it …")
    reading_s = await read_only(url)
    console.print("planning …")
    plans = [await run_plan(url, _draft(folder)) for _ in range(_ROUNDS)]
    plans.sort(key=lambda plan: plan.seconds)
    return Measured(crowd=crowd, stored=stored, plans=plans, reading_s=reading_s)


def _draft(folder: Path) -> Path:
    """The reference model with another half-life in one rule and another line in one stage.

    Raises ValueError if the reference model has no such places any more.
    """
    text = _MODEL.read_text()
    for before, after in (("half_life: 14d", "half_life: 28d"), ("{score: 45,", "{score: 42,")):
        if before not in text:
            raise ValueError(f"{_MODEL} has no {before!r} to change. Change something else here")
        text = text.replace(before, after, 1)
    draft = folder / "scoring.yaml"
    draft.write_text(text)
    shutil.copytree(_MODEL.parent / "lists", folder / "lists", dirs_exist_ok=True)
    return draft


def figures(measured: list[Measured]) -> Iterator[Figure]:
    """What was measured, crowd by crowd."""
    for one in measured:
        what = f"{one.stored:,} events, {one.crowd.people:,} leads, {one.crowd.known:.0%} of them known"
        aim = f"; aim < {_AIM_S} s" if one.stored > 500_000 else ""
        yield Figure(
            what=f"plan over {what}",
            measured=f"{one.plan.seconds:.1f} s ({one.plans[0].seconds:.1f} to {one.plans[-1].seconds:.1f})",
            beside=f"{one.plan.seconds / one.reading_s:.1f} times reading and decoding the same rows "
            f"({one.reading_s:.1f} s){aim}",
        )
        yield Figure(
            what="… events replayed per second, under both models",
            measured=f"{one.plan.events / one.plan.seconds:,.0f}",
            beside=f"{one.plan.events:,} events of known leads; CPU {one.plan.cpu_s:.1f} s without Postgres",
        )
        peaks = ", ".join(f"{size / _MEBIBYTE:.0f}" for size in one.plan.peak_bytes)
        yield Figure(
            what="… memory of each process at its highest, MiB",
            measured=peaks,
            beside="the command first, then its workers",
        )


async def run(*, quick: bool, console: Console) -> list[Measured]:
    """Measure every crowd, one after the other."""
    with tempfile.TemporaryDirectory(prefix="leadscore-bench-") as name:
        folder = Path(name)
        # PostgreSQL as root runs as another user, who has to get through here.
        await asyncio.to_thread(folder.chmod, 0o755)
        postgres = PostgresServer(folder / "postgres")
        try:
            await postgres.start()
            return [await measure(folder, crowd, postgres, console) for crowd in crowds(quick=quick)]
        finally:
            await postgres.stop()


def main() -> None:
    """Read the options, measure, print."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.plan", description="Measure `model plan`.")
    options.add_argument("--quick", action="store_true", help="the small crowd only")
    options.add_argument("--markdown", action="store_true", help=f"write {DOCUMENT.name}")
    chosen = options.parse_args()
    load, began = os.getloadavg()[0], time.monotonic()
    measured = asyncio.run(run(quick=chosen.quick, console=Console()))
    report = Report(
        name="bench-plan",
        command="python -m benchmarks.plan --quick" if chosen.quick else "make bench-plan",
        day=datetime.now(UTC).date().isoformat(),
        machine=tuple(machine.describe(("asyncpg", "msgspec"), load, "PostgreSQL on the same cores").lines()),
        figures=tuple(figures(measured)),
    )
    Console().print(table(report))
    print(f"took {time.monotonic() - began:.0f} s", file=sys.stderr)
    if chosen.markdown:
        write(DOCUMENT, report)


if __name__ == "__main__":
    main()
