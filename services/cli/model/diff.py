"""`leadscore model diff A B`: how two models differ, in words.

In: two models, each a file, a version's number, or `active`. Out: one line for each difference, or JSON; exit
code 0 for none, 1 for some, 2 for trouble, as diff has it. Refuses to ask the database where both are files.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from services.cli.model.which import ACTIVE, Named, find, from_file, is_stored
from services.cli.session import database
from shared import config_file
from shared.database import transaction
from shared.errors import LeadscoreError
from shared.scoring.file.read import read_model
from shared.scoring.words.model_diff import Detail, Difference, Lists, model_diff

_REFERENCE: Final = "deploy/config/scoring.yaml"
_SIGNS: Final = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A file, a version, or active.")] = ACTIVE,
    after: Annotated[str, typer.Argument(metavar="B", help="A file, a version, or active.")] = _REFERENCE,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say in words how model B differs from model A; exit code 1 if it does."""
    try:
        first, second = asyncio.run(_named((before, after)))
        found = model_diff((first.model.model, _lists(first)), (second.model.model, _lists(second)))
    except LeadscoreError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
    else:
        _show(found, (first.title, second.title))
    if found:
        raise typer.Exit(1)


async def _named(names: Sequence[str]) -> list[Named]:
    if not any(map(is_stored, names)):
        return [from_file(Path(name)) for name in names]
    async with database() as pool, transaction(pool) as connection:
        return [await find(connection, name) for name in names]


def _lists(named: Named) -> Lists:
    """The values of every list of a model, wherever they come from."""
    return read_model(config_file.parse(named.text, file=named.title), lists=named.lists).lists


def _show(found: Sequence[Difference], titles: tuple[str, str]) -> None:
    """One line for each difference, its details below it where there are several."""
    console = Console()
    if not found:
        console.print(Text(f"{titles[0]} and {titles[1]} score alike."), soft_wrap=True)
        return
    console.print(Text(f"From {titles[0]} to {titles[1]}:"), soft_wrap=True)
    for one in found:
        sign, colour = _SIGNS[one.change]
        console.print(Text(f"{sign} {one.kind} {one.name}".rstrip(), style=colour), soft_wrap=True)
        # What is gone is named; what it was is in the old file.
        for detail in one.details if one.change != "removed" else ():
            console.print(Text(f"    {_words(detail)}"), soft_wrap=True)


def _words(detail: Detail) -> str:
    if detail.before:
        return f"{detail.what}: {detail.before} → {detail.after or 'none'}"
    return f"{detail.what}: {detail.after}"
