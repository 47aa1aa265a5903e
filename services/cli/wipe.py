"""`leadscore wipe`: delete the data of this machine.

In: a yes. Out: a data folder without data, secrets and addresses. Refuses while Leadscore or
`make watch` runs on it, and to touch a Kafka or Postgres of yours.
"""

import os
from typing import Annotated

import typer

from services.cli.installation import Installation


def wipe(*, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete all data of `leadscore up` on this machine: leads, events, topics, keys."""
    installation = Installation.of(os.environ)
    if not yes:
        typer.confirm(f"Delete all data and keys in {installation.folder}?", abort=True)
    installation.wipe()
    typer.echo(f"{installation.folder} is empty; the next start makes new keys")
