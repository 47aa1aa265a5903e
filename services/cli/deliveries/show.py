"""`leadscore deliveries list`, `show`: what is on its way, what arrived, what was given up and why.

In: a destination, states, or an id. Out: tables, or JSON for programs. What would move a terminal's cursor is
spelled out. Refuses to show bodies in lists: they are about people.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.deliveries import stored
from services.cli.deliveries.stored import Delivery
from services.cli.output import age, print_json, text_of, when
from services.cli.session import database
from shared.database import snapshot
from shared.errors import Invalid


def deliveries(
    *,
    destination: Annotated[str, typer.Option(help="Only those to this destination.")] = "",
    state: Annotated[
        list[str] | None,
        typer.Option(help=f"Only those in this state: {', '.join(stored.STATES)}; several times for more."),
    ] = None,
    most: Annotated[int, typer.Option(help="How many to show.", min=1, max=10_000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List deliveries that wait or were given up, the newest first."""
    if unknown := set(state or ()) - set(stored.STATES):
        raise Invalid("no_such_state", f"no state {', '.join(unknown)}. States: {', '.join(stored.STATES)}")
    found = asyncio.run(_listed(destination, state or list(stored.OPEN), most))
    if as_json:
        print_json([asdict(each) for each in found])
    elif found:
        Console().print(_table(found, datetime.now(UTC)))
    else:
        typer.echo("no such deliveries")


def delivery(
    delivery_id: Annotated[UUID, typer.Argument(help="As `leadscore deliveries list` prints it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show one delivery with its body."""
    found, body = asyncio.run(_one(delivery_id))
    if as_json:
        print_json({**asdict(found), "body": text_of(body)})
        return
    for line in _told(found, body):
        typer.echo(line)


async def _listed(destination: str, states: list[str], most: int) -> list[Delivery]:
    async with database() as pool, snapshot(pool) as connection:
        return await stored.listed(connection, destination, states, most)


async def _one(delivery_id: UUID) -> tuple[Delivery, bytes]:
    async with database() as pool, snapshot(pool) as connection:
        found = await stored.one(connection, delivery_id)
    if found is None:
        raise Invalid("no_such_delivery", f"no delivery {delivery_id}. See `leadscore deliveries list`")
    return found


def _table(found: list[Delivery], now: datetime) -> Table:
    table = Table("Delivery", "To", "State", "Attempts", "Age", "Next", "Answer", "Why")
    for each in found:
        table.add_row(
            str(each.delivery_id),
            each.destination,
            each.state,
            str(each.attempt),
            age(now, each.created_at),
            when(each.next_at) if each.state == "pending" else "",
            str(each.last_status or ""),
            Text(each.last_error or "", overflow="ellipsis", no_wrap=True),
        )
    return table


def _told(found: Delivery, body: bytes) -> Iterator[str]:
    """All about one, as lines for a person."""
    yield f"{found.state}: transition {found.sequence} of lead {found.lead_id} to {found.destination}"
    yield f"planned {when(found.created_at)}, attempts {found.attempt}"
    if found.finished_at:
        yield f"finished {when(found.finished_at)}"
    if found.retried_at:
        yield f"sent again by somebody {when(found.retried_at)}"
    if found.last_status or found.last_error:
        yield f"last answer {found.last_status or 'none'}: {found.last_error or 'taken'}"
    yield text_of(body) or "no body: never written, or emptied after its time"
    if found.state == "dead":
        yield f"To send it again: leadscore deliveries retry {found.delivery_id}"
