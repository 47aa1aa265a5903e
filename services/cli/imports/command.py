"""`leadscore import FILE --source ID`: history from elsewhere, through the same path as everything else.

In: a file of events, a source of sources.yaml. Out: events on the events topic, what was sent; exit code 1 if
any row is no event: those are in FILE.SOURCE.rejected.jsonl. Beside the file is also how far the import is
(FILE.<source>.import.json), so that the same command goes on after whatever stopped it.
Refuses sources that sources.yaml does not know, and to wake sales for what is long past unless told to.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from services.cli.imports.job import Job, Told, Wish, import_file
from services.cli.imports.understand import FIELDS, OBJECTS
from services.cli.quiet import quiet
from shared.errors import Invalid

_MOST_NAMES: Final = 10


def import_(  # noqa: PLR0913 - one parameter for each option that a person may type
    file: Annotated[Path, typer.Argument(help="A .jsonl, .csv (also .gz) or .parquet file.")],
    *,
    source: Annotated[str, typer.Option(help="Which source of sources.yaml its events are of.")],
    renamed: Annotated[
        list[str] | None,
        typer.Option("--map", help="column=field: a column that has another name. Repeatable."),
    ] = None,
    event: Annotated[str, typer.Option(help="The name of events whose row has none.")] = "",
    encoding: Annotated[str, typer.Option(help="Of a CSV file; Excel often writes cp1252.")] = "utf-8-sig",
    zone: Annotated[str, typer.Option(help="Time zone of times without one, as Europe/Berlin.")] = "",
    deliver: Annotated[
        bool, typer.Option("--deliver", help="Tell destinations what the history moves; else only record it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, send nothing.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Begin with the first row again.")] = False,
    ahead: Annotated[
        int, typer.Option(min=0, help="Records that may wait for the scorer; 0: any number.")
    ] = 5_000,
) -> None:
    """Import history: validated, deduplicated and scored like any event."""
    wish = Wish(
        file=file,
        source=source,
        renamed=_renamed(renamed or []),
        event=event,
        encoding=encoding,
        zone=zone,
        deliver=deliver,
        dry_run=dry_run,
        again=again,
        ahead=ahead,
    )
    told = Told()
    try:
        with quiet(), _bar(told):
            job = asyncio.run(import_file(wish, told))
    except BaseException:
        if told.rows and not dry_run:
            how = "the same command without --again" if again else "the same command"
            typer.echo(f"stopped after {told.rows:,} rows; {how} goes on", err=True)
        raise
    _report(job, told)
    if job.progress.rejected:
        raise typer.Exit(1)


def _renamed(pairs: list[str]) -> dict[str, str]:
    """`column=field` → a mapping. Raises Invalid for a field that is none of ours."""
    found = dict(pair.partition("=")[::2] for pair in pairs)
    for column, name in found.items():
        if name not in FIELDS and name.partition(".")[0] not in OBJECTS:
            raise Invalid(
                "unknown_field",
                f"--map {column}={name}: unknown field. "
                f"Fields: {', '.join(sorted(FIELDS))}, properties.x, traits.x",
            )
    return found


@contextmanager
def _bar(told: Told) -> Iterator[None]:
    """How far it is, on stderr; stdout stays clean."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the file", total=1.0)
        told.show = lambda text, done: bar.update(task, description=text, completed=done)
        yield


def _report(job: Job, told: Told) -> None:
    progress = job.progress
    if job.nothing_to_do:
        typer.echo(
            f"this file was imported already: {progress.sent:,} events, {progress.rejected:,} rejected. "
            "--again sends it once more, and counts nothing twice"
        )
        return
    verb = "would be sent" if job.dry_run else "sent"
    typer.echo(f"{progress.rows:,} rows, {progress.sent:,} events {verb}, {progress.rejected:,} rejected")
    if told.sent and told.seconds and not job.dry_run:
        typer.echo(f"{told.sent:,} events in {told.seconds:.1f} s: {told.sent / told.seconds:,.0f} a second")
    if told.unused:
        names = ", ".join(f"{name} ({times:,})" for name, times in told.unused.most_common(_MOST_NAMES))
        typer.echo(
            f"kept and not understood, so that no rule sees it: {names}. --map gives a column a meaning"
        )
    if progress.rejected:
        for code, times in told.codes.most_common():
            typer.echo(f"rejected {times:,}: {code}: {told.examples[code]}")
        typer.echo(f"each rejected row, with its line and reason: {job.rejected}")
