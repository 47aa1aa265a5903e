"""`leadscore demo`: send shop traffic to a running Leadscore and show what became of it.

In: options, and what `leadscore up` noted down. Out: progress, then a table (or JSON); exit code 1 if
something is missing at the end. Refuses to start anything: without a running Leadscore it says what to do.
"""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.demo.plan import Plan, plan
from services.cli.demo.replay import Progress, Tell, replay
from services.cli.demo.report import Report, table
from services.cli.demo.rows import chosen, read
from services.cli.demo.target import NOT_RUNNING, Target, read_keys, target
from services.cli.demo.watch import Watcher
from services.cli.installation import Installation
from shared.database import engine
from shared.errors import Misconfigured, Transient

_LAST_RUN: Final = "demo-run"


def demo(  # noqa: PLR0913 - each is an option
    *,
    users: Annotated[int | None, typer.Option(min=1, help="Only this many of the 600 visitors.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many shop events.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Base URL of ingest, if not the one of `make run`.")
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File of NAME=value lines to use before all others."),
    ] = None,
    same_ids: Annotated[
        bool, typer.Option("--same-ids", help="Send the last run's message ids again: nothing new may count.")
    ] = False,
    still_s: Annotated[float, typer.Option(min=1, help="Give up when nothing has moved for so long.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Send half a year of synthetic shop traffic and show what became of it.

    Page views and identify calls go through Segment's Python SDK, mail events through SendGrid's webhook,
    forms as a browser posts them. Times are shifted so that the newest event happens now.
    """
    installation = Installation.of(os.environ)
    given = read_keys(keys.read_text()) if keys else {}
    aim = target({**installation.known(), **os.environ, **given}, host=host)
    memory = installation.folder / _LAST_RUN
    now = datetime.now(UTC)
    run_id = _last_run(memory) if same_ids else now.strftime("%Y%m%d-%H%M%S")
    made = plan(chosen(read(), users=users, limit=limit), now, run_id)
    report = asyncio.run(_run(made, aim, still_s, memory, quiet=as_json))
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
    else:
        Console().print(table(report))
    if report.shortfalls():
        raise typer.Exit(1)


async def _run(made: Plan, aim: Target, still_s: float, memory: Path, *, quiet: bool) -> Report:
    """Replay with progress on the terminal. Raises Misconfigured if nothing answers there.

    memory: where the id of this run is noted, before anything is sent
    """
    database = engine(aim.database_url, application="leadscore-demo", pool_size=1)
    # trust_env: a proxy of the environment does not know our loopback.
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        try:
            watcher = await _begin(database, client, aim)
            _note_run(memory, made.run.id)
            with _bars(quiet=quiet) as bars:
                tell = _teller(bars, made.events)
                return await replay(made, aim.address, watcher, tell=tell, still_s=still_s)
        finally:
            await database.dispose()


async def _begin(database: AsyncEngine, client: httpx.AsyncClient, aim: Target) -> Watcher:
    try:
        return await Watcher.begin(database, client, aim.metrics_url)
    except (httpx.HTTPError, Transient) as error:
        raise Misconfigured(NOT_RUNNING, [str(error)]) from error


def _bars(*, quiet: bool) -> Bars:
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Bars(*columns, console=Console(stderr=True), disable=quiet)


def _teller(bars: Bars, events: int) -> Tell:
    """Moves three bars: events sent, events counted, deliveries made."""
    sent = bars.add_task("sent", total=events)
    counted = bars.add_task("counted", total=events)
    delivered = bars.add_task("delivered", total=None)

    def tell(progress: Progress) -> None:
        bars.update(sent, completed=progress.sent)
        if (standing := progress.standing) is not None:
            bars.update(counted, completed=standing.tally.processed)
            made = standing.deliveries.made
            bars.update(delivered, completed=made, total=made + standing.deliveries.waiting or None)

    return tell


def _note_run(memory: Path, run_id: str) -> None:
    # A machine that only sends never had one made.
    memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    memory.write_text(run_id)


def _last_run(memory: Path) -> str:
    """The id of the run before. Raises Misconfigured if there was none."""
    try:
        return memory.read_text().strip()
    except FileNotFoundError as error:
        raise Misconfigured(
            f"--same-ids repeats the run before, but {memory} is missing. Run the demo once without it.", []
        ) from error
