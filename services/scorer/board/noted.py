"""Which leads this process has written, for the board to be brought up to date; in memory.

In: leads of a transaction, before it commits. Out: some of them at a time. A lead is looked at until the
board has what was written: the time it was scored at. What is rolled back never shows, and is let go of after
a while. Refuses to grow without end: past a bound it only remembers that it did (`overflowed`), and whoever
keeps the board walks through all leads. So it does after a start: what a killed process had noted.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from services.scorer.settle import Change, Lead
from shared.ids import LeadId
from shared.leads.names import said

MOST: Final = 20_000
_WAIT_S: Final = 30.0

Said = AbstractSet[tuple[str, str]]
"""What events say about names."""

_NOTHING: Final[Said] = frozenset()


@dataclass(slots=True)
class Noted:
    """One lead that was written.

    scored_at:  when, by the database; None: it was merged away
    said:       what its new events say about names; None: only its history can tell
    since_s:    since when the board is waited for to show it; None: nobody has looked yet
    """

    scored_at: datetime | None
    said: Said | None
    since_s: float | None = None

    def with_older(self, older: "Noted | None") -> "Noted":
        """The same, with what was said before."""
        if older is not None:
            self.said = None if self.said is None or older.said is None else self.said | older.said
        return self


class NotedLeads:
    """Leads to be looked at, each once however often it was written."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._noted: dict[LeadId, Noted] = {}
        self.overflowed = False

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, changes: Iterable[Change], written: Sequence[Lead], losers: Iterable[LeadId] = ()) -> None:
        """Note what a transaction writes; who is nobody and stays a visitor is on no board."""
        for change, lead in zip(changes, written, strict=True):
            if lead.facts.known or lead.ledger.stage != "visitor" or change.merged:
                news = None if change.merged or _comes_first(change) else said(change.events)
                self._add(lead.lead_id, Noted(scored_at=lead.scored_at, said=news))
        for loser in losers:
            self._add(loser, Noted(scored_at=None, said=_NOTHING))

    def take(self, most: int) -> dict[LeadId, Noted]:
        """Take some of the leads out, those noted first."""
        taken = dict(islice(self._noted.items(), most))
        for lead in taken:
            del self._noted[lead]
        return taken

    def put_back(
        self, taken: Mapping[LeadId, Noted], scored_at: Mapping[LeadId, datetime], now_s: float
    ) -> int:
        """Look again at those that are not shown as they were written, for a while; returns how many are."""
        shown = 0
        for lead, noted in taken.items():
            # Of one that was merged away: that it is on the board no more.
            if scored_at.get(lead) == noted.scored_at:
                shown += 1
                continue
            noted.since_s = now_s if noted.since_s is None else noted.since_s
            if now_s - noted.since_s < _WAIT_S:
                self.restore({lead: noted})
        return shown

    def restore(self, taken: Mapping[LeadId, Noted]) -> None:
        """Nobody could look at these: they are as they were."""
        for lead, noted in taken.items():
            newer = self._noted.get(lead)
            self._noted[lead] = newer.with_older(noted) if newer else noted

    def _add(self, lead: LeadId, noted: Noted) -> None:
        before = self._noted.get(lead)
        if before is None and len(self._noted) >= self._most:
            self.overflowed = True
            return
        self._noted[lead] = noted.with_older(before)


def _comes_first(change: Change) -> bool:
    """Whether one of its events happened before all others of the lead: where it came from may change."""
    before = change.lead.state
    if not before.events:
        return False  # a new lead's history is read anyway
    return any(event.occurred_at.timestamp() <= before.first_s for event in change.events)
