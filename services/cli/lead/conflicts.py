"""`leadscore lead conflicts`: what was refused about people, and the command that decides otherwise.

In: nothing, or a lead. Out: a table, or JSON for programs. Refuses to decide.
"""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.lead.show import identity_rules
from services.cli.output import print_json, when
from services.cli.session import database
from shared.database import transaction
from shared.leads.find import find
from shared.leads.trouble import WHY, Disputed, SetAside, disputed, set_aside


def conflicts(
    lead: Annotated[str, typer.Argument(help="Only of this lead: address or id.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List leads that share an identifier and stay two, and identifiers that are not believed."""
    found, aside = asyncio.run(_read(lead))
    if as_json:
        both = {"conflicts": [asdict(one) for one in found], "set_aside": [asdict(one) for one in aside]}
        print_json(both)
        return
    if not found and not aside:
        typer.echo("no conflicts")
    for part in tables(found, aside):
        Console().print(part)


def tables(found: list[Disputed], aside: list[SetAside]) -> list[Table]:
    """What there is to show, nothing where there is nothing."""
    return [*([_conflicts(found)] if found else []), *([_set_aside(aside)] if aside else [])]


async def _read(lead: str) -> tuple[list[Disputed], list[SetAside]]:
    async with database() as pool, transaction(pool) as connection:
        of = await find(connection, lead, identity_rules()) if lead else None
        return await disputed(connection, of), await set_aside(connection, of)


def _conflicts(found: list[Disputed]) -> Table:
    table = Table("When", "Named together", "By", "Two leads because", "To make them one", title="Conflicts")
    for one in found:
        named = Text(", ".join(one.named))
        table.add_row(when(one.at), named, Text(one.event), WHY[one.why], Text(one.command, overflow="fold"))
    return table


def _set_aside(aside: list[SetAside]) -> Table:
    table = Table("Identifier", "Status", "To believe it again", title="Set aside")
    for one in aside:
        table.add_row(one.kind, one.status, Text(one.command, overflow="fold"))
    return table
