"""`leadscore model draft`, `publish`, `revert`: store a version, make it the one that scores, take it back.

In: a file or a version, and whether the moves it causes are delivered. Out: a changed state, in one
transaction; running scorers see it in their next one and rescore all leads.
Refuses a file with mistakes, one whose own situations do not hold, and to guess between --route and --silent:
the one wakes sales for every lead that moves, the other lets nobody know.
"""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from services.cli.model.follow import follow
from services.cli.model.try_situations import as_text, beside, holds, try_files
from services.cli.model.which import Named, find, from_file, is_stored
from services.cli.session import database
from services.scorer.models import change_model
from services.scorer.models.change_model import Changed
from services.scorer.store.models import Author
from shared.database import transaction
from shared.errors import Misconfigured

Model = Annotated[str, typer.Argument(help="A scoring.yaml, or the number of a stored version.")]
Delivery = Annotated[
    bool | None,
    typer.Option(
        "--route/--silent", help="Deliver the moves that this causes, or only record them. One must be said."
    ),
]
Note = Annotated[str, typer.Option(help="Why; kept in the history.")]
By = Annotated[str, typer.Option(help="Who; default: the user of this machine.")]
Wait = Annotated[bool, typer.Option(help="Wait until every lead is scored anew.")]

Change = Callable[[Any, Author], Awaitable[Changed]]

_CHOOSE: Final = (
    "Say --route or --silent.",
    [
        "--route delivers every move that this causes, like any other",
        "--silent only records them: no webhook, no sales queue",
        "`leadscore model plan` tells how many there are",
    ],
)


def draft(model: Model, *, note: Note = "", by: By = "") -> None:
    """Store a model as a draft and print its version."""
    typer.echo(f"version {asyncio.run(_draft(model, author(by, note)))} is stored")


def publish(
    model: Model, *, delivery: Delivery = None, note: Note = "", by: By = "", wait: Wait = True
) -> None:
    """Make a model the one that scores, and have every lead scored anew."""
    silent = _silent(delivery)
    _try_out(model)

    async def change(connection: Any, who: Author) -> Changed:
        number = await stored(connection, await find(connection, model), who)
        return await change_model.publish(connection, number, who, silent=silent)

    asyncio.run(carry_out(change, author(by, note), wait=wait))


def revert(*, delivery: Delivery = None, note: Note = "", by: By = "", wait: Wait = True) -> None:
    """Make the version active again that was before the present one."""
    silent = _silent(delivery)

    async def change(connection: Any, who: Author) -> Changed:
        return await change_model.revert(connection, who, silent=silent)

    asyncio.run(carry_out(change, author(by, note), wait=wait))


async def carry_out(change: Change, who: Author, *, wait: bool) -> None:
    """Change the model in one transaction, say so, and follow the rescore."""
    async with database() as pool:
        async with transaction(pool) as connection:
            changed = await change(connection, who)
        await follow(pool, changed, wait=wait)


async def stored(connection: Any, named: Named, who: Author) -> int:
    """The version of this model; a file is stored first."""
    if named.version is not None:
        return named.version
    return await change_model.draft(connection, (named.model.name, named.text, named.lists), who)


def author(name: str, note: str) -> Author:
    """Who does this."""
    return Author(name=name or getpass.getuser(), note=note)


def _try_out(model: str) -> None:
    """Refuse a file that does not do what the situations beside it say."""
    file = Path(model)
    if is_stored(model) or not beside(file).exists():
        return
    tried = try_files(from_file(file).model, [beside(file)])
    if not holds(tried):
        raise Misconfigured(
            "The model does not do what its situations say, so nothing was published:",
            [as_text(tried, file), "Mend the model or the situations; `leadscore model test` shows both"],
        )


def _silent(delivery: bool | None) -> bool:  # noqa: FBT001 - typer's three-valued flag
    if delivery is None:
        raise Misconfigured(*_CHOOSE)
    return not delivery


async def _draft(model: str, who: Author) -> int:
    async with database() as pool, transaction(pool) as connection:
        return await stored(connection, await find(connection, model), who)
