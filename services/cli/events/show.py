"""`leadscore events list`: the stored events of a lead, or of nobody, each with why it does not count.

In: a lead, or `--nobody`. Out: a table, or JSON for programs.
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
from shared.errors import Invalid
from shared.leads.event_list import ListedEvent, listed
from shared.leads.find import find
from shared.leads.trouble import WHY


def events(
    lead: Annotated[str, typer.Argument(help="E-mail address, user id, anonymous id or lead id.")] = "",
    *,
    nobody: Annotated[bool, typer.Option("--nobody", help="Those that belong to nobody.")] = False,
    quarantined: Annotated[bool, typer.Option("--quarantined", help="Only those that do not count.")] = False,
    most: Annotated[int, typer.Option(help="How many to show.", min=1, max=10_000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List stored events, the newest first."""
    if bool(lead) == nobody:
        raise Invalid("which_events", "give either a lead or --nobody")
    found = asyncio.run(_read(lead, counting=not quarantined, most=most))
    if as_json:
        print_json([asdict(one) for one in found])
    elif found:
        Console().print(_table(found))
    else:
        typer.echo("there is no such event")


async def _read(lead: str, *, counting: bool, most: int) -> list[ListedEvent]:
    async with database() as pool, transaction(pool) as connection:
        of = await find(connection, lead, identity_rules()) if lead else None
        return await listed(connection, of, counting=counting, most=most)


def _table(found: list[ListedEvent]) -> Table:
    table = Table("When", "Event", "Source", "Counts", "Id")
    for one in found:
        table.add_row(when(one.at), Text(one.name), one.source, Text(_counts(one)), str(one.event_id))
    return table


def _counts(one: ListedEvent) -> str:
    """Whether it counts, why not, and who said so."""
    why = "yes" if one.quarantine is None else f"no: {WHY.get(one.quarantine, one.quarantine)}"
    if one.signals:
        return f"{why} ({'; '.join(one.signals)})"
    if one.made_by is None:
        return why
    return f"{why} ({one.made_by}: {one.note})" if one.note else f"{why} ({one.made_by})"
