"""`leadscore retention`: what is kept for how long, and what is older by now; `--apply` does it at once.

In: LEADSCORE_RETENTION_… and DATABASE_URL, as the scorer reads them. Out: a table, or what was done. The
scorer does the same every hour by itself. Refuses to change anything without `--apply`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.quiet import quiet
from services.cli.session import database
from services.scorer.retention import empty, partitions
from services.scorer.retention.apply import Done, Retention
from services.scorer.retention.forget import would_go
from services.scorer.retention.settings import RetentionSettings
from shared.database import snapshot
from shared.settings import TopicSettings, load

_VISITORS: Final = "visitors whom nobody knows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """What is older than it is to be kept, and how far `events` has months."""

    visitors: int
    deliveries: int
    dead_letters: int
    months: Sequence[str]
    months_ahead: int


def retention(
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Do now what the scorer does every hour.")] = False,
) -> None:
    """Show what is kept for how long, and what is older."""
    settings = load(RetentionSettings)
    if apply:
        with quiet():
            typer.echo(_told(asyncio.run(_applied(settings))))
        return
    overdue = asyncio.run(_looked(settings))
    Console().print(_table(settings, load(TopicSettings), overdue))
    typer.echo(f"months of events: {', '.join(overdue.months)}; {overdue.months_ahead} ahead of this one")


async def look(pool: AsyncEngine, settings: RetentionSettings) -> Overdue:
    """What is due at this moment."""
    months = await Retention(database=pool, settings=settings).due_months()
    days = (settings.retention_deliveries_days, settings.retention_dead_letters_days)
    async with snapshot(pool) as connection:
        deliveries, dead_letters = await empty.waiting(connection, *days)
        return Overdue(
            visitors=await would_go(connection, months[-1]) if months else 0,
            deliveries=deliveries,
            dead_letters=dead_letters,
            months=[name.removeprefix("events_") for name in await partitions.names(connection)],
            months_ahead=await partitions.ahead(connection),
        )


async def _looked(settings: RetentionSettings) -> Overdue:
    async with database() as pool:
        return await look(pool, settings)


async def _applied(settings: RetentionSettings) -> Done:
    async with database() as pool:
        made = Retention(database=pool, settings=settings, rest_s=0)
        await made.make_months()
        return await made.apply()


def _told(done: Done) -> str:
    return (
        f"{done.leads} visitors with {done.events} events forgotten, {done.partitions} empty months dropped, "
        f"{done.deliveries} deliveries and {done.dead_letters} dead letters emptied"
    )


def _table(settings: RetentionSettings, topics: TopicSettings, overdue: Overdue) -> Table:
    table = Table("What", "Kept", "Older now", "Setting")
    prefix = "LEADSCORE_RETENTION_"
    rows = (
        (_VISITORS, settings.retention_anonymous_days, overdue.visitors, "ANONYMOUS_DAYS"),
        ("bodies of deliveries", settings.retention_deliveries_days, overdue.deliveries, "DELIVERIES_DAYS"),
        (
            "dead letters' bytes",
            settings.retention_dead_letters_days,
            overdue.dead_letters,
            "DEAD_LETTERS_DAYS",
        ),
    )
    for what, days, older, name in rows:
        table.add_row(what, f"{days} days" if days else "for ever", str(older), prefix + name)
    for what, days in (
        ("events", topics.topic_events_days),
        ("rejected", topics.topic_rejected_days),
        ("sales", topics.topic_sales_days),
    ):
        table.add_row(f"Kafka: {what}", f"{days} days", "by Kafka", f"{prefix}TOPIC_{what.upper()}_DAYS")
    return table
