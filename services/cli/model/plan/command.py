"""`leadscore model plan DRAFT`: replay real history under a draft and show what publishing it would do.

In: a draft (a file or a version); the active model, all leads and their events from Postgres; the routes.
Out: a summary on stdout, a page with plots, JSON where asked for. Refuses to change anything: it only reads.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import Field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.model.plan import page, read, text
from services.cli.model.plan.crew import crew
from services.cli.model.plan.findings import Compared, Plan, document, findings
from services.cli.model.plan.tally import Tally, empty
from services.cli.model.plan.worker import Order, Written
from services.cli.model.which import ACTIVE, Named, find
from services.cli.session import database
from services.router import route_file
from services.router.routing import Outline
from shared.database import transaction
from shared.errors import Misconfigured
from shared.settings import DatabaseSettings, load

_WORKERS: Final = min(os.cpu_count() or 1, 8)

Watch = Callable[[int], AbstractContextManager[Callable[[Tally], None]]]
"""Number of leads → a block in which each finished part is told."""


class PlanSettings(DatabaseSettings):
    """What `leadscore model plan` reads."""

    routing_file: Path = Field(
        default=Path("deploy/config/routing.yaml"),
        validation_alias="LEADSCORE_ROUTER_ROUTING_FILE",
        description="Where transitions go, and when.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to know: of which draft, over how many days, how fast, with addresses or not."""

    draft: str
    days: int = 28
    workers: int = _WORKERS
    emails: bool = False


def plan(  # noqa: PLR0913 - one parameter for each option of the command
    draft: Annotated[str, typer.Argument(help="The draft: a scoring.yaml, or the number of a version.")],
    *,
    days: Annotated[int, typer.Option(min=0, max=366, help="Days of load per queue; 0 for none.")] = 28,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that replay.")] = _WORKERS,
    html: Annotated[Path, typer.Option(help="Where to write the page with plots.")] = Path("plan.html"),
    no_html: Annotated[bool, typer.Option("--no-html", help="Write no page.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write everything as JSON to this file too.")] = None,
    emails: Annotated[
        bool, typer.Option("--emails", help="Show the addresses of leads, not their ids.")
    ] = False,
) -> None:
    """Show what publishing a draft would do: on all history, changing nothing."""
    settings = load(PlanSettings)
    wish = Wish(draft=draft, days=days, workers=workers, emails=emails)
    made = asyncio.run(make(settings, wish, _progress))
    console = Console()
    text.show(made, console)
    if json:
        json.write_bytes(document(made))
    if not no_html:
        html.write_text(page.render(made), encoding="utf-8")
        console.print(f"The page with plots: {html}", markup=False, highlight=False, soft_wrap=True)


async def make(settings: PlanSettings, wish: Wish, watch: Watch) -> Plan:
    """The plan. Raises Misconfigured for a draft or routes with mistakes, Invalid for an unknown version.

    watch:  is told of the progress
    """
    routing = _text(settings.routing_file)
    outline = route_file.outline(routing, os.environ, file=str(settings.routing_file))
    async with crew(wish.workers) as workers, database() as pool:
        async with transaction(pool) as connection:
            active, draft = await find(connection, ACTIVE), await find(connection, wish.draft)
            counted = await read.count(connection)
        order = _order(settings, wish, (active, draft), routing, counted["now"])
        with watch(counted["known"]) as done:
            tally = await workers.replay(order, read.ranges(pool), done)
    return findings(
        tally or empty(outline.destinations, wish.days), _compared(order, outline, counted["anonymous"])
    )


@contextmanager
def _progress(leads: int) -> Iterator[Callable[[Tally], None]]:
    """A bar on stderr by leads that are done; stdout stays clean."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("leads"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Replaying", total=leads)
        yield lambda tally: progress.advance(task, tally.leads)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{file}: {type(error).__name__}. Set LEADSCORE_ROUTER_ROUTING_FILE to a YAML file"
        raise Misconfigured("The routing file cannot be read:", [problem]) from error


def _order(
    settings: PlanSettings, wish: Wish, models: tuple[Named, Named], routing: str, now: datetime
) -> Order:
    active, draft = map(_written, models)
    return Order(
        database_url=settings.database_url.get_secret_value(),
        active=active,
        draft=draft,
        routing=routing,
        now=now,
        days=wish.days,
        emails=wish.emails,
    )


def _written(named: Named) -> Written:
    lists = {name: sorted(values) for name, values in named.lists.items()}
    return Written(title=named.title, text=named.text, lists=lists)


def _compared(order: Order, outline: Outline, anonymous: int) -> Compared:
    today = order.now.astimezone(UTC).date()
    return Compared(
        active=order.active.title,
        draft=order.draft.title,
        at=order.now,
        begin=today - timedelta(days=order.days),
        days=order.days,
        anonymous=anonymous,
        off=tuple(sorted(outline.off)),
    )
