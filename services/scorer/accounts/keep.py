"""Accounts follow their people: a loop beside the path of events.

In: account_queue (leads that changed), accounts that are due. Out: members, accounts, account_transitions.
Refuses to be in the way: it takes a few leads per transaction, locks no lead, and removes what it has worked
off in the same transaction, as its last act. One scorer at a time does it, and rests after each round, so
that whoever does a hundred things in a second is looked at once. Whatever ends the process, the queue still
has what is not done; doing it twice changes nothing.

While leads are scored anew after a publish it waits; afterwards every account has been looked at again.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer import metrics
from services.scorer.accounts import members as account_members
from services.scorer.models.in_force import ModelsInForce
from services.scorer.poison import PoisonLimit
from services.scorer.settle import ActiveModel
from services.scorer.store import account_queue
from services.scorer.store import accounts as stored
from services.scorer.store.accounts import Looked, Present
from shared.database import transaction
from shared.errors import Misconfigured, Transient
from shared.ids import AccountId, LeadId
from shared.leads.account_people import members, outlook
from shared.leads.store.accounts import StoredPeople, people
from shared.scoring.definition.accounts import Accounts
from shared.scoring.engine.accounts import Cause, look, look_again_at
from shared.telemetry import log

STRETCH: Final = 100
_AT_ONCE: Final = 10
_FIRST: Final = LeadId(UUID(int=0))
_MOST_COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """What all looks of one transaction share."""

    active: ActiveModel
    accounts: Accounts
    now: datetime


class AccountKeeper:
    """Keeps accounts up to date, a stretch of leads at a time; rests `interval_s` after each round."""

    def __init__(self, *, database: AsyncEngine, models: ModelsInForce, interval_s: float) -> None:
        self._database = database
        self._models = models
        self._interval_s = interval_s
        self._reached = _FIRST
        self._at_hand: set[UUID] = set()
        self._put_off: set[UUID] = set()

    async def run(self) -> None:
        """Work until cancelled; Postgres being away only makes it late."""
        while True:
            try:
                goes_on = await self.turn_or_put_off()
            except Transient as error:
                log("scorer.accounts_postponed", level="warning", reason=str(error))
                goes_on = False
            await asyncio.sleep(0 if goes_on else self._interval_s)

    async def turn_or_put_off(self) -> bool:
        """One turn; what breaks it is put off until the next start, its neighbours are looked at singly.

        Returns whether the round goes on.
        """
        try:
            return await self.turn()
        except (Transient, Misconfigured):
            raise
        except Exception as error:
            if not self._at_hand:
                raise  # nobody's doing
            log(
                "scorer.accounts_broke", level="error", error=type(error).__name__, at_hand=len(self._at_hand)
            )
        limit = PoisonLimit()
        for _ in range(STRETCH):
            await self._look_singly(limit)
        return True

    async def _look_singly(self, limit: PoisonLimit) -> None:
        """Take one lead, or an account if none waits; raises what it raised once the fault is ours."""
        try:
            await self.turn(1)
            limit.saw(poison=False)
        except (Transient, Misconfigured):
            raise
        except Exception as error:
            limit.saw(poison=True)
            if limit.exceeded or not self._at_hand:
                raise
            self._put_off |= self._at_hand
            log(
                "scorer.account_put_off",
                level="error",
                error=type(error).__name__,
                put_off=len(self._put_off),
            )

    async def turn(self, most: int = STRETCH) -> bool:
        """Work off a few notes, and look at a few accounts that are due; returns whether there are more."""
        self._at_hand = set()
        async with transaction(self._database) as connection:
            # Versions first, as everybody takes them: a publish waits for whoever scores.
            active = (await self._models.read(connection)).active
            accounts = active.model.accounts
            if accounts is None:
                metrics.ACCOUNT_WAITING_LEADS.set(0)  # a version before may have had some
                return False
            if not await stored.begin(connection):
                return False
            now: datetime = await connection.fetchval("SELECT now()")
            moment = _Moment(active=active, accounts=accounts, now=now)
            queued = await account_queue.read(connection, self._reached, self._leads_put_off(), most)
            self._at_hand |= {one.note.lead_id for one in queued}
            notes = [one.note for one in queued]
            touched = await account_members.move(connection, accounts, notes, now, active.version)
            self._at_hand |= set(touched)
            # What is due has the room that notes leave: at the end of each round there is some.
            room = most - len(queued)
            due = await stored.due(connection, active.version, self._accounts_put_off(), room)
            self._at_hand |= set(due)
            wanted = {*touched, *due} - self._accounts_put_off()
            looked = await self._look(connection, moment, touched, wanted)
            await stored.write(connection, looked, now, active.version)
            waiting = await account_queue.waiting(connection, _MOST_COUNTED)
            await account_queue.remove(connection, queued)
        self._reached = queued[-1].note.lead_id if len(queued) == most else _FIRST
        metrics.note_accounts([one.look.transition for one in looked])
        metrics.ACCOUNT_WAITING_LEADS.set(waiting - len(queued))
        return len(queued) + len(due) == most

    async def _look(
        self, connection: Any, moment: _Moment, touched: Collection[AccountId], wanted: Collection[AccountId]
    ) -> list[Looked]:
        """Look at these accounts, a few at a time: events are counted in between."""
        present = await stored.lock(connection, wanted)
        order, looked = list(present), []
        for start in range(0, len(order), _AT_ONCE):
            found = await people(connection, order[start : start + _AT_ONCE])
            for account, persons in found.items():
                by_people = account in touched
                looked.append(_look_at(moment, (account, present[account]), persons, by_people=by_people))
                await asyncio.sleep(0)
        return looked

    def _leads_put_off(self) -> set[LeadId]:
        return {LeadId(one) for one in self._put_off}

    def _accounts_put_off(self) -> set[AccountId]:
        return {AccountId(one) for one in self._put_off}


def _look_at(
    moment: _Moment, account: tuple[AccountId, Present], found: StoredPeople, *, by_people: bool
) -> Looked:
    """The account as it is at this moment."""
    account_id, before = account
    active, now = moment.active, moment.now
    cause: Cause = "model" if before.model_version != active.version else "people" if by_people else "time"
    everybody = members(active.model, found.looked_at, now)
    seen = look(moment.accounts, everybody, before.place, now, cause)
    between = outlook(active.model, found.looked_at, now)
    return Looked(
        account_id=account_id,
        people=found.number,
        look=seen,
        due_at=look_again_at(moment.accounts, everybody, seen.place.stage, now, between),
    )
