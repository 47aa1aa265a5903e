"""What capacity rests on: measured costs, kept as JSON, and the tables of docs/capacity.md that follow.

In: `Measured`. Out: JSON, Markdown. Refuses to mix the two kinds of figure: what was measured is one table,
what was worked out of it is another, and each assumption is a name in `Assumed`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = Path(__file__).with_name("capacity.json")
DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "capacity.md"
RATES: Final = (1_000, 100_000, 10_000_000)
_DAY_S: Final = 86_400
_GIB: Final = 1024**3
_TIB: Final = 1024**4


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit (an event, a delivery) cost in one step.

    cpu_us:   by process, microseconds
    bytes:    by what they are
    per_s:    units per second while it was measured, everything on one machine
    """

    units: int
    per_s: float
    cpu_us: dict[str, float]
    bytes: dict[str, float]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `make bench-capacity`.

    leads:  bytes on disk for each lead; memory_mib: by process, at the end of its step
    """

    day: str
    machine: list[str]
    single: Cost
    batch: Cost
    scorer: Cost
    router: Cost
    lead_bytes: float
    memory_mib: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What was not measured and has to be said.

    busy:             share of a core that is used at the peak
    mean_of_peak:     what a day's mean is of its peak
    moves_per_event:  deliveries for each event
    events_per_lead:  over the time that history is kept
    """

    busy: float = 0.6
    mean_of_peak: float = 1 / 3
    moves_per_event: float = 0.002
    events_per_lead: float = 20
    kafka_days: int = 14
    kafka_copies: int = 3
    history_days: int = 395
    postgres_copies: int = 2
    postgres_cores: int = 32
    postgres_disk_tib: int = 16
    partitions_at_least: int = 12


ASSUMED: Final = Assumed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a rate of events needs; cores are counted at `busy`, disk with all copies."""

    rate: int
    ingest_single: int
    ingest_batch: int
    scorers: int
    partitions: int
    routers: int
    postgres_cores: int
    kafka_cores: int
    postgres_nodes: int
    kafka_tib: float
    history_tib: float
    leads_tib: float
    network_gbit: float


def load() -> Measured:
    """The run that is committed."""
    return msgspec.json.decode(FILE.read_bytes(), type=Measured)


def save(measured: Measured) -> None:
    """Keep a run in the place of the one before."""
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")


def need(rate: int, of: Measured, by: Assumed = ASSUMED) -> Need:
    """The arithmetic (pure): rate by cost over busy, and mean rate by bytes, days and copies."""
    single, batch, scorer, router = of.single, of.batch, of.scorer, of.router
    moves = rate * by.moves_per_event
    scorers = _cores(rate, scorer.cpu_us["scorer"], by)
    postgres = _cores(rate, scorer.cpu_us["postgres"], by) + _cores(moves, router.cpu_us["postgres"], by)
    mean = rate * by.mean_of_peak
    history = mean * scorer.bytes["events"] * _DAY_S * by.history_days * by.postgres_copies / _TIB
    leads = mean * _DAY_S * by.history_days / by.events_per_lead * of.lead_bytes * by.postgres_copies / _TIB
    kafka = mean * single.bytes["kafka"] * _DAY_S * by.kafka_days * by.kafka_copies / _TIB
    wire = single.bytes["network"] + scorer.bytes["network"]
    return Need(
        rate=rate,
        ingest_single=_cores(rate, single.cpu_us["ingest"], by),
        ingest_batch=_cores(rate, batch.cpu_us["ingest"], by),
        scorers=scorers,
        partitions=max(by.partitions_at_least, _round_up(scorers, 12)),
        routers=_cores(moves, router.cpu_us["router"], by),
        postgres_cores=postgres,
        kafka_cores=_cores(rate, single.cpu_us["kafka"] * by.kafka_copies + scorer.cpu_us["kafka"], by),
        postgres_nodes=max(
            math.ceil(postgres / by.postgres_cores),
            math.ceil((history + leads) / by.postgres_copies / by.postgres_disk_tib),
        ),
        kafka_tib=kafka,
        history_tib=history,
        leads_tib=leads,
        network_gbit=rate * wire * 8 / 1e9,
    )


def _cores(per_s: float, cpu_us: float, by: Assumed) -> int:
    return math.ceil(per_s * cpu_us / 1e6 / by.busy)


def _round_up(number: int, to: int) -> int:
    return math.ceil(number / to) * to


def measured_table(of: Measured) -> str:
    """The measured costs, per million."""
    steps = (
        ("ingest, single events", of.single),
        ("ingest, batches of 50", of.batch),
        ("scorer, a mixed crowd", of.scorer),
        ("router, one webhook for each", of.router),
    )
    rows = "".join(
        f"| {name} | {_cpu(cost)} | {_bytes(cost)} | {cost.per_s:,.0f}/s |\n" for name, cost in steps
    )
    held = ", ".join(f"{name} {mib:,.0f}" for name, mib in of.memory_mib.items())
    machine = "".join(f"- {line}\n" for line in of.machine)
    return (
        f"Measured on {of.day} with `make bench-capacity`:\n\n{machine}\n"
        "| step | CPU seconds per million | GB per million | while it was measured |\n|---|---|---|---:|\n"
        f"{rows}\nA lead is {of.lead_bytes / 1000:,.1f} kB on disk with its indexes and its row in lists. "
        f"Memory, MiB: {held}.\n"
    )


def _cpu(cost: Cost) -> str:
    return ", ".join(f"{name} {cpu:,.0f}" for name, cpu in cost.cpu_us.items())


def _bytes(cost: Cost) -> str:
    return ", ".join(f"{name} {each / 1000:,.2f}" for name, each in cost.bytes.items() if each > 0)


def needs_table(of: Measured) -> str:
    """The arithmetic, a column for each rate."""
    needs = [need(rate, of) for rate in RATES]
    head = "| arithmetic | " + " | ".join(f"{each.rate:,} events/s" for each in needs) + " |\n"
    return head + "|---|" + "---:|" * len(needs) + "\n" + "".join(_rows(needs))


def _rows(needs: list[Need]) -> Iterator[str]:
    rows = {
        "ingest processes, single events": [f"{each.ingest_single:,}" for each in needs],
        "ingest processes, if all come in batches of 50": [f"{each.ingest_batch:,}" for each in needs],
        "Kafka cores, three copies": [f"{each.kafka_cores:,}" for each in needs],
        "partitions of the events topic": [f"{each.partitions:,}" for each in needs],
        "scorer processes": [f"{each.scorers:,}" for each in needs],
        "Postgres cores": [f"{each.postgres_cores:,}" for each in needs],
        "Postgres servers of 32 cores and 16 TiB": [f"{each.postgres_nodes:,}" for each in needs],
        "router processes": [f"{each.routers:,}" for each in needs],
        "Kafka on disk, 14 days, three copies": [_size(each.kafka_tib) for each in needs],
        "events on disk, 13 months, two copies": [_size(each.history_tib) for each in needs],
        "leads on disk, two copies": [_size(each.leads_tib) for each in needs],
        "inner network at the peak": [f"{each.network_gbit:,.2f} Gbit/s" for each in needs],
    }
    yield from (f"| {name} | {' | '.join(values)} |\n" for name, values in rows.items())


def _size(tib: float) -> str:
    return f"{tib * 1024:,.0f} GiB" if tib < 1 else f"{tib:,.0f} TiB"


def marked(name: str, text: str, within: str) -> str:
    """`within` with this text between the marks of this name. Raises ValueError if it has no such place."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, found, rest = within.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"no place for {name}: put {begin.strip()} and {end} where it belongs")
    return f"{before}{begin}{text}{end}{after}"


def page(of: Measured, text: str) -> str:
    """docs/capacity.md with the tables of this run."""
    return marked("needs", needs_table(of), marked("measured", measured_table(of), text))
