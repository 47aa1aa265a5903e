"""`leadscore lead list`: the best leads of a stage, or those with a part of a name, company, address or id.

In: options. Out: a table, or JSON for programs. Reads lead_board, which is about a second behind.
"""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.output import print_json, when
from services.cli.session import database
from shared.database import transaction
from shared.errors import Invalid
from shared.leads.board import Card, best
from shared.scoring.definition.stages import STAGE_NAMES


def list_(
    *,
    stage: Annotated[str, typer.Option(help="Only leads of this stage: mql, sal, customer …")] = "",
    search: Annotated[str, typer.Option(help="A part of a name, company, address or id.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the best first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List leads, the best score first."""
    if stage and stage.lower() not in STAGE_NAMES:
        raise Invalid("unknown_stage", f"--stage {stage}: no such stage. Stages: {', '.join(STAGE_NAMES)}")
    found = asyncio.run(_read(limit, stage.lower(), search))
    if as_json:
        print_json([asdict(card) for card in found])
    elif found:
        Console().print(_table(found))
    else:
        typer.echo("no lead is like that")


async def _read(limit: int, stage: str, search: str) -> list[Card]:
    async with database() as pool, transaction(pool) as connection:
        return await best(connection, limit, stage=stage or None, text=search)


def _table(found: list[Card]) -> Table:
    table = Table("Score", "Stage", "Address", "Name", "Company", "Came by", "Last seen", "Lead")
    for one in found:
        person = (Text(one.email), Text(one.name), Text(one.company), Text(one.first_source))
        shown = (f"{one.score} ({one.grade})", one.stage, *person, when(one.last_seen_at), str(one.lead))
        table.add_row(*shown)
    return table
