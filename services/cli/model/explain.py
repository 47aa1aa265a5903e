"""`leadscore model explain <lead> [--at TIME]`: why a lead has, or had, this score.

In: an e-mail address or a lead's id, a moment, a model. Out: the receipt with its arithmetic, what would have
changed the stage, and when time alone will. Refuses times without a zone, and reads only.
"""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.lead.show import identity_rules
from services.cli.model.explanation import Explanation
from services.cli.model.explanation import explain as explanation_of
from services.cli.model.which import ACTIVE, find
from services.cli.session import database
from shared.database import transaction
from shared.errors import Misconfigured
from shared.ids import LeadId
from shared.leads.find import find as find_lead
from shared.leads.store import models as stored_models
from shared.leads.store.history import histories
from shared.scoring.engine.transitions import StageState, initial

_STOOD: Final = """
SELECT stage, at, sequence FROM transitions WHERE lead_id = $1 AND at <= $2 ORDER BY sequence DESC LIMIT 1
"""


def explain(
    lead: Annotated[str, typer.Argument(help="The lead's e-mail address, or its id.")],
    *,
    at: Annotated[str, typer.Option(help="A past moment, such as 2026-11-01 or 2026-11-01T09:00Z.")] = "",
    model: Annotated[str, typer.Option(help="A file or version; default: the one active then.")] = "",
    language: Annotated[str, typer.Option(help="Language of the reasons: en or de.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show why a lead has, or had, this score, and what would have changed its stage."""
    found = asyncio.run(_read(lead, moment(at) if at else None, model))
    if as_json:
        typer.echo(json.dumps(asdict(found), default=str, ensure_ascii=False, indent=2))
        return
    _show(found, "de" if language == "de" else "en")


def moment(text: str) -> datetime:
    """The moment that this text names; a date alone is its first second in UTC.

    Raises Misconfigured for anything else, and for a time without a zone.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is not None and len(text) == len("2026-11-01"):
        return read.replace(tzinfo=UTC)
    if read is None or read.tzinfo is None:
        raise Misconfigured(
            "--at is not a moment:", [f'seen: "{text}". Use 2026-11-01, or with a zone 2026-11-01T09:00Z']
        )
    return read.astimezone(UTC)


async def _read(lead: str, at: datetime | None, model: str) -> Explanation:
    async with database() as pool, transaction(pool) as connection:
        found = await find_lead(connection, lead, identity_rules())
        then: datetime = at or await connection.fetchval("SELECT now()")
        named = await find(connection, model or await _active_then(connection, then))
        history = (await histories(connection, [found]))[found]
        ledger = await _stood(connection, found, then)
        return explanation_of((named.title, named.model), history, ledger, then)


async def _active_then(connection: Any, then: datetime) -> str:
    """The version that was active at this moment; before the first one, the one that is active now."""
    number = await stored_models.active_at(connection, then)
    return ACTIVE if number is None else str(number)


async def _stood(connection: Any, lead: LeadId, then: datetime) -> StageState:
    row = await connection.fetchrow(_STOOD, lead, then)
    if row is None:
        return initial(then)
    return StageState(stage=row["stage"], since=row["at"], sequence=row["sequence"])


def _show(found: Explanation, language: Literal["en", "de"]) -> None:
    console = Console()
    console.print(
        Text(f"{found.score} ({found.grade})", style="bold"), f"at {_when(found.at)} under {found.model}"
    )
    console.print(f"{found.stage} since {_when(found.since)}; {found.events} events")
    if found.arrived_late:
        console.print(f"{found.arrived_late} of them arrived later, so the score shown then was another")
    console.print(_receipt(found, language))
    if found.nearest:
        console.print(_changes(found, language))
    if found.next_change:
        console.print(f"Time alone may move it at {_when(found.next_change)}.")


def _receipt(found: Explanation, language: Literal["en", "de"]) -> Table:
    """The lines that add up, each with its arithmetic: points of all events, of the paid ones, left now."""
    table = Table("Points", "Reason", "How", show_footer=True)
    table.columns[0].justify = "right"
    table.columns[0].footer = str(found.score)
    table.columns[1].footer = "= score"
    for line in found.lines:
        table.add_row(f"{line['points']:+d}", Text(line[f"sentence_{language}"]), _how(line))
    return table


def _how(line: dict[str, Any]) -> str:
    """How a line came about, such as "18 events, 14 paid: 54 → 42 → 19.46"; empty where no event did."""
    if not line["count"]:
        return ""
    events = "1 event" if line["count"] == 1 else f"{line['count']} events, {line['paid']} paid"
    return f"{events}: {line['raw']:g} → {line['limited']:g} → {line['decayed']:g}"


def _changes(found: Explanation, language: Literal["en", "de"]) -> Table:
    table = Table("What would have changed the stage", "times", "to", "score then")
    for one in found.nearest:
        label = " ".join(one.label[language].replace("{times}", "").split())
        table.add_row(Text(label), str(one.times), one.stage, str(one.total))
    return table


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
