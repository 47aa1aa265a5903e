"""`leadscore dead-letters list`, `show`: which records the scorer could not process, why, what is in them.

In: a code, or a number. Out: tables, or JSON for programs. Bytes are shown as text where they are text; what
would move a terminal's cursor is spelled out.
"""

import asyncio
import base64
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.dead_letters import letters as stored
from services.cli.dead_letters.letters import MOST_NUMBER, Letter
from services.cli.output import age, print_json, text_of, when
from services.cli.session import database
from shared.database import transaction
from shared.errors import Invalid

_HEAD: Final = ("dead_letter_id", "code", "topic", "partition", "record_offset", "at", "resolved_at")


def letters(
    *,
    code: Annotated[str, typer.Option(help="Only those with this code.")] = "",
    resolved: Annotated[bool, typer.Option("--resolved", help="Those too that are resolved.")] = False,
    most: Annotated[int, typer.Option(help="How many to show.", min=1, max=10_000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List dead letters, the newest first."""
    found = asyncio.run(_listed(code, resolved=resolved, most=most))
    if as_json:
        head = [{name: getattr(each, name) for name in _HEAD} for each in found]
        print_json(head)
    elif found:
        Console().print(_table(found, datetime.now(UTC)))
    else:
        typer.echo("no dead letters")


def letter(
    number: Annotated[
        int, typer.Argument(min=1, max=MOST_NUMBER, help="As `leadscore dead-letters list` prints it.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show one dead letter with its bytes."""
    found = asyncio.run(_one(number))
    if as_json:
        print_json(document(found))
        return
    for line in _told(found):
        typer.echo(line)


def document(found: Letter) -> dict[str, Any]:
    """A dead letter as JSON has it; `value_base64` is exactly what the record held."""
    return {
        **{name: getattr(found, name) for name in _HEAD},
        "message": found.message,
        "key": _shown(found.key),
        "headers": [[name, _shown(value)] for name, value in found.headers],
        "value": text_of(found.value),
        "value_base64": base64.b64encode(found.value).decode(),
    }


def _shown(data: bytes) -> str:
    """As text, or as hexadecimal digits."""
    text = text_of(data)
    return f"0x{data.hex()}" if text is None else text


async def _listed(code: str, *, resolved: bool, most: int) -> list[Letter]:
    async with database() as pool, transaction(pool) as connection:
        return await stored.listed(connection, code, resolved=resolved, most=most)


async def _one(number: int) -> Letter:
    async with database() as pool, transaction(pool) as connection:
        found = await stored.one(connection, number)
    if found is None:
        raise Invalid(
            "no_such_letter", f"there is no dead letter {number}. See `leadscore dead-letters list`"
        )
    return found


def _table(found: list[Letter], now: datetime) -> Table:
    table = Table("Number", "Code", "Topic", "Partition", "Offset", "Age", "Resolved", "Why")
    for each in found:
        table.add_row(
            str(each.dead_letter_id),
            each.code,
            each.topic,
            str(each.partition),
            str(each.record_offset),
            age(now, each.at),
            when(each.resolved_at) if each.resolved_at else "",
            Text(each.message, overflow="ellipsis", no_wrap=True),
        )
    return table


def _told(found: Letter) -> list[str]:
    """All about one, as lines for a person."""
    said = [
        f"{found.code}: {found.message}",
        f"record {found.record_offset} of partition {found.partition} of {found.topic}, {when(found.at)}",
        f"resolved {when(found.resolved_at)}" if found.resolved_at else "not resolved",
        f"key: {_shown(found.key)}",
        *(f"header {name}: {_shown(value)}" for name, value in found.headers),
        f"{len(found.value)} bytes:",
        _shown(found.value),
    ]
    if not found.resolved_at:
        said.append(f"To send it again: leadscore dead-letters retry {found.dead_letter_id}")
    return said
