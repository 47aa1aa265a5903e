"""Watch a rescore until every lead is done.

In: what was changed. Out: a sentence, a bar on stderr, a sentence.
Refuses to hold anything up: Ctrl-C ends the watching, not the rescore.
"""

import asyncio
from typing import Any, Final

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer.models.change_model import Changed
from services.scorer.store import rescores
from services.scorer.store.rescores import Progress as Walked
from shared.database import snapshot, transaction

_LOOK_S: Final = 0.25
_SILENT_S: Final = 10.0
_LEADS: Final = "SELECT count(*)::int FROM leads"


async def follow(database: AsyncEngine, changed: Changed, *, wait: bool) -> None:
    """Say what is going on, and wait for the end of it if that is wanted."""
    async with snapshot(database) as connection:
        total = await connection.fetchval(_LEADS)
        now = await rescores.progress(connection, changed.rescore_id)
    where = "in the shadow" if now.purpose == "shadow" else "active"
    typer.echo(
        f"version {changed.version} is {where}; {total:,} leads are scored anew by the running scorers"
    )
    if not wait:
        return
    done = await _watch(database, changed.rescore_id, total)
    if done.finished_at:
        typer.echo(f"{done.leads:,} leads are scored, {done.moved:,} moves")
    else:
        typer.echo("no scorer works on it now; it goes on as soon as one runs")


async def _watch(database: AsyncEngine, rescore_id: int, total: int) -> Walked:
    """Show how far it is until it is done, or until nothing has moved for a while."""
    clock = asyncio.get_running_loop().time
    moved_s = clock()
    last: Any = None
    with _bar() as bar:
        shown = bar.add_task("leads", total=total)
        while True:
            async with transaction(database) as connection:
                now = await rescores.progress(connection, rescore_id)
            bar.update(shown, completed=now.leads)
            if now != last:
                last, moved_s = now, clock()
            if now.finished_at or clock() - moved_s > _SILENT_S:
                return now
            await asyncio.sleep(_LOOK_S)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
