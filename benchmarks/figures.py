"""What was measured → lines for people and a section of docs/benchmarks.md.

In: results. Out: a rich table, Markdown. Refuses to print a figure alone: each stands beside a reference of
the same run, or beside what we aim for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Final

from rich.table import Table

from benchmarks.backlog import Backlog
from benchmarks.intake import Intake
from benchmarks.machine import Machine
from benchmarks.path import Path

_BEGIN: Final = "<!-- bench-slice: begin -->"
_END: Final = "<!-- bench-slice: end -->"
_MEBIBYTE: Final = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line: what, how much, compared with what."""

    what: str
    measured: str
    beside: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One whole run; `command` is how to repeat it, `day` when it was."""

    intake: Intake
    backlog: Backlog
    paths: tuple[Path, ...]
    machine: Machine
    command: str
    day: str


def figures(results: Results) -> list[Figure]:
    """All figures of a run, in the order of an event's path."""
    return [
        *_intake(results.intake),
        *_backlog(results.backlog),
        *(figure for path in results.paths for figure in _path(path)),
        *_memory(results),
    ]


def table(results: Results) -> Table:
    """For people."""
    made = Table("what", "measured", "beside", title="bench-slice", title_justify="left")
    made.columns[1].justify = "right"
    for figure in figures(results):
        made.add_row(figure.what, figure.measured, figure.beside)
    made.caption = "\n".join(results.machine.lines())
    made.caption_justify = "left"
    return made


def markdown(results: Results) -> str:
    """The section for docs/benchmarks.md."""
    rows = [f"| {each.what} | {each.measured} | {each.beside} |" for each in figures(results)]
    machine = [f"- {line}" for line in results.machine.lines()]
    head = [f"Measured on {results.day} with `{results.command}`:", ""]
    return "\n".join(
        [_BEGIN, *head, *machine, "", "| what | measured | beside |", "|---|---:|---|", *rows, _END]
    )


def write(file: FilePath, section: str, marks: tuple[str, str] = (_BEGIN, _END)) -> None:
    """Put the section where the old one is, between marks. Raises ValueError if they are not there."""
    first, last = marks
    before, begin, rest = file.read_text(encoding="utf-8").partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"{file} has no place for the figures: put {first} and {last} where they belong")
    file.write_text(before + section + after, encoding="utf-8")


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
