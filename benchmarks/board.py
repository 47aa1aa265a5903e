"""`python -m benchmarks.board`: lists and searches of a million leads, with the plans that Postgres makes.

In: nothing but this checkout; its Postgres is its own. Out: a table: each question, the middle and the
slowest of fifty times, what was read; with --plans each plan, with --markdown the same in docs/benchmarks.md.
Refuses to be kind: names and companies repeat as they do in life, so that there are texts that everybody has,
and texts that one has.

    .venv/bin/python -m benchmarks.board [--leads 1000000] [--plans] [--markdown]
"""

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import psutil
from rich.console import Console

from benchmarks import machine
from benchmarks.figures import DOCUMENT, Figure, Report, table, write
from services.cli import migrate
from services.cli.local.postgres import PostgresServer
from shared.leads import board
from shared.leads.names import Names, grams, searched

_TIMES: Final = 50
_PIECE: Final = 20_000
_BY_GRAM: Final = "lead_grams_by_gram"
_INDEX: Final = f"SELECT pg_get_indexdef('{_BY_GRAM}'::regclass)"
_SYLLABLES: Final = ("an", "ber", "co", "dal", "el", "fin", "ga", "hol", "ir", "jon", "ka", "lo", "mar", "ne")
_STAGES: Final = (("lead", 80), ("mql", 8), ("recycled", 6), ("sal", 2), ("sql", 2), ("customer", 2))
_COLUMNS: Final = (
    *("lead_id", "email", "name", "company", "stage", "score", "grade", "dimensions", "first_source"),
    *("last_source", "words", "named", "last_seen_at", "scored_at"),
)
QUESTIONS: Final[dict[str, dict[str, Any]]] = {
    "the best 50 of stage mql": {"stage": "mql"},
    "the best 50 of all": {},
    "what everybody has: .example": {"text": ".example"},
    "what one in a hundred has: a first name": {"text": "Finjon"},
    "a company of a thousand people": {"text": "Kalo 77 "},
    "one address": {"text": "finjon.nelo.500000@"},
    "the middle of an address": {"text": "lo.500000@kal"},
    "nobody": {"text": "zzz nobody zzz"},
    "grams that many have, a text that nobody has": {"text": "marber finjon"},
    "two letters, the start of a word": {"text": "fi"},
    "a first name, in stage customer": {"text": "Finjon", "stage": "customer"},
}


def person(number: int) -> Names:
    """One of so many people; the same number is the same one."""
    chance = random.Random(number)
    first, last = ("".join(chance.choices(_SYLLABLES, k=2)) for _ in range(2))
    company = f"{''.join(chance.choices(_SYLLABLES[:6], k=2))} {chance.randrange(100)}"
    if number == 500_000:
        first, last, company = "finjon", "nelo", "kalo 77"
    elif number % 1000 == 7:
        company = "kalo 77 gmbh"
    return Names(
        email=f"{first}.{last}.{number}@{company.replace(' ', '')}.example",
        name=f"{first} {last}".title(),
        company=company.title(),
        first_source="ads",
        last_source="newsletter",
    )


def _piece(job: tuple[str, int, int]) -> None:
    asyncio.run(_fill_piece(*job))


async def _fill_piece(url: str, first: int, end: int) -> None:
    connection = await asyncpg.connect(url)
    people = {_lead(number): person(number) for number in range(first, end)}
    await connection.copy_records_to_table("lead_board", records=_cards(people), columns=_COLUMNS)
    indexed = ((lead, grams(searched(one))) for lead, one in people.items())
    await connection.copy_records_to_table("lead_grams", records=indexed, columns=("lead_id", "grams"))
    await connection.close()


def _lead(number: int) -> UUID:
    """Ids in no order of anything else."""
    return UUID(int=((number * 2_654_435_761) % 2**32 << 96) + number)


def _cards(people: dict[UUID, Names]) -> Iterator[tuple[Any, ...]]:
    stages, weights = zip(*_STAGES, strict=True)
    now = datetime.now(UTC)
    for lead, one in people.items():
        chance = random.Random(lead.int)
        (stage,) = chance.choices(stages, weights)
        score = min(100, int(chance.expovariate(1 / 20)))
        numbers = (stage, score, "B2", "{}", one.first_source, one.last_source, searched(one), True, now, now)
        yield (lead, one.email, one.name, one.company, *numbers)


async def _ask(connection: asyncpg.Connection, question: dict[str, Any]) -> tuple[int, list[float], float]:
    """How many leads it finds, how long each time takes, and the CPU time of Postgres, in milliseconds.

    The CPU time is what it takes on a machine that does nothing else.
    """
    found, took = 0, []
    await board.best(connection, 50, **question)
    backend = psutil.Process(connection.get_server_pid())
    used = sum(backend.cpu_times()[:2])
    for _ in range(_TIMES):
        began = time.perf_counter()
        found = len(await board.best(connection, 50, **question))
        took.append((time.perf_counter() - began) * 1000)
    return found, took, (sum(backend.cpu_times()[:2]) - used) / _TIMES * 1000


class Explaining:
    """A connection that explains what it is asked, and passes it on."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        """Rows of the query; its plan is kept."""
        rows = await self._connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", *arguments)
        self.plans.append("\n".join(row[0] for row in rows))
        return await self._connection.fetch(sql, *arguments)


async def run(leads: int, console: Console, *, plans: bool) -> Report:
    """Fill a board, ask it everything."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="leadscore-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)
        postgres = PostgresServer(folder / "postgres")
        url = await postgres.start()
        try:
            await asyncio.to_thread(migrate.upgrade, url)
            connection = await asyncpg.connect(url, server_settings={"jit": "off"})
            filled_s = await _fill(connection, url, leads)
            console.print(f"{leads:,} leads, filled in {filled_s:.0f} s")
            figures = [
                *[await _size(connection, relation) for relation in ("lead_board", "lead_grams")],
                *[await _asked(connection, name, console, plans=plans) for name in QUESTIONS],
            ]
            await connection.close()
        finally:
            await postgres.stop()
    return Report(
        name="bench-board",
        command="make bench-board",
        day=datetime.now(UTC).date().isoformat(),
        machine=tuple(machine.describe(("asyncpg",), load, f"{leads:,} leads on the board").lines()),
        figures=tuple(figures),
    )


async def _fill(connection: asyncpg.Connection, url: str, leads: int) -> float:
    """So many leads, the index of their grams made afterwards; returns the seconds it took."""
    began = time.perf_counter()
    index = await connection.fetchval(_INDEX)
    await connection.execute(f"DROP INDEX {_BY_GRAM}")
    jobs = [(url, first, min(first + _PIECE, leads)) for first in range(0, leads, _PIECE)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        await asyncio.to_thread(lambda: list(processes.map(_piece, jobs)))
    await connection.execute(index)
    await connection.execute("VACUUM ANALYZE")
    return time.perf_counter() - began


async def _asked(connection: asyncpg.Connection, name: str, console: Console, *, plans: bool) -> Figure:
    """One question, fifty times, and once explained."""
    found, took, cpu_ms = await _ask(connection, QUESTIONS[name])
    explaining = Explaining(connection)
    await board.best(explaining, 50, **QUESTIONS[name])
    if plans:
        console.print(name, *explaining.plans, sep="\n", markup=False)
    buffers = " + ".join(_buffers(plan) for plan in explaining.plans)
    return Figure(
        what=name,
        measured=f"{statistics.median(took):.1f} ms",
        beside=f"{cpu_ms:.1f} ms of CPU, slowest {max(took):.1f} ms, finds {found}, {buffers}; aim 20 ms",
    )


async def _size(connection: asyncpg.Connection, relation: str) -> Figure:
    size = await connection.fetchval(f"SELECT pg_size_pretty(pg_total_relation_size('{relation}'))")
    return Figure(what=f"{relation} on disk", measured=size, beside="with its indexes")


def _buffers(plan: str) -> str:
    """What the whole statement touched."""
    return next((line.split("Buffers:")[1].strip() for line in plan.splitlines() if "Buffers:" in line), "")


def main() -> None:
    """Read the options, measure, print."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.board", description="Measure lists and searches."
    )
    options.add_argument("--leads", type=int, default=1_000_000, help="how many leads are on the board")
    options.add_argument("--plans", action="store_true", help="print the plan of each question")
    options.add_argument("--markdown", action="store_true", help=f"write {DOCUMENT.name}")
    chosen = options.parse_args()
    console = Console()
    reported = asyncio.run(run(chosen.leads, console, plans=chosen.plans))
    console.print(table(reported))
    if chosen.markdown:
        write(DOCUMENT, reported)


if __name__ == "__main__":
    main()
