"""The board follows the leads: a loop beside the path of events.

In: what this process has written (noted.py), and after a start all leads, compared in the order of their ids.
Out: lead_board, lead_grams. Refuses to be in the way: it takes a few leads per transaction, locks none of
them, and while the scorer is behind it takes a hundredth of the time; each lead is written once then, however
many events it had. Whatever ends the process, the walk of the next start finds what is missing.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.board.noted import Noted, NotedLeads, Said
from services.scorer.store import board
from shared.codec import decode_all
from shared.database import transaction
from shared.errors import Invalid, Transient
from shared.ids import LeadId
from shared.leads.names import Names, known_by, names
from shared.leads.store.history import stored_histories
from shared.telemetry import log

STRETCH: Final = 200
_COMPARED: Final = 2_000
_PAUSE_S: Final = 0.05
_SHARE: Final = 100


class BoardKeeper:
    """Brings the board up to date every `interval_s` seconds, a stretch of leads at a time.

    behind:  whether events wait to be counted, which is more urgent
    """

    def __init__(
        self,
        *,
        database: AsyncEngine,
        noted: NotedLeads,
        interval_s: float,
        behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._interval_s = interval_s
        self._behind = behind
        self._noted = noted
        self._walking = False

    async def run(self) -> None:
        """Work until cancelled; whatever goes wrong only makes lists late."""
        clock = asyncio.get_running_loop().time
        first = True
        while True:
            began_s = clock()
            try:
                # Not while one goes on, which would begin again and again: that one ends first.
                if first or (self._noted.overflowed and not self._walking):
                    await self.begin_walk()
                    first = False
                goes_on = await self.turn()
            except Transient as error:
                log("scorer.board_postponed", level="warning", reason=str(error))
                goes_on = False
            except Exception as error:  # noqa: BLE001 - events are counted, whatever lists cannot show
                log("scorer.board_broke", level="error", error=type(error).__name__)
                goes_on = False
            await asyncio.sleep(self._rest_s(clock() - began_s, goes_on=goes_on))

    def _rest_s(self, worked_s: float, *, goes_on: bool) -> float:
        """How long to rest: while events wait, this loop takes a hundredth of the time, on any machine."""
        if self._behind():
            return max(self._interval_s, worked_s * _SHARE)
        return _PAUSE_S if goes_on else self._interval_s

    async def begin_walk(self) -> None:
        """Have all leads compared with the board: what a killed process had noted is among them."""
        async with transaction(self._database) as connection:
            await board.begin_walk(connection)
        self._noted.overflowed = False

    async def turn(self) -> bool:
        """Write a few leads that were noted, and a few that the walk finds; returns whether there is more."""
        taken = self._noted.take(STRETCH)
        shown = await self._show(taken) if taken else 0
        metrics.BOARD_WAITING_LEADS.set(len(self._noted))
        self._walking = await self._walk()
        return self._walking or (shown > 0 and len(taken) == STRETCH)

    async def _walk(self) -> bool:
        """Compare a stretch of all leads with the board; returns whether the walk goes on."""
        async with transaction(self._database) as connection:
            await board.alone(connection)
            differing = await board.walk(connection, STRETCH, _COMPARED)
            if differing:
                await write(connection, dict.fromkeys(differing))
        return differing is not None

    async def _show(self, taken: Mapping[LeadId, Noted]) -> int:
        """Show these leads; returns how many are shown as they were written. Others are looked at again."""
        try:
            async with transaction(self._database) as connection:
                scored_at = await write(connection, {lead: noted.said for lead, noted in taken.items()})
        except Transient:
            self._noted.restore(taken)
            raise
        except Exception:  # it may be one of these that breaks us: for a while, and not for ever
            self._noted.put_back(taken, {}, asyncio.get_running_loop().time())
            raise
        return self._noted.put_back(taken, scored_at, asyncio.get_running_loop().time())


async def write(connection: Any, some: Mapping[LeadId, Said | None]) -> dict[LeadId, datetime]:
    """Show these leads as they are now; histories are read only of those that may be called otherwise.

    Returns when each lead that is shown was scored.
    """
    await board.alone(connection)
    shown = await board.write(connection, list(some))
    unknown = [lead for lead, (_, known) in shown.items() if _may_be_renamed(known, some[lead])]
    stored = await stored_histories(connection, unknown)
    named = {}
    for lead, events in stored.items():
        named[lead] = _named(events)
        await asyncio.sleep(0)  # events are counted in between
    await board.rename(connection, named)
    return {lead: at for lead, (at, _) in shown.items()}


def _named(events: bytes) -> Names:
    """The names that these stored events give; none if one of them cannot be read any more."""
    try:
        return names(decode_all(events))
    except Invalid:
        return Names()


def _may_be_renamed(known: Names | None, said: Said | None) -> bool:
    return known is None or said is None or not known_by(known, said)


async def write_noted(database: AsyncEngine, noted: NotedLeads) -> None:
    """Bring the board up to date at once, for whoever ends after a decision."""
    while taken := noted.take(STRETCH):
        async with transaction(database) as connection:
            await write(connection, {lead: one.said for lead, one in taken.items()})
