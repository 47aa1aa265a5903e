"""`leadscore model history`: every version, who did what with it, and when.

In: nothing. Out: a table, newest first; JSON for programs.
Refuses to hide: drafts and silent publishes are lines too.
"""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.session import database
from shared.database import transaction
from shared.leads.store import models as stored_models
from shared.leads.store.models import ModelChange


def history(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """List what was done with every version of the model, newest first."""
    lines = list(reversed(asyncio.run(_read())))
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in lines], default=str, ensure_ascii=False, indent=2))
    elif lines:
        Console().print(_table(lines))
    else:
        typer.echo("No version yet: the first one is stored when a scorer starts.")


async def _read() -> list[ModelChange]:
    async with database() as pool, transaction(pool) as connection:
        return await stored_models.changes(connection)


def _table(lines: list[ModelChange]) -> Table:
    table = Table("When", "Version", "What", "Moves", "Who", "Why", "Now")
    table.columns[0].no_wrap = table.columns[2].no_wrap = True
    for line in lines:
        moves = {True: "silent", False: "routed", None: ""}[line.silent]
        table.add_row(
            f"{line.at:%Y-%m-%d %H:%M}",
            str(line.version),
            line.action,
            moves,
            Text(line.made_by),
            Text(line.note),
            line.state,
        )
    return table
