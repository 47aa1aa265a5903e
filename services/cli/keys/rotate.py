"""`leadscore keys rotate-identity`: bring all stored identifiers under the new identity key.

In: LEADSCORE_IDENTITY_KEY and LEADSCORE_IDENTITY_KEYS_BEFORE. Out: identifiers hashed with all of them.
Refuses keys that do not follow those in use. One transaction: interrupted, nothing has changed.
"""

import asyncio

import typer

from services.cli.lead.show import identity_rules
from services.cli.session import database
from services.scorer.store import identity_keys
from shared.database import transaction


def rotate_identity() -> None:
    """Hash all stored identifiers with the new identity key."""
    number = asyncio.run(_rotated())
    if number:
        typer.echo(f"{number:,} identifiers are under the new key. Start scorers anew with it")
    else:
        typer.echo("nothing to do: the identifiers are under this key")


async def _rotated() -> int:
    async with database() as pool, transaction(pool) as connection:
        return await identity_keys.rotate(connection, identity_rules())
