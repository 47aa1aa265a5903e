"""Notes about leads → who belongs to which account now, in the database.

In: notes from the queue. Out: moved members; the accounts that somebody joined, left, or did something in.
Reads as little history as answers the question: the newest events, all of them only if those do not say.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from services.scorer.accounts.notes import Note
from services.scorer.store import accounts as stored
from shared.ids import AccountId, LeadId
from shared.leads.account_of import AccountName, account_of, last_act, said_account
from shared.leads.store.history import histories, newest_events
from shared.scoring.definition.accounts import Accounts

_NEWEST: Final = 100

Belonging = tuple[AccountName | None, datetime | None]
"""A person's account, and when they last did something."""


async def move(
    connection: Any, accounts: Accounts, notes: Sequence[Note], now: datetime, version: int
) -> set[AccountId]:
    """Put every noted lead into its account; returns the accounts that have to look again."""
    noted = [note.lead_id for note in notes]
    gone = await stored.gone(connection, noted)
    before = await stored.homes(connection, {*noted, *gone})
    asked = [note.lead_id for note in notes if note.says and note.lead_id not in gone]
    told = await _belongings(connection, accounts, asked)
    await stored.found(connection, [name for name, _ in told.values() if name], now, version)
    joining = {lead: (name.account_id, acted) for lead, (name, acted) in told.items() if name}
    acted = {
        note.lead_id: note.last_act_at
        for note in notes
        if note.lead_id in before and not note.says and note.lead_id not in gone
    }
    await stored.leave(connection, sorted(gone | (told.keys() - joining.keys())))
    await stored.join(connection, joining)
    await stored.act(connection, acted)
    return {*before.values(), *(account for account, _ in joining.values())}


async def _belongings(
    connection: Any, accounts: Accounts, leads: Sequence[LeadId]
) -> dict[LeadId, Belonging]:
    """What the histories of these leads say."""
    newest = await newest_events(connection, leads, _NEWEST)
    unsaid = [
        lead
        for lead, events in newest.items()
        if len(events) == _NEWEST and not (said_account(events) and last_act(events))
    ]
    known = {**newest, **await histories(connection, unsaid)}
    return {
        lead: (account_of(events, accounts.private_domains), last_act(events))
        for lead, events in known.items()
    }
