"""`leadscore lead find TEXT`: leads by a part of a name, company, address or id.

In: text. Out: a table, or JSON for programs; and what with this text belongs to nobody, and why.
"""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.output import print_json
from services.cli.session import database
from shared.database import snapshot
from shared.leads.search import Match, nobodys, search
from shared.leads.trouble import WHY


def find(
    text: Annotated[str, typer.Argument(help="A part of a name, company, address or id.")],
    *,
    most: Annotated[int, typer.Option(help="How many to show.", min=1, max=500)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List leads that have this text."""
    found, of_nobody = asyncio.run(_read(text, most))
    if as_json:
        both = {"leads": [asdict(one) for one in found], "of_nobody": of_nobody}
        print_json(both)
        return
    if found:
        Console().print(_table(found))
    for reason, number in of_nobody.items():
        typer.echo(f"{number} events with this text belong to nobody: {WHY.get(reason, reason)}")
    if not found and not of_nobody:
        typer.echo(f"no lead has {text}")


async def _read(text: str, most: int) -> tuple[list[Match], dict[str, int]]:
    # A snapshot, because a statement has no limit there: every stored event is read.
    async with database() as pool, snapshot(pool) as connection:
        return await search(connection, text, most), await nobodys(connection, text)


def _table(found: list[Match]) -> Table:
    table = Table("Address", "Name", "Company", "Stage", "Score", "Lead")
    for one in found:
        person = (Text(one.email), Text(one.name), Text(one.company))
        stage = f"{one.stage}, objected" if one.objected else one.stage
        table.add_row(*person, stage, f"{one.score} ({one.grade})", str(one.lead))
    return table
