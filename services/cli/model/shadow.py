"""`leadscore model shadow`: have a version score beside the active one, and compare the two.

In: a file or a version to put in the shadow, or nothing to compare. Out: where leads stand under both models.
Refuses to deliver: what a shadow says reaches this table and nobody else.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from services.cli.model.publish import By, Note, Wait, author, carry_out, stored
from services.cli.model.which import find
from services.cli.session import database
from services.scorer.models import change_model
from services.scorer.models.change_model import Changed
from services.scorer.store.models import Author
from shared.database import snapshot, transaction
from shared.errors import Invalid

_VERSIONS: Final = "SELECT state, version FROM scoring_models WHERE state IN ('active', 'shadow')"
_STAGES: Final = """
SELECT l.stage AS active, s.stage AS shadow, count(*)::int AS leads
FROM shadow_leads s JOIN leads l USING (lead_id) WHERE l.known GROUP BY 1, 2 ORDER BY 1, 2
"""
_GRADES: Final = _STAGES.replace("l.stage", "l.grade").replace("s.stage", "s.grade")
_DISTANCE: Final = """
SELECT count(*)::int AS leads,
       coalesce(avg(s.score - l.score), 0)::float8 AS mean,
       coalesce(percentile_cont(0.9) WITHIN GROUP (ORDER BY abs(s.score - l.score)), 0)::float8 AS most_within
FROM shadow_leads s JOIN leads l USING (lead_id) WHERE l.known
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Known leads under both models, each as it was last scored.

    stages, grades:  (under the active, under the shadow, how many leads)
    mean:            of score in the shadow minus score, in points
    most_within:     nine of ten leads differ by no more than this many points
    """

    active: int
    shadow: int
    leads: int
    mean: float
    most_within: float
    stages: list[tuple[str, str, int]]
    grades: list[tuple[str, str, int]]


def shadow(  # noqa: PLR0913 - the options of a command
    model: Annotated[str, typer.Argument(help="What to put in the shadow; nothing: compare.")] = "",
    *,
    stop: Annotated[
        bool, typer.Option("--stop", help="End the shadow; its version is a draft again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    note: Note = "",
    by: By = "",
    wait: Wait = True,
) -> None:
    """Score with a second version beside the active one, deliver nothing, and compare."""
    who = author(by, note)
    if stop:
        typer.echo(f"version {asyncio.run(_stop(who))} scores in the shadow no longer")
    elif model:
        asyncio.run(carry_out(_putting(model), who, wait=wait))
    else:
        _show(asyncio.run(_compare()), as_json=as_json)


def _putting(model: str) -> Any:
    async def change(connection: Any, who: Author) -> Changed:
        number = await stored(connection, await find(connection, model), who)
        return await change_model.shadow(connection, number, who)

    return change


async def _stop(who: Author) -> int:
    async with database() as pool, transaction(pool) as connection:
        return await change_model.end_shadow(connection, who)


async def _compare() -> Comparison:
    async with database() as pool, snapshot(pool) as connection:
        versions = {row["state"]: row["version"] for row in await connection.fetch(_VERSIONS)}
        if "shadow" not in versions:
            raise Invalid(
                "no_shadow", "no version is in the shadow. `leadscore model shadow FILE` puts one there"
            )
        numbers: Mapping[str, Any] = dict(await connection.fetchrow(_DISTANCE))
        return Comparison(
            active=versions["active"],
            shadow=versions["shadow"],
            stages=[tuple(row) for row in await connection.fetch(_STAGES)],
            grades=[tuple(row) for row in await connection.fetch(_GRADES)],
            **numbers,
        )


def _show(found: Comparison, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    console = Console()
    console.print(
        f"{found.leads:,} known leads under version {found.active} (active) and {found.shadow} (shadow): "
        f"{found.mean:+.1f} points on average, nine of ten differ by {found.most_within:.0f} points at most"
    )
    for what, rows in (("Stage", found.stages), ("Grade", found.grades)):
        table = Table(f"{what} now", "in the shadow", "leads")
        table.columns[2].justify = "right"
        for one, other, leads in rows:
            table.add_row(one, other, f"{leads:,}", style="" if one == other else "bold")
        console.print(table)
