"""What bench-scorer measured, as lines of its report.

In: the results of a run. Out: a `Report`. Refuses a rate without what it stands beside.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.backlog import Backlog
from benchmarks.bare_sql import Limit
from benchmarks.figures import Figure, Report
from benchmarks.machine import Machine
from benchmarks.path import Path
from benchmarks.plans import Looked

_MEBIBYTE: Final = 1024**2
_SCORE_AIM_MS: Final = {100: 30, 1000: 80}
_WEBHOOK_AIM_MS: Final = {1000: 120}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowded:
    """The backlog in a database with so many leads."""

    leads: int
    counted: Backlog
    looked: Looked


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One whole run; `peer` is None where its packages cannot be had."""

    one: Backlog
    two: Backlog
    views_one: Backlog
    views_two: Backlog
    peer: Backlog | None
    limit: Limit
    crowded: Sequence[Crowded]
    paths: Sequence[Path]
    machine: Machine
    command: str
    day: str


def report(results: Results) -> Report:
    """The whole run."""
    return Report(
        name="bench-scorer",
        command=results.command,
        day=results.day,
        machine=tuple(results.machine.lines()),
        figures=(
            *_backlogs(results),
            *_beside(results),
            *_crowded(results.crowded),
            *(figure for each in results.paths for figure in _path(each)),
            _memory(results),
        ),
    )


def _backlogs(results: Results) -> Iterator[Figure]:
    aims = (
        ("backlog, two processes", results.two, 14_000),
        ("backlog, one process", results.one, 9_000),
        ("page views, two processes", results.views_two, 18_000),
        ("page views, one process", results.views_one, None),
    )
    for what, counted, aim in aims:
        aimed = f"; aim {aim:,}" if aim else ""
        yield Figure(
            what=what,
            measured=f"{counted.per_s:,.0f} events/s",
            beside=f"{counted.events:,} events of {counted.leads:,} leads, "
            f"{counted.cpu_us:,.0f} µs of CPU each{aimed}",
        )


def _beside(results: Results) -> Iterator[Figure]:
    limit, peer = results.limit, results.peer
    yield Figure(
        what="the same in one process without Kafka",
        measured=f"{limit.counted_per_s:,.0f} events/s",
        beside=f"{limit.counted_cpu_us:,.0f} µs of CPU each; {limit.per_batch:.0f} statements a transaction",
    )
    yield Figure(
        what="the bare SQL of these transactions",
        measured=f"{limit.bare_per_s:,.0f} events/s",
        beside=f"the scorer reaches {limit.counted_per_s / limit.bare_per_s:.0%} of it",
    )
    if peer:
        yield Figure(
            what="the peer: quixstreams with keyed state and its Postgres sink, one process",
            measured=f"{peer.per_s:,.0f} events/s",
            beside=f"the scorer counts {results.one.per_s / peer.per_s:.1f} times as many; "
            f"{peer.cpu_us:,.0f} µs of CPU each, {peer.peak_bytes / _MEBIBYTE:,.0f} MiB",
        )


def _crowded(crowded: Sequence[Crowded]) -> Iterator[Figure]:
    first = crowded[0].counted.per_s
    for each in crowded:
        cpu = f"{each.counted.cpu_us:,.0f} µs of CPU each"
        beside = f"{each.counted.per_s / first:.0%} of the rate with {crowded[0].leads:,}, {cpu}; aim 80 %"
        yield Figure(
            what=f"backlog among {each.leads:,} leads, one process",
            measured=f"{each.counted.per_s:,.0f} events/s",
            beside=beside if each is not crowded[0] else cpu,
        )
        yield Figure(
            what="… statements of a transaction that read a whole table there, and HOT updates of leads",
            measured=f"{len(each.looked.scanned)}; {each.looked.hot:.1%}",
            beside="; ".join(each.looked.scanned)[:200] or "aim 0; > 95 %",
        )
        yield Figure(
            what="… what Postgres waits for its pages, for one event",
            measured=f"{each.looked.wait_us / each.counted.events:,.0f} µs",
            beside=f"{each.looked.pages / each.counted.events:.1f} pages that were not in its own memory",
        )


def _path(path: Path) -> Iterator[Figure]:
    lines = (
        ("score visible", path.score_p50_ms, path.score_p99_ms, _SCORE_AIM_MS.get(path.rate)),
        ("webhook received", path.webhook_p50_ms, path.webhook_p99_ms, _WEBHOOK_AIM_MS.get(path.rate)),
    )
    for what, p50_ms, p99_ms, aim_ms in lines:
        yield Figure(
            what=f"post → {what}, p50 / p99, at {path.rate:,} events/s offered",
            measured=f"{p50_ms:,.0f} / {p99_ms:,.0f} ms",
            beside=f"{path.sent_per_s:,.0f}/s went out" + (f"; aim p99 < {aim_ms} ms" if aim_ms else ""),
        )


def _memory(results: Results) -> Figure:
    counted = (results.one, results.two, results.views_one, results.views_two)
    peak = max(each.peak_bytes for each in (*counted, *(each.counted for each in results.crowded)))
    return Figure(
        what="memory of a scorer at its highest",
        measured=f"{peak / _MEBIBYTE:,.0f} MiB",
        beside="over every backlog above; aim < 200 MiB",
    )
