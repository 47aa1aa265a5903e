"""`leadscore reconcile`: check the promises on the live database, and say what is off.

In: options. Out: a table, or JSON for programs; exit code 1 if anything is off.
Refuses to mend: it only reads.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from services.cli.reconcile.findings import CHECKS, Findings
from services.cli.reconcile.walk import START, Wish
from services.cli.reconcile.walk import reconcile as walk
from services.cli.session import database
from shared.errors import Invalid
from shared.ids import LeadId


def reconcile(
    *,
    after: Annotated[str, typer.Option("--from", help="Go on after this lead; skip those before.")] = "",
    sample: Annotated[
        int, typer.Option(min=0, help="Only so many leads, drawn by chance: a quick look.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Check that scores, receipts, transitions, deliveries and books are as promised."""
    wish, findings = Wish(after=_lead(after), sample=sample), Findings()
    try:
        with _progress() as tell:
            asyncio.run(_walked(wish, findings, tell))
    except BaseException:
        if findings.numbers:  # whoever goes on from here would never hear of these
            _tell(findings, as_json=as_json)
        if findings.reached and not sample:
            typer.echo(f"stopped; go on with: leadscore reconcile --from {findings.reached}", err=True)
        raise
    _tell(findings, as_json=as_json)
    if after:
        typer.echo("leads before this one are an earlier run's; what that found, it said", err=True)
    if findings.numbers:
        raise typer.Exit(1)


def _tell(findings: Findings, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(findings.document(), ensure_ascii=False, indent=2))
    else:
        _show(findings)


async def _walked(wish: Wish, findings: Findings, tell: Callable[[str], None]) -> None:
    async with database() as pool:
        await walk(pool, wish, findings=findings, tell=tell)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being looked at, on stderr; stdout stays clean."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Checking", total=None)
        yield lambda text: progress.update(task, description=f"Checking: {text}")


def _show(findings: Findings) -> None:
    looked = f"{findings.leads:,} leads, {findings.events:,} events, {findings.transitions:,} transitions"
    scope = "" if findings.whole else "; event ids and books were not looked at"
    typer.echo(f"looked at {looked}{scope}")
    if findings.not_compared:
        typer.echo(f"{findings.not_compared:,} leads have a model version that cannot be read any more")
    if not findings.numbers:
        typer.echo("everything is as promised")
        return
    table = Table("Promise", "Check", "How many", "What", "For example")
    for check, (promise, what) in CHECKS.items():
        if number := findings.numbers[check]:
            first = findings.examples[check][0]
            example = Text(f"{first.subject}: {first.seen}", overflow="fold")
            table.add_row(promise, check, f"{number:,}", what, example)
    Console().print(table)


def _lead(text: str) -> LeadId:
    if not text:
        return START
    try:
        return LeadId(UUID(text))
    except ValueError as error:
        raise Invalid(
            "not_a_lead", f"--from takes a lead's id, not {text}. It is printed on a stop"
        ) from error
