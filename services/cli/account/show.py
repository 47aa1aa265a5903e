"""`leadscore account show <account>`: score, stage, people, transitions.

In: an account id, a domain, or a person's e-mail address. Out: tables for people, or JSON for programs.
Refuses an account that nobody made. What it prints is personal data: it goes to the screen and nowhere else.
"""

import asyncio
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.lead.show import identity_rules
from services.cli.output import print_json, when
from services.cli.session import database
from shared.database import transaction
from shared.leads.account_view import AccountView, view

_PEOPLE_LINES: Final = 50
_KINDS: Final = {"account_id": "account id", "domain": "domain of business addresses"}


def show(
    account: Annotated[str, typer.Argument(help="Account id, domain, or a person's e-mail address.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show one account: score, stage, people, transitions."""
    seen = asyncio.run(_read(account))
    if as_json:
        print_json(asdict(seen))
        return
    console = Console()
    for part in (_head(seen), _people(seen), _transitions(seen)):
        console.print(part)


async def _read(account: str) -> AccountView:
    async with database() as pool, transaction(pool) as connection:
        return await view(connection, account, identity_rules)


def _head(seen: AccountView) -> Table:
    table = Table.grid("", "", "", padding=(0, 2))
    for column in table.columns:
        column.overflow = "fold"
    # Text: what a sender wrote is shown as it is, and never read as markup.
    table.add_row("Account", Text(seen.name, style="bold"), _KINDS[seen.kind])
    table.add_row("Score", Text(str(seen.score), style="bold"), f"model version {seen.model_version}")
    table.add_row("Stage", Text(seen.stage, style="bold"), f"since {when(seen.since)}")
    active = f"{seen.active_people} active in {seen.active_days:g} days"
    table.add_row("People", Text(str(seen.people_count), style="bold"), active)
    return table


def _people(seen: AccountView) -> Table:
    """The highest score first; how many more there are is said, not hidden."""
    more = seen.people_count - min(_PEOPLE_LINES, len(seen.people))
    caption = f"and {more} more; --json has them, at most 500" if more > 0 else None
    table = Table(
        "Score", "Stage", "Person", "Last active", title="People", title_justify="left", caption=caption
    )
    table.columns[0].justify = "right"
    for person in seen.people[:_PEOPLE_LINES]:
        acted = when(person["last_act_at"]) if person["last_act_at"] else "never"
        table.add_row(
            str(person["score"]),
            person["stage"],
            Text(str(person["email"] or person["lead"])),
            acted if person["active"] else f"{acted} (inactive)",
        )
    return table


def _transitions(seen: AccountView) -> Table:
    table = Table("When", "From", "To", "Because", "Score", "Active", title="Stages", title_justify="left")
    for passed in seen.transitions:
        table.add_row(
            when(passed["at"]),
            passed["previous_stage"],
            passed["stage"],
            passed["cause"],
            str(passed["score"]),
            str(passed["active_people"]),
        )
    return table
