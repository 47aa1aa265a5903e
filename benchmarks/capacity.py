"""`make bench-capacity`: what a million events cost, step by step, in two to three minutes.

In: nothing but this checkout. Out: two tables; with --markdown also benchmarks/capacity.json and the tables
of docs/capacity.md.
Refuses to time what is not there yet: costs are counted from when a step's processes are ready.

    .venv/bin/python -m benchmarks.capacity [--markdown]
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import uvloop
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import backlog, machine, path
from benchmarks.capacity_figures import DOCUMENT, Cost, Measured, measured_table, needs_table, page, save
from benchmarks.intake import load_on
from benchmarks.meters import Meters, Reading
from benchmarks.receiver import Receiver
from benchmarks.stage import Running, Setting, Stage, servers, service, setting, stage
from shared import ids
from shared.events import FORM_SUBMITTED, PERSON_IDENTIFIED, Event

_PACKAGES: Final = ("uvicorn", "aiokafka", "asyncpg", "msgspec")
_INTAKE_S: Final = 8.0
_BATCH: Final = 50
_EVENTS: Final = 40_000
_MOVERS: Final = 2_000
_LIMIT_S: Final = 400.0
_PROCESSED: Final = (
    "SELECT coalesce(sum(counted + duplicate + quarantined), 0)::bigint FROM partition_offsets"
)
_DELIVERED: Final = "SELECT count(*) FROM deliveries WHERE state = 'delivered'"
_PLANNED: Final = "SELECT count(*) FROM transitions WHERE planned_at IS NULL"
_LEADS: Final = "SELECT count(*) FROM leads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step under way: its meters and what they said at its beginning, after so many units."""

    meters: Meters
    began: Reading
    began_s: float
    units: int

    async def cost(self, units: int, parts: Mapping[str, str]) -> Cost:
        """What the units since then cost. parts: our word → what the meters call those bytes on disk."""
        now, done = await self.meters.read(), units - self.units
        used = {name: (now.cpu_s[name] - self.began.cpu_s[name]) / done * 1e6 for name in now.cpu_s}
        disk = {
            word: (now.disk.get(part, 0) - self.began.disk.get(part, 0)) / done
            for word, part in parts.items()
        }
        ours = [name for name in now.network if name not in {"postgres", "kafka"}]
        wire = sum(now.network[name] - self.began.network[name] for name in ours) / done
        extra = {"write-ahead log": (now.wal - self.began.wal) / done} if "postgres" in used else {}
        return Cost(
            units=done,
            per_s=done / (time.perf_counter() - self.began_s),
            cpu_us=used,
            bytes={**disk, **extra, "network": wire},
        )


def _meters(within: Setting, *used: str, **processes: Running) -> Meters:
    on = within.stage
    embedded = {"kafka": on.kafka.pid or 0, "postgres": on.postgres.pid or 0}
    return Meters(
        pids={name: one.pid for name, one in processes.items()} | {name: embedded[name] for name in used},
        database=within.database,
        kafka_data=on.kafka.folder,
        topic=within.topics.events,
    )


async def _begin(meters: Meters, units: int = 0) -> Step:
    return Step(meters=meters, began=await meters.read(), began_s=time.perf_counter(), units=units)


async def _intake(on: Stage, events: int, memory: dict[str, float]) -> Cost:
    """Ingest alone, with single events or batches, as fast as it takes them."""
    within = await setting(on, f"intake{events}")
    key = on.secrets["LEADSCORE_KEY_PRODUCT"]
    async with service(within, "ingest") as ingest:
        await load_on(ingest, key, 1.5, events=events)
        step = await _begin(_meters(within, "kafka", ingest=ingest))
        done = await load_on(ingest, key, _INTAKE_S, events=events)
        cost = await step.cost(done.requests * events, {"kafka": "kafka"})
        memory.update(_mib(step.meters))
        return cost


async def _scored(on: Stage, memory: dict[str, float]) -> tuple[Cost, float]:
    """A backlog counted by one scorer, until lists show it too; and bytes on disk for a lead."""
    within = await setting(on, "scored")
    await backlog.produce(within, backlog.backlog(_EVENTS, datetime.now(UTC)))
    async with service(within, "scorer") as scorer:
        meters = _meters(within, "postgres", "kafka", scorer=scorer)
        before = await _number(within, _PROCESSED)
        step = await _begin(meters, before)
        await _until(within, _PROCESSED, lambda done: done >= _EVENTS)
        counted_s = time.perf_counter() - step.began_s
        await _until_shown(scorer.port)
        cost = await step.cost(_EVENTS, {"events": "events", "moves": "moves"})
        memory.update(_mib(meters))
        per_lead = (await meters.read()).disk["leads"] / await _number(within, _LEADS)
        rate = (_EVENTS - before) / counted_s
    return Cost(units=cost.units, per_s=rate, cpu_us=cost.cpu_us, bytes=cost.bytes), per_lead


async def _told(on: Stage, memory: dict[str, float]) -> Cost:
    """People who ask for a demo, and the webhook that tells of each; scored before the router starts."""
    receiver = Receiver()
    within = await setting(on, "told", path.router_environment(on, await receiver.start()))
    try:
        await backlog.produce(within, _movers(_MOVERS, datetime.now(UTC)))
        async with service(within, "scorer"):
            await _until(within, _PROCESSED, lambda done: done >= 2 * _MOVERS)
        async with service(within, "router") as router:
            step = await _begin(_meters(within, "postgres", router=router), await _number(within, _DELIVERED))
            await _until(within, _PLANNED, lambda waiting: waiting == 0)
            wanted = await _number(within, "SELECT count(*) FROM deliveries")
            await _until(within, _DELIVERED, lambda done: done >= wanted)
            cost = await step.cost(wanted, {"moves": "moves"})
            memory.update(router=_mib(step.meters)["router"])
            return cost
    finally:
        await receiver.stop()


def _movers(number: int, now: datetime) -> Iterator[Event]:
    """People of a company who make themselves known and ask for a demo: each becomes an MQL."""
    for person in range(number):
        for name in (PERSON_IDENTIFIED, FORM_SUBMITTED):
            yield Event(
                event_id=ids.event_id("product", f"mover-{person}-{name}"),
                source="product",
                kind="product",
                name=name,
                occurred_at=now - timedelta(minutes=1),
                received_at=now,
                user_id=f"mover-{person}",
                email=f"mover-{person}@company.example",
                traits={"email": f"mover-{person}@company.example", "company": "Company", "employees": 120},
                properties={"form": "demo-request"} if name == FORM_SUBMITTED else {},
            )


def _mib(meters: Meters) -> dict[str, float]:
    return {name: held / 1024**2 for name, held in meters.memory_bytes().items()}


async def _number(within: Setting, sql: str) -> int:
    connection = await asyncpg.connect(within.database)
    try:
        return int(await connection.fetchval(sql))
    finally:
        await connection.close()


async def _until(within: Setting, sql: str, enough: Callable[[int], bool]) -> None:
    await _wait(lambda: _reached(within, sql, enough))


async def _reached(within: Setting, sql: str, enough: Callable[[int], bool]) -> bool:
    return enough(await _number(within, sql))


async def _until_shown(admin_port: int) -> None:
    """Wait until lists have everything that the scorer wrote."""

    async def shown() -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"http://127.0.0.1:{admin_port}/metrics")).text
        return not any(
            sample.value
            for family in text_string_to_metric_families(text)
            if family.name == "leadscore_scorer_board_waiting_leads"
            for sample in family.samples
        )

    await _wait(shown)


async def _wait(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_LIMIT_S):
        while True:
            if await reached():
                return
            await asyncio.sleep(0.1)


async def run() -> Measured:
    """Everything, one after the other. Raises TimeoutError past the limit."""
    load = os.getloadavg()[0]
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="leadscore-bench-") as name:
        folder = Path(name)
        # PostgreSQL as root runs as another user, who has to get through here.
        await asyncio.to_thread(folder.chmod, 0o755)
        async with asyncio.timeout(_LIMIT_S), stage(folder) as on:
            described = machine.describe(_PACKAGES, load, await servers(on))
            single, batch = await _intake(on, 1, memory), await _intake(on, _BATCH, memory)
            scorer, lead_bytes = await _scored(on, memory)
            return Measured(
                day=datetime.now(UTC).date().isoformat(),
                machine=described.lines(),
                single=single,
                batch=batch,
                scorer=scorer,
                router=await _told(on, memory),
                lead_bytes=lead_bytes,
                memory_mib=memory,
            )


def main() -> None:
    """Read the options, measure, print."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.capacity", description="Measure what events cost."
    )
    options.add_argument("--markdown", action="store_true", help=f"keep the run, and write {DOCUMENT.name}")
    chosen = options.parse_args()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            measured = runner.run(run())
    except TimeoutError:
        sys.exit(f"Not done after {_LIMIT_S:g} s, so nothing is reported. Is the machine busy otherwise?")
    print(measured_table(measured), needs_table(measured), sep="\n")
    if chosen.markdown:
        save(measured)
        DOCUMENT.write_text(page(measured, DOCUMENT.read_text()))


if __name__ == "__main__":
    main()
