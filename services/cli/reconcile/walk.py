"""Through all leads, a portion at a time: read each portion as of one moment, compare it, go on.

In: a database, where to begin. Out: findings. A lead that changes while it is looked at is no false alarm:
everything about it is of the same moment, and every transaction of a scorer leaves it in order.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.reconcile import whole
from services.cli.reconcile.compare import compare
from services.cli.reconcile.findings import Findings
from services.cli.reconcile.read import Stored, next_leads, read, sample
from shared.database import snapshot
from shared.errors import Invalid, Misconfigured
from shared.ids import LeadId
from shared.leads.store import models as stored_models
from shared.leads.store.models import StoredModel
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.read import load_model

START = LeadId(UUID(int=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to look at.

    after:  go on with the leads after this one
    sample: only so many leads, drawn by chance, and nothing that needs the whole database; 0: all
    """

    after: LeadId = START
    sample: int = 0


async def reconcile(
    database: AsyncEngine,
    wish: Wish | None = None,
    *,
    findings: Findings | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Findings:
    """Check what the wish names.

    findings:  where to note what is found, for whoever wants it even if this is interrupted
    """
    wish, findings, models = wish or Wish(), findings or Findings(), Models()
    async for leads in _portions(database, wish):
        async with snapshot(database) as connection:
            stored = await read(connection, leads)
            await models.learn(connection, {one.row["model_version"] for one in stored})
        await asyncio.to_thread(_compare_all, stored, models, findings)
        findings.reached = str(leads[-1])
        tell(f"{findings.leads:,} leads, {findings.events:,} events")
    if not wish.sample:
        await whole.check(database, findings, tell)
    return findings


class Models:
    """The models of the versions that leads have, each built once."""

    def __init__(self) -> None:
        self._built: dict[int, Compiled | None] = {}

    async def learn(self, connection: object, versions: set[int]) -> None:
        """Build the models of these versions; one that this release refuses stays unknown."""
        for number in versions - self._built.keys():
            stored = await stored_models.version(connection, number)
            self._built[number] = _model(stored) if stored else None

    def of(self, version: int) -> Compiled | None:
        """The model of this version, None if it cannot be read."""
        return self._built[version]


def _model(stored: StoredModel) -> Compiled | None:
    try:
        return load_model(stored.content, file=f"version {stored.version}", lists=stored.lists)
    except (Invalid, Misconfigured):
        return None


def _compare_all(stored: Sequence[Stored], models: Models, findings: Findings) -> None:
    for one in stored:
        model = models.of(one.row["model_version"])
        faults, events = compare(one, model)
        findings.add(faults)
        findings.leads += 1
        findings.events += events
        findings.transitions += len(one.transitions)
        findings.not_compared += model is None


async def _portions(database: AsyncEngine, wish: Wish) -> AsyncIterator[list[LeadId]]:
    """The leads to look at, some at a time."""
    if wish.sample:
        async with snapshot(database) as connection:
            drawn = await sample(connection, wish.sample)
        for leads in drawn:
            yield leads
        return
    after = wish.after
    while True:
        async with snapshot(database) as connection:
            leads = await next_leads(connection, after)
        if not leads:
            return
        yield leads
        after = leads[-1]
