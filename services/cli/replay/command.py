"""`leadscore replay`: every lead scored anew from its stored events under the active model.

In: options. Out: how many leads came out different from what was stored, and by how much: none should. With
--check nothing is written, and the exit code is 1 if any did. A replay that was stopped goes on.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from services.cli.lead.show import identity_rules
from services.cli.quiet import quiet
from services.cli.replay.walk import Findings, Wish
from services.cli.replay.walk import replay as walk
from services.cli.session import database
from shared.database import transaction
from shared.leads.find import find


def replay(
    *,
    lead: Annotated[str, typer.Option(help="Only this one: an address or any id.")] = "",
    check: Annotated[
        bool, typer.Option("--check", "--dry-run", help="Compare, write nothing; 1 if any is different.")
    ] = False,
    deliver: Annotated[
        bool,
        typer.Option("--deliver", help="Tell destinations of what moves because it came out different."),
    ] = False,
) -> None:
    """Score every lead anew from its stored events, and say which came out different."""
    findings = Findings()
    began_s = monotonic()
    try:
        with quiet(), _progress() as tell:
            asyncio.run(_replayed(lead, findings, tell, check=check, deliver=deliver))
    except BaseException:
        if findings.leads_now and not lead:
            typer.echo(f"stopped after {findings.done.leads:,} leads; the same command goes on", err=True)
        raise
    _report(findings, monotonic() - began_s, check=check)
    if check and findings.done.different:
        raise typer.Exit(1)


async def _replayed(
    who: str, findings: Findings, tell: Callable[[Findings, int], None], *, check: bool, deliver: bool
) -> None:
    async with database() as pool:
        only = None
        if who:
            async with transaction(pool) as connection:
                only = await find(connection, who, identity_rules())
        await walk(pool, Wish(lead=only, check=check, deliver=deliver), findings, tell)


@contextmanager
def _progress() -> Iterator[Callable[[Findings, int], None]]:
    """How far it is, on stderr; stdout stays clean."""
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("leads", total=None)
        began_s = monotonic()

        def tell(findings: Findings, total: int) -> None:
            rate = findings.events_now / max(0.001, monotonic() - began_s)
            text = f"{rate:,.0f} events/s, {findings.done.different:,} different; leads"
            bar.update(task, description=text, completed=findings.done.leads, total=total)

        yield tell


def _report(findings: Findings, took_s: float, *, check: bool) -> None:
    done = findings.done
    rate = findings.events_now / max(0.001, took_s)
    typer.echo(
        f"{done.leads:,} leads, {done.events:,} events under version {findings.version}; "
        f"{rate:,.0f} events a second" + ("; went on where it was stopped" if findings.goes_on else "")
    )
    if findings.behind:
        became = "not compared" if check else "brought to this version first"
        typer.echo(f"{findings.behind:,} leads were last scored by another version; {became}")
    if not done.different:
        typer.echo("every lead came out as it was stored")
        return
    average = done.points / done.different
    written = "nothing was written" if check else "they are written anew"
    typer.echo(
        f"{done.different:,} leads came out different, by {average:.1f} points of score on average, "
        f"{findings.most_points} at most; {written}"
    )
    table = Table("Lead", "Points", "Difference")
    for one in findings.examples:
        table.add_row(str(one.lead), f"{one.points:+d}", Text(one.difference, overflow="fold"))
    Console().print(table)
