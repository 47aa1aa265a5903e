"""`leadscore deliveries retry`: send dead deliveries again, with the ids that they always had.

In: an id, or a destination. Out: rows that wait for the router, as if they had never been tried.
Refuses what nobody may hear any more (stored.py): it is marked as superseded, and told.
"""

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from services.cli.deliveries import stored
from services.cli.deliveries.stored import Retried
from services.cli.session import database
from shared.database import transaction
from shared.errors import Invalid


def retry(
    delivery_id: Annotated[
        UUID | None, typer.Argument(help="As `leadscore deliveries list` prints it.")
    ] = None,
    *,
    destination: Annotated[str, typer.Option(help="All dead ones to this destination, oldest first.")] = "",
    most: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 1000,
) -> None:
    """Send deliveries again that were given up."""
    if (delivery_id is None) == (not destination):
        raise Invalid("which_deliveries", "give either an id or --destination, as `deliveries list` has it")
    done, left = asyncio.run(_retried(delivery_id, destination, most))
    if delivery_id and done == Retried():
        raise Invalid("not_dead", f"there is no dead delivery {delivery_id}. See `leadscore deliveries list`")
    typer.echo("; ".join(_told(done, left)))


async def _retried(delivery_id: UUID | None, destination: str, most: int) -> tuple[Retried, int]:
    async with database() as pool, transaction(pool) as connection:
        done = await stored.retry(connection, delivery=delivery_id, destination=destination, most=most)
        return done, await stored.number_dead(connection, destination)


def _told(done: Retried, left: int) -> list[str]:
    said = [f"{done.sent + done.planned_anew} will be sent again"]
    if done.objected:
        said.append(f"{done.objected} not: the person objected since")
    if done.replaced:
        said.append(f"{done.replaced} not: a newer state of the lead was told")
    if left:
        said.append(f"{left} more are dead")
    return said
