"""What was measured → a table for people and a section of docs/benchmarks.md.

In: a `Report`. Out: a rich table, Markdown. Refuses to print a figure alone: each stands beside a reference
of the same run, or beside what we aim for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line: what, how much, compared with what."""

    what: str
    measured: str
    beside: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One whole run.

    name:     the target of make, which also marks the section of the document
    command:  how to repeat it
    day:      when it was
    machine:  what it was measured on, line by line
    """

    name: str
    command: str
    day: str
    machine: tuple[str, ...]
    figures: tuple[Figure, ...]


def table(report: Report) -> Table:
    """For people."""
    made = Table("what", "measured", "beside", title=report.name, title_justify="left")
    made.columns[1].justify = "right"
    for figure in report.figures:
        made.add_row(figure.what, figure.measured, figure.beside)
    made.caption = "\n".join(report.machine)
    made.caption_justify = "left"
    return made


def markdown(report: Report) -> str:
    """The section for docs/benchmarks.md, between its marks."""
    begin, end = _marks(report)
    rows = [f"| {each.what} | {each.measured} | {each.beside} |" for each in report.figures]
    machine = [f"- {line}" for line in report.machine]
    head = [f"Measured on {report.day} with `{report.command}`:", ""]
    return "\n".join(
        [begin, *head, *machine, "", "| what | measured | beside |", "|---|---:|---|", *rows, end]
    )


def write(file: Path, report: Report) -> None:
    """Put the section where the old one is. Raises ValueError if the file has no place for it."""
    begin, end = _marks(report)
    before, found_begin, rest = file.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{file} has no place for the figures: put {begin} and {end} where they belong")
    file.write_text(before + markdown(report) + after, encoding="utf-8")


def _marks(report: Report) -> tuple[str, str]:
    return f"<!-- {report.name}: begin -->", f"<!-- {report.name}: end -->"
