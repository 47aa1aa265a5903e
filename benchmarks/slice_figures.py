"""What bench-slice measured, as lines of its report.

In: the results of a run. Out: a `Report`. Refuses nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.backlog import Backlog
from benchmarks.figures import Figure, Report
from benchmarks.intake import Intake
from benchmarks.machine import Machine
from benchmarks.path import Path

_MEBIBYTE: Final = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One whole run; `command` is how to repeat it, `day` when it was."""

    intake: Intake
    backlog: Backlog
    paths: tuple[Path, ...]
    machine: Machine
    command: str
    day: str


def report(results: Results) -> Report:
    """The whole run, in the order of an event's path."""
    return Report(
        name="bench-slice",
        command=results.command,
        day=results.day,
        machine=tuple(results.machine.lines()),
        figures=(
            *_intake(results.intake),
            *_backlog(results.backlog),
            *(figure for path in results.paths for figure in _path(path)),
            *_memory(results),
        ),
    )


def _intake(intake: Intake) -> Iterator[Figure]:
    yield Figure(
        what="ingest, single events, 32 connections",
        measured=f"{intake.single:,.0f} events/s",
        beside=f"{intake.ratio:.0%} of a bare app in the same run ({intake.bare:,.0f}/s); aim 70 %",
    )
    yield Figure(
        what="ingest, CPU of one single event",
        measured=f"{intake.cpu_us:,.0f} µs",
        beside=f"bare app {intake.bare_cpu_us:,.0f} µs",
    )
    yield Figure(
        what="ingest, p99 at half of that rate",
        measured=f"{intake.half.p99_ms:,.0f} ms",
        beside=f"p50 {intake.half.p50_ms:,.0f} ms at {intake.half.events_per_s:,.0f} events/s; aim < 50 ms",
    )
    yield Figure(
        what="ingest, batches of 50, 32 connections",
        measured=f"{intake.batched:,.0f} events/s",
        beside=f"{intake.batched / intake.single:.1f} times single events; aim 25,000 events/s",
    )


def _backlog(backlog: Backlog) -> Iterator[Figure]:
    yield Figure(
        what="scorer, backlog",
        measured=f"{backlog.per_s:,.0f} events/s",
        beside=f"{backlog.events:,} events of {backlog.leads:,} leads; aim 20,000 events/s",
    )
    yield Figure(
        what="scorer, CPU of one event",
        measured=f"{backlog.cpu_us:,.0f} µs",
        beside="of its own process, Postgres not included",
    )


def _path(path: Path) -> Iterator[Figure]:
    offered = f"at {path.rate:,} events/s offered"
    went = f"{path.sent_per_s:,.0f}/s went out" + f", {path.refused:,} refused" * bool(path.refused)
    lost = f", {path.missing:,} not in time" * bool(path.missing)
    score_aim = "; aim p99 < 150 ms" * (path.rate == 1000)
    webhook_aim = "; aim p99 < 250 ms" * (path.rate == 1000)
    yield Figure(
        what=f"post → score visible, p50 / p99, {offered}",
        measured=f"{path.score_p50_ms:,.0f} / {path.score_p99_ms:,.0f} ms",
        beside=f"{path.probes:,} looked for, {went}{score_aim}",
    )
    yield Figure(
        what=f"post → webhook received, p50 / p99, {offered}",
        measured=f"{path.webhook_p50_ms:,.0f} / {path.webhook_p99_ms:,.0f} ms",
        beside=f"{path.webhooks:,} awaited{lost}{webhook_aim}",
    )


def _memory(results: Results) -> Iterator[Figure]:
    peaks = {"ingest": results.intake.peak_bytes, "scorer": results.backlog.peak_bytes}
    for path in results.paths:
        for name, size in path.peak_bytes.items():
            peaks[name] = max(size, peaks.get(name, 0))
    shown = ", ".join(f"{name} {size / _MEBIBYTE:,.0f}" for name, size in peaks.items())
    yield Figure(what="memory of each service at its highest, MiB", measured=shown, beside="aim < 200")
