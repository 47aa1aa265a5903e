"""A plan: read what is in force, have history replayed under it and under the draft, sum up.

In: what somebody wants to know; the active model, all leads and their events from Postgres; the routes.
Out: a `Plan`. Refuses to change anything: it only reads.
"""

import os
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import Field

from services.cli.model.plan import read
from services.cli.model.plan.crew import Crew
from services.cli.model.plan.findings import Compared, Plan, findings
from services.cli.model.plan.tally import Tally, empty
from services.cli.model.plan.worker import Order, Written
from services.cli.model.which import ACTIVE, Named, find
from services.cli.session import database
from services.router import route_file
from services.router.routing import Outline
from shared.database import snapshot
from shared.deployed import shipped
from shared.errors import Misconfigured
from shared.settings import DatabaseSettings, load

Watch = Callable[[int], AbstractContextManager[Callable[[Tally], None]]]
"""Number of leads → a block in which each finished part is told."""


class PlanSettings(DatabaseSettings):
    """What `leadscore model plan` reads."""

    routing_file: Path = Field(
        default_factory=lambda: shipped("deploy/config/routing.yaml"),
        validation_alias="LEADSCORE_ROUTER_ROUTING_FILE",
        description="Where transitions go, and when.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to know: of which draft, over how many days, with addresses or not."""

    draft: str
    days: int
    emails: bool


async def make(wish: Wish, processes: Sequence[Process], watch: Watch) -> Plan:
    """The plan. Raises Misconfigured for a draft or routes with mistakes, Invalid for an unknown version.

    processes:  the workers
    watch:      is told of the progress
    """
    settings = load(PlanSettings)
    routing = _text(settings.routing_file)
    outline = route_file.outline(routing, os.environ, file=str(settings.routing_file))
    async with database() as pool:
        async with snapshot(pool) as connection:
            active, draft = await find(connection, ACTIVE), await find(connection, wish.draft)
            counted = await read.count(connection)
        order = _order(settings, wish, (active, draft), routing, counted["now"])
        with watch(counted["known"]) as done:
            tally = await Crew(processes).replay(order, read.ranges(pool), done)
    return findings(
        tally or empty(outline.destinations, wish.days), _compared(order, outline, counted["anonymous"])
    )


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
