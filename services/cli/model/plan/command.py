"""`leadscore model plan DRAFT`: replay real history under a draft and show what publishing it would do.

In: a draft (a file or a version), and what to show. Out: a summary on stdout, a page with plots, JSON where
asked for. Refuses to change anything: it only reads.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.model.plan.processes import coming_up
from shared.errors import Misconfigured

if TYPE_CHECKING:
    from services.cli.model.plan.findings import Plan
    from services.cli.model.plan.tally import Tally

_WORKERS: Final = min(os.cpu_count() or 1, 8)


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
    _check_writable([*([] if no_html else [html]), *([json] if json else [])])
    made = asyncio.run(_made(workers, draft, days=days, emails=emails))
    from services.cli.model.plan import page, text
    from services.cli.model.plan.findings import document

    console = Console()
    text.show(made, console)
    if json:
        json.write_bytes(document(made))
    if not no_html:
        html.write_text(page.render(made), encoding="utf-8")
        console.print(f"The page with plots: {html}", markup=False, highlight=False, soft_wrap=True)


def _check_writable(files: Sequence[Path]) -> None:
    """A replay of an hour is not made for a page that cannot be written. Raises Misconfigured."""
    closed = [
        file
        for file in files
        if not os.access(file if file.exists() else file.parent, os.W_OK) or file.is_dir()
    ]
    if closed:
        raise Misconfigured(
            "The plan cannot be written:",
            [
                f"{file}: no file that we may write. --html and --json take another, --no-html none"
                for file in closed
            ],
        )


async def _made(workers: int, draft: str, *, days: int, emails: bool) -> "Plan":
    """The plan. The workers come up while this process imports all the rest."""
    async with coming_up(workers) as processes:
        from services.cli.model.plan.make import Wish, make

        return await make(Wish(draft=draft, days=days, emails=emails), processes, _progress)


@contextmanager
def _progress(leads: int) -> Iterator[Callable[["Tally"], None]]:
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
