"""`leadscore destinations list`, `enable`, `give-up`: whether each gets what it should, and what one decides.

In: a name. Out: a table, or JSON; a destination that is sent to again, or for which nothing waits.
Refuses to change routing.yaml: which destinations there are is said there.
"""

import asyncio
import getpass
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from services.cli.deliveries import stored
from services.cli.deliveries.stored import Destination
from services.cli.output import age, print_json, when
from services.cli.session import database
from services.router import health
from shared.database import snapshot, transaction
from shared.errors import Invalid

_PORTION: Final = 10_000


def destinations(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """List destinations that failed or have something to do."""
    found = asyncio.run(_listed())
    if as_json:
        print_json([asdict(each) for each in found])
    elif found:
        Console().print(_table(found, datetime.now(UTC)))
    else:
        typer.echo("no destination has failed, and nothing waits")


def enable(destination: Annotated[str, typer.Argument(help="As routing.yaml names it.")]) -> None:
    """Send to a disabled destination again: what waits, and what comes."""
    if not asyncio.run(_enabled(destination)):
        raise Invalid("not_disabled", f"{destination} is not disabled. See `leadscore destinations list`")
    typer.echo(f"{destination} is enabled: what waits is sent now")


def give_up(
    destination: Annotated[str, typer.Argument(help="As routing.yaml names it, or named it.")],
    *,
    by: Annotated[str, typer.Option(help="Who decides that.")] = "",
) -> None:
    """Never send what waits for a destination: it wants nothing, or is no longer in routing.yaml."""
    number, under_way = asyncio.run(_given_up(destination, f"given up by {by or getpass.getuser()}"))
    typer.echo(f"{number} deliveries to {destination} will not be sent; they are kept as superseded")
    if under_way:
        typer.echo(f"{under_way} are being sent right now. Give the command again, for those that fail")


async def _listed() -> list[Destination]:
    async with database() as pool, snapshot(pool) as connection:
        return await stored.destinations(connection)


async def _enabled(destination: str) -> bool:
    async with database() as pool, transaction(pool) as connection:
        return await health.enable(connection, destination)


async def _given_up(destination: str, why: str) -> tuple[int, int]:
    """How many were given up, a portion in a transaction, and how many were under way."""
    total = 0
    async with database() as pool:
        while True:
            async with transaction(pool) as connection:
                number = await stored.give_up(connection, destination, why, _PORTION)
                if not number:
                    return total, await stored.under_way(connection, destination)
            total += number


def _table(found: list[Destination], now: datetime) -> Table:
    table = Table("Destination", "State", "Waiting", "Oldest", "Dead", "Failing since", "Why")
    for each in found:
        table.add_row(
            each.destination,
            each.state,
            str(each.waiting),
            age(now, each.oldest_at) if each.oldest_at else "",
            str(each.dead),
            when(each.failing_since) if each.failing_since else "",
            each.disabled_why or (f"{each.failures} failures in a row" if each.failures else ""),
        )
    return table
