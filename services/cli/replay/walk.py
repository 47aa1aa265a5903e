"""Through all leads, a portion at a time: replay their events, compare, write what came out different.

In: a database, what is wished. Out: `Findings`. Refuses to rewrite what is as its events say: that would
change nothing but the time, and cost every page of `leads`.

A lead that came out different is scored and judged anew in a transaction as a batch has it; what that moves
is recorded, and delivered only if that is wished. A lead that is as it was is judged when it is due, as ever.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.reconcile.read import MOST_LEADS, first_cut
from services.cli.replay import store
from services.cli.replay.compare import Outcome, StoredLead, outcome
from services.cli.replay.store import Replayed
from services.scorer.board.keep import write_noted
from services.scorer.models.in_force import ModelsInForce
from services.scorer.refold import bring_up_to_date, refold_leads
from services.scorer.settle import ActiveModel
from shared.codec import decode_all
from shared.database import snapshot, transaction
from shared.errors import Invalid
from shared.ids import LeadId
from shared.leads.store.history import stored_histories

MOST_EXAMPLES: Final = 10
_WRITTEN_AT_ONCE: Final = 100
_START: Final = LeadId(UUID(int=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to replay, and what becomes of it.

    lead:     only this one
    check:    compare, write nothing
    deliver:  tell destinations of the moves of leads that came out different
    """

    lead: LeadId | None = None
    check: bool = False
    deliver: bool = False


@dataclass(slots=True, kw_only=True)
class Findings:
    """What came of it.

    done:      of the whole replay, also of the part before a stop; events_now: of this part
    behind:    leads that another version scored last: brought to the active one, or left out by a check
    examples:  the first that came out different
    """

    version: int = 0
    goes_on: bool = False
    done: Replayed = field(default_factory=lambda: Replayed(replay_id=None, reached=_START))
    leads_now: int = 0
    events_now: int = 0
    behind: int = 0
    most_points: int = 0
    examples: list[Outcome] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome], events: int) -> None:
        """Note how some leads came out."""
        self.leads_now += len(outcomes)
        self.events_now += events
        self.done.leads += len(outcomes)
        self.done.events += events
        for one in outcomes:
            if one.difference:
                self.done.different += 1
                self.done.points += abs(one.points)
                self.most_points = max(self.most_points, abs(one.points))
                self.examples += [one] if len(self.examples) < MOST_EXAMPLES else []


async def replay(
    database: AsyncEngine, wish: Wish, findings: Findings, tell: Callable[[Findings, int], None]
) -> None:
    """Replay what is wished. findings: where it is noted, also if this is interrupted."""
    models = ModelsInForce()
    async with transaction(database) as connection:
        active = (await models.read(connection)).active
        findings.version = active.version
        if wish.lead is None:
            findings.done, findings.goes_on = await store.begin(
                connection, active.version, only_checks=wish.check
            )
    async with snapshot(database) as connection:
        total = 1 if wish.lead else await store.number(connection)
    while leads := await _next(database, wish, findings.done.reached):
        await _bring_up_to_date(database, models, leads, findings, write=not wish.check)
        async with snapshot(database) as connection:
            stored = await store.read(connection, leads)
            events = await stored_histories(connection, [lead for lead in leads if lead in stored])
        outcomes, number = await asyncio.to_thread(_outcomes, list(stored.values()), active, events)
        if not wish.check:
            await _write(database, models, outcomes, deliver=wish.deliver)
        findings.add(outcomes, number)
        findings.done.reached = leads[-1]
        async with transaction(database) as connection:
            await store.note(connection, findings.done)
        tell(findings, total)
        if wish.lead:
            return
    async with transaction(database) as connection:
        await store.finish(connection, findings.done)


async def _next(database: AsyncEngine, wish: Wish, after: LeadId) -> list[LeadId]:
    """The leads of the next portion; empty at the end."""
    if wish.lead:
        return [wish.lead]
    async with snapshot(database) as connection:
        return first_cut(await store.next_leads(connection, after, MOST_LEADS))


def _outcomes(
    leads: Sequence[tuple[int, StoredLead]], active: ActiveModel, events: Mapping[LeadId, bytes]
) -> tuple[list[Outcome], int]:
    """How these leads come out, and how many events that took; only of those whom this version scored last.

    An event that cannot be read costs its lead, and nobody else.
    """
    outcomes, number = [], 0
    for version, one in leads:
        try:
            history = decode_all(events[one.lead])
        except Invalid as error:
            outcomes.append(Outcome(lead=one.lead, difference=f"unreadable: {error}", unreadable=True))
            continue
        if version == active.version:
            number += len(history)
            outcomes.append(outcome(one, active.model, history))
    return outcomes, number


async def _bring_up_to_date(
    database: AsyncEngine, models: ModelsInForce, leads: Sequence[LeadId], findings: Findings, *, write: bool
) -> None:
    """Have the active version score those that another scored last, as the walk after a publish does."""
    async with transaction(database) as connection:
        version = (await models.read(connection)).active.version
        stored = await store.read(connection, leads)
    if version != findings.version:
        raise Invalid("another_model", f"version {version} was published meanwhile. Replay again")
    behind = [lead for lead, (scored_by, _) in stored.items() if scored_by != version]
    findings.behind += len(behind)
    if write:
        await _written(database, models, behind, bring_up_to_date)


async def _write(
    database: AsyncEngine, models: ModelsInForce, outcomes: Sequence[Outcome], *, deliver: bool
) -> None:
    """Score those anew that came out different, and those whose state is of another layout."""
    different = {one.lead for one in outcomes if one.difference and not one.unreadable}
    act = partial(refold_leads, silent=frozenset() if deliver else different)
    stale = {one.lead for one in outcomes if one.stale}
    await _written(database, models, sorted(different | stale), act)


async def _written(
    database: AsyncEngine, models: ModelsInForce, leads: Sequence[LeadId], act: Callable[..., Awaitable[None]]
) -> None:
    """Have something done to these leads, in transactions as short as a batch's."""
    for start in range(0, len(leads), _WRITTEN_AT_ONCE):
        some = leads[start : start + _WRITTEN_AT_ONCE]
        try:
            await _written_at_once(database, models, some, act)
        except Invalid:
            for lead in some:
                with suppress(Invalid):  # it is told as unreadable, when its history is replayed
                    await _written_at_once(database, models, [lead], act)


async def _written_at_once(
    database: AsyncEngine, models: ModelsInForce, leads: Sequence[LeadId], act: Callable[..., Awaitable[None]]
) -> None:
    async with transaction(database) as connection:
        await act(connection, await models.read(connection), leads)
    await write_noted(database, models.noted)
