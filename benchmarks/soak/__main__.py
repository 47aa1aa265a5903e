"""`make soak`: an hour of traffic at 70 % of what this machine can take, while something breaks every minute.

In: nothing but this checkout (`make setup`); its servers and services are its own, on free ports. Out: a
report; exit 1 if an event is lost or counted twice, if `reconcile` finds something off, or if something grows
that should not. Refuses to leave anything running.

    .venv/bin/python -m benchmarks.soak [--minutes 60] [--seed N] [--markdown]
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from rich.console import Console

from benchmarks import machine
from benchmarks.figures import DOCUMENT, table, write
from benchmarks.soak import breaks, measure, outcome
from benchmarks.soak.report import Results, report
from benchmarks.soak.senders import Senders
from services.cli.local.kafka import KafkaServer
from tests.faults.aftermath import lag
from tests.faults.conftest import World, own_servers
from tests.installation import Installation
from tests.servers import JARS
from tests.waiting import until

_PACKAGES: Final = ("uvicorn", "aiokafka", "asyncpg", "msgspec")
_SHARE: Final = 0.7
_CALIBRATION_S: Final = 60.0
_QUIET_END: Final = 0.1
_DRAIN_S: Final = 600.0
# As an operator would run it: the installation of the tests takes small batches and logs every one.
_AS_IN_PRODUCTION: Final = {"LEADSCORE_SCORER_BATCH_RECORDS": "500", "LEADSCORE_LOG_LEVEL": "warning"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for.

    rate: events per second; 0 measures what the machine can take, and offers 70 % of it
    """

    minutes: float
    seed: str
    rate: float


async def run(wish: Wish, console: Console) -> Results:
    """Measure the capacity, offer 70 % of it while things break, wait until all is worked off, look."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="leadscore-soak-") as name:
        folder = Path(name)
        # PostgreSQL as root runs as another user, who has to get through here.
        await asyncio.to_thread(folder.chmod, 0o755)
        async with own_servers(folder, KafkaServer(folder / "kafka", cache=JARS)) as world:
            await _start(world.leadscore)
            senders = Senders(world.leadscore.ingest_port)
            capacity = wish.rate / _SHARE or await _capacity(world.leadscore, senders)
            console.print(f"capacity {capacity:,.0f} events/s; seed {wish.seed}")
            samples, broken = await _soak(wish, world, senders, _SHARE * capacity, console)
            began = time.monotonic()
            await until(lambda: _drained(world.leadscore), within_s=_DRAIN_S)
            console.print("all is taken; reconcile …")
            return Results(
                capacity=capacity,
                minutes=wish.minutes,
                senders=senders,
                broken=broken,
                samples=samples,
                drained_s=time.monotonic() - began,
                outcome=await outcome.look(world.leadscore, senders.acknowledged),
                machine=machine.describe(_PACKAGES, load),
                command=f"make soak MINUTES={wish.minutes:g} SEED={wish.seed}",
                day=datetime.now(UTC).date().isoformat(),
            )


async def _start(leadscore: Installation) -> None:
    """Two scorers, one of each other."""
    for service in (*leadscore.services.values(), leadscore.another_scorer()):
        service.environment = {**service.environment, **_AS_IN_PRODUCTION}
    await leadscore.start()
    await leadscore.more_scorers[0].start()


async def _capacity(leadscore: Installation, senders: Senders) -> float:
    """Events per second that are taken in and counted, from the first post to the last commit."""
    began = time.monotonic()
    before = senders.acknowledged
    await senders.send_for(_CALIBRATION_S)
    await until(lambda: _drained(leadscore), within_s=_DRAIN_S)
    return (senders.acknowledged - before) / (time.monotonic() - began)


async def _drained(leadscore: Installation) -> bool:
    return await lag(leadscore) == 0


async def _soak(
    wish: Wish, world: World, senders: Senders, rate: float, console: Console
) -> tuple[list[measure.Sample], breaks.Broken]:
    """Offer the rate; break one thing after the other, but for the last tenth of the time."""
    seconds = wish.minutes * 60
    samples: list[measure.Sample] = []
    broken = breaks.Broken(world=world, chance=Random(wish.seed), tell=console.print)
    # A group: what ends one of them by an error ends the soak with it, and not an hour later.
    async with asyncio.TaskGroup() as group:
        beside = [
            group.create_task(work) for work in (measure.keep(world, samples, senders), broken.revive())
        ]
        faults = group.create_task(broken.go_on(seconds * (1 - _QUIET_END)))
        traffic = group.create_task(senders.send_for(seconds, rate))
        await asyncio.wait({faults, traffic})
        for task in beside:
            task.cancel()
    return samples, broken


def main() -> None:
    """Read the options, soak, print; exit 1 if something does not hold."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.soak", description="Soak this machine.")
    options.add_argument("--minutes", type=float, default=60.0)
    options.add_argument("--seed", default=str(int(time.time())), help="repeats the same faults")
    options.add_argument("--rate", type=float, default=0.0, help="events/s, instead of measuring it")
    options.add_argument("--markdown", action="store_true", help=f"write {DOCUMENT.name}")
    chosen = options.parse_args()
    console = Console()
    wish = Wish(minutes=chosen.minutes, seed=chosen.seed, rate=chosen.rate)
    results = asyncio.run(run(wish, console))
    reported = report(results)
    console.print(table(reported))
    if chosen.markdown:
        write(DOCUMENT, reported)
    if wrong := results.wrong():
        sys.exit("Does not hold:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
