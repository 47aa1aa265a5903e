"""What a soak found, as lines of its report.

In: the results. Out: a `Report`, and what does not hold. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Figure, Report
from benchmarks.machine import Machine
from benchmarks.soak.breaks import Broken
from benchmarks.soak.flat import Growth, growth, per_event
from benchmarks.soak.measure import Sample
from benchmarks.soak.outcome import Outcome
from benchmarks.soak.senders import Senders

_MEBIBYTE: Final = 1024**2
_PROCESSES: Final = ("ingest", "scorer", "router", "Kafka", "Postgres")
_TOLERATED_MEMORY: Final = 16 * _MEBIBYTE
_MOST_DEAD: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One whole run; `command` is how to repeat it, `day` when it was."""

    capacity: float
    minutes: float
    senders: Senders
    broken: Broken
    samples: list[Sample]
    drained_s: float
    outcome: Outcome
    machine: Machine
    command: str
    day: str

    def wrong(self) -> list[str]:
        """Each thing that does not hold, as a sentence."""
        return [*self.outcome.wrong(), *self._grown()]

    def memory(self, process: str) -> Growth:
        """Bytes of this process."""
        return growth(self.samples, lambda sample: sample.memory.get(process))

    def dead(self) -> Growth:
        """Dead rows for each live one."""
        return growth(self.samples, lambda sample: sample.dead_share)

    def connections(self) -> Growth:
        """Connections to Postgres."""
        return growth(self.samples, lambda sample: sample.connections)

    def files(self) -> Growth:
        """Open files of our services together."""
        return growth(self.samples, lambda sample: sample.files)

    def database(self) -> Growth:
        """Bytes in Postgres for each event."""
        return per_event(self.samples, lambda sample: sample.database, lambda sample: sample.taken)

    def kafka(self) -> Growth:
        """Bytes in Kafka for each event."""
        return per_event(self.samples, lambda sample: sample.kafka, lambda sample: sample.acknowledged)

    def _grown(self) -> Iterator[str]:
        for process in _PROCESSES:
            if not (grown := self.memory(process)).flat(_TOLERATED_MEMORY):
                yield f"memory of {process} grows: {_change(grown, _MEBIBYTE)} MiB"
        if (dead := self.dead()).last > _MOST_DEAD:
            yield f"dead rows pile up: {_change(dead, 0.01)} %"
        if not (connections := self.connections()).flat(2):
            yield f"connections to Postgres grow: {_change(connections)}"
        if not (files := self.files()).flat(10):
            yield f"open files grow: {_change(files)}"
        for name, grown in (("Postgres", self.database()), ("Kafka", self.kafka())):
            if not grown.flat(100):
                yield f"an event takes more and more of the disk in {name}: {_change(grown)} bytes"


def report(results: Results) -> Report:
    """The whole run."""
    return Report(
        name="soak",
        command=results.command,
        day=results.day,
        machine=tuple(results.machine.lines()),
        figures=(*_work(results), *_faults(results.broken), *_promises(results), *_growth(results)),
    )


def _work(results: Results) -> Iterator[Figure]:
    yield Figure(
        what="capacity: events taken in and counted",
        measured=f"{results.capacity:,.0f} events/s",
        beside="one ingest, two scorers, one router, Kafka and Postgres; flooded for a minute, worked off",
    )
    rate = results.senders.acknowledged / (results.minutes * 60)
    yield Figure(
        what="events acknowledged",
        measured=f"{results.senders.acknowledged:,}",
        beside=f"about {rate:,.0f}/s over {results.minutes:g} minutes, the flood before included; "
        f"{results.senders.refused:,} posts sent again, the longest took {results.senders.longest_s:,.0f} s",
    )
    yield Figure(
        what="worked off after the last post",
        measured=f"{results.drained_s:,.0f} s",
        beside="until every partition was committed to its end",
    )


def _faults(broken: Broken) -> Iterator[Figure]:
    for name in sorted(broken.number):
        yield Figure(
            what=name,
            measured=f"{broken.number[name]} times",
            beside=f"all ready and counting again after {broken.longest_s[name]:,.0f} s at the longest",
        )
    if broken.revived:
        told = ", ".join(f"{name} {number}" for name, number in sorted(broken.revived.items()))
        yield Figure(what="ended by themselves, started again", measured=told, beside="as a supervisor does")


def _promises(results: Results) -> Iterator[Figure]:
    found = results.outcome
    yield Figure(
        what="acknowledged events lost / counted twice / made up",
        measured=f"{found.lost:,} / {found.twice:,} / {found.made_up:,}",
        beside="aim 0 / 0 / 0; each id was asked for",
    )
    yield Figure(
        what="reconcile",
        measured="clean" if not found.off else f"{len(found.off)} kinds of faults",
        beside=", ".join(f"{name} {number:,}" for name, number in found.books.items()),
    )
    yield Figure(
        what="deliveries at the webhook",
        measured=f"{found.hooks:,}",
        beside=f"{found.repeated:,} repeat an earlier one, by their webhook-id; none missing, all in order",
    )


def _growth(results: Results) -> Iterator[Figure]:
    for process in _PROCESSES:
        yield _line(f"memory of {process}, MiB", results.memory(process), _MEBIBYTE)
    yield _line("dead rows for 100 live ones", results.dead(), 0.01)
    yield _line("connections to Postgres", results.connections())
    yield _line("open files of our services", results.files())
    yield _line("bytes in Postgres for each event", results.database())
    yield _line("bytes in Kafka for each event", results.kafka())


def _line(what: str, grown: Growth, unit: float = 1) -> Figure:
    return Figure(
        what=what,
        measured=_change(grown, unit),
        beside=f"second quarter → last quarter; highest {grown.highest / unit:,.0f}",
    )


def _change(grown: Growth, unit: float = 1) -> str:
    return f"{grown.second / unit:,.0f} → {grown.last / unit:,.0f}"
