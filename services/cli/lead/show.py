"""`leadscore lead show <lead>`: score, stage, receipts, timeline.

In: an e-mail address or an id. Out: tables for people, or JSON for programs. Refuses a lead that nobody is.
"""

import asyncio
from dataclasses import asdict
from typing import Annotated, Final, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.output import print_json, when
from services.cli.session import database
from shared.database import transaction
from shared.leads.identifiers import IdentityRules
from shared.leads.identity_settings import IdentitySettings
from shared.leads.trouble import WHY
from shared.leads.view import LeadView, view
from shared.settings import load

_TIMELINE_LINES: Final = 20


def show(
    lead: Annotated[str, typer.Argument(help="E-mail address, user id, anonymous id or lead id.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    language: Annotated[str, typer.Option(help="Language of the reasons: en or de.")] = "en",
) -> None:
    """Show one lead: score, stage, receipts, timeline."""
    seen = asyncio.run(read(lead))
    if as_json:
        print_json(asdict(seen))
        return
    console = Console()
    for part in (*summary(lead, seen, "de" if language == "de" else "en"), _timeline(seen)):
        console.print(part)
    for sentence in _trouble(seen):
        console.print(sentence)


def summary(lead: str, view: LeadView, language: Literal["en", "de"]) -> tuple[Table, Table, Table]:
    """Who it is and where it stands, the receipt, the moves."""
    return _head(lead, view), _reasons(view, language), _stages(view)


async def read(lead: str) -> LeadView:
    """The lead that this names, from the database of the environment."""
    async with database() as pool, transaction(pool) as connection:
        return await view(connection, lead, identity_rules())


def identity_rules() -> IdentityRules:
    """How identifiers are told apart, from the environment."""
    return load(IdentitySettings).rules()


def _trouble(view: LeadView) -> list[Text]:
    """What somebody may want to decide about this person, each with its command."""
    said = [
        *((f"{one.event} named it with another lead: {WHY[one.why]}", one.command) for one in view.disputed),
        *((f"its {one.kind} is {one.status}", one.command) for one in view.set_aside),
        *(
            (f"{one.number} of its events: {WHY.get(one.reason, one.reason)}", one.command)
            for one in view.quarantined
        ),
    ]
    return [Text(f"{what}. To change that: {command}") for what, command in said]


def _head(lead: str, view: LeadView) -> Table:
    table = Table.grid("", "", "", padding=(0, 2))
    for column in table.columns:
        column.overflow = "fold"
    # An id in two lines cannot be copied.
    table.columns[1].min_width = len(str(view.lead))
    dimensions = "  ".join(f"{name} {points}" for name, points in view.dimensions.items())
    company = view.person["traits"].get("company")
    table.add_row(Text(lead, style="bold"), Text(str(company or "")))
    table.add_row("Score", Text(f"{view.score}  ({view.grade})", style="bold"), dimensions)
    table.add_row("Stage", Text(view.stage.upper(), style="bold"), f"since {when(view.since)}")
    table.add_row("Lead", str(view.lead), f"model version {view.model_version}")
    for namespace, id_ in view.person["ids"].items():
        table.add_row(f"Id in {namespace}", Text(id_))
    if view.objected:
        table.add_row("Objected", Text(f"since {when(view.objected)}", style="bold"), "nothing is counted")
    for purpose, granted in (view.consent or {}).items():
        table.add_row("Consent", Text(purpose), "given" if granted else "not given")
    for one in view.quarantined:
        why = WHY.get(one.reason, one.reason)
        table.add_row(
            "Not counted", str(one.number), f"{why} ({'; '.join(one.signals)})" if one.signals else why
        )
    return table


def _reasons(view: LeadView, language: Literal["en", "de"]) -> Table:
    """The receipt: lines that add up to the score."""
    table = Table("Points", "Reason", "Dimension", title="Receipts", title_justify="left", show_footer=True)
    table.columns[0].justify = "right"
    table.columns[0].footer = str(view.score)
    table.columns[1].footer = "= score"
    for line in view.receipts:
        table.add_row(f"{line['points']:+d}", Text(line[f"sentence_{language}"]), line["dimension"])
    return table


def _stages(view: LeadView) -> Table:
    table = Table("When", "From", "To", "Because", "Score", title="Stages", title_justify="left")
    for passed in view.stages:
        table.add_row(
            when(passed["at"]),
            passed["previous_stage"],
            passed["stage"],
            passed["cause"],
            str(passed["score"]),
        )
    return table


def _timeline(view: LeadView) -> Table:
    """The newest events; how many older ones there are is said, not hidden."""
    older = len(view.timeline) - _TIMELINE_LINES
    caption = f"and {older} older; --json has them all" if older > 0 else None
    table = Table("When", "Event", "What", "Source", title="Timeline", title_justify="left", caption=caption)
    for line in view.timeline[:_TIMELINE_LINES]:
        # Text: what a sender wrote is shown as it is, and never read as markup.
        table.add_row(when(line["at"]), Text(line["name"]), Text(line["what"]), line["source"])
    return table
