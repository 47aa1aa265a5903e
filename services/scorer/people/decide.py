"""What a person decides about people: two leads are one, one lead is two, a device is everybody's.

In: leads and identifiers, a name for the log. Out: rows, as regroup_leads.py writes them; how it ended.
Refuses (`Invalid`) what cannot be meant: a lead and itself, a merge that never was.
A decision is kept with the identifiers that it is about, so that it holds for whatever comes later, and the
opposite decision lifts it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.scorer.count import BatchCounter
from services.scorer.identify.evidence import evidence
from services.scorer.identify.facts import Held
from services.scorer.report import Report
from services.scorer.store import decisions, histories, identities, leads, merges
from services.scorer.store.histories import By
from shared.errors import Invalid
from shared.events import Event
from shared.ids import NOBODY, LeadId
from shared.leads.identifiers import Identifier

Identities = Mapping[Identifier, Held]

# A person before a visitor: whoever says that a lead is two people means no device that became known since.
_MERGED_INTO: Final = """
SELECT m.loser FROM lead_merges m JOIN leads l ON l.lead_id = m.loser
WHERE m.undone_at IS NULL AND (m.loser = $1 OR l.merged_into = $1) AND l.merged_into IS NOT NULL
ORDER BY (m.loser = $1) DESC, m.moved_identities @? '$[*] ? (@.kind != "anonymous_id")' DESC,
  m.merge_id DESC LIMIT 1
"""
_IS_MERGED: Final = "SELECT merged_into IS NOT NULL FROM leads WHERE lead_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Somebody who decides, in a transaction of the caller.

    made_by: for the log of decisions
    """

    connection: Any
    counter: BatchCounter
    made_by: str

    async def one_person(self, lead: LeadId, other: LeadId) -> Report:
        """Make two leads one, whatever the evidence says.

        Raises Invalid (`same_lead`) for a lead and itself; (`visitor`) if one of them is nobody known.
        """
        if lead == other:
            raise Invalid("same_lead", "these are one lead already. Name two")
        await self._lock(lead, other)
        held = await identities.of_leads(self.connection, [lead, other])
        mine, theirs = _of(held, lead), _of(held, other)
        if any(one.kind == "anonymous_id" for one in (*mine, *theirs)):
            raise Invalid(
                "visitor",
                "one of these is a visitor, of whom only devices are known. It becomes one with whoever is "
                "known on its device next; name two leads with an address or a user id",
            )
        await decisions.make(self.connection, "one", mine, theirs, self.made_by)
        return await self._regroup(lead, other)

    async def two_people(self, lead: LeadId) -> LeadId:
        """Take out of a lead the person it was merged with last, else the visitor; or this very lead.

        lead: if it was merged away itself, it is the one to be taken out

        Returns the lead that is its own again.
        Raises Invalid (`never_merged`) if there is nobody to take out; (`nothing_left`) if nobody would be.
        """
        loser: LeadId | None = await self.connection.fetchval(_MERGED_INTO, lead)
        if loser is None:
            raise Invalid(
                "never_merged",
                "nobody was merged into this lead, nor was it merged. See `leadscore lead show`",
            )
        brought = (await merges.brought(self.connection, [loser]))[loser]
        family = await merges.families(self.connection, [loser])
        winner = LeadId(family[loser] or loser)
        await self._lock(winner)
        rest = _of(await identities.of_leads(self.connection, [winner]), winner) - brought
        strong = frozenset(one for one in brought if one.kind != "anonymous_id")
        await decisions.make(self.connection, "apart", strong or brought, rest, self.made_by)
        await self._regroup(winner)
        await self._expect_its_own(loser)
        return loser

    async def _expect_its_own(self, loser: LeadId) -> None:
        """Raises Invalid (`nothing_left`) if this lead is still merged away; nothing is committed then."""
        if await self.connection.fetchval(_IS_MERGED, loser):
            raise Invalid(
                "nothing_left",
                f"nothing was changed: what lead {loser} brought is others' by now, nothing would be left. "
                "To take out another one give its own id, as destinations know it; for a device that several "
                "people use: `leadscore lead split-device`",
            )

    async def nobodys_device(self, device: Identifier) -> int:
        """Have a device's anonymous events, those of the past too, belong to nobody.

        Returns how many of the past there were. Raises Invalid (`no_such_device`).
        """
        held = await self._held(device)
        if held is None:
            raise Invalid("no_such_device", "no event came with this anonymous id. Give it as it was sent")
        await identities.change(self.connection, {device: held._replace(status="shared")})
        rows = await histories.rows(self.connection, await self._family(held.lead))
        counting = [row for row in rows if row.quarantine is None]
        events, theirs = self._anonymous_events(device, counting)
        await histories.quarantine(self.connection, events, "shared_device", By(name=self.made_by))
        await self._regroup(held.lead, *theirs)
        return len(events)

    async def believe(self, one: Identifier) -> int:
        """Believe an identifier again that was set aside; a device's anonymous events count again.

        Returns how many events that are. Raises Invalid (`not_set_aside`).
        """
        held = await self._held(one)
        if held is None or held.status not in {"shared", "suspended"}:
            raise Invalid("not_set_aside", "this identifier is neither suspended nor a shared device")
        await identities.change(self.connection, {one: held._replace(status="in_use", recent=None)})
        events: list[Event] = []
        if one.kind == "anonymous_id":
            set_aside = await histories.set_aside(self.connection, [NOBODY], "shared_device")
            events, _ = self._anonymous_events(one, set_aside)
        await histories.release(self.connection, events, held.lead, By(name=self.made_by))
        await self._regroup(held.lead)
        return len(events)

    async def _held(self, one: Identifier) -> Held | None:
        """Who has it, with the lead locked: until it is, a batch may give it to somebody else."""
        held = (await identities.read(self.connection, [one])).get(one)
        while held is not None:
            await self.counter.models.read(self.connection)
            _, merged_meanwhile = await leads.lock(self.connection, [held.lead])
            again = (await identities.read(self.connection, [one])).get(one)
            if again == held and not merged_meanwhile:
                break
            held = again
        return held

    async def _lock(self, *wanted: LeadId) -> None:
        """Have nobody else change these leads; versions first, leads second, as everybody takes them.

        Raises IdentityRace if one of them was merged away since it was looked up.
        """
        await self.counter.models.read(self.connection)
        _, merged_meanwhile = await leads.lock(self.connection, wanted)
        if merged_meanwhile:
            raise identities.IdentityRace(
                "one of these leads was merged at this moment. Give the command again"
            )

    async def _regroup(self, *start: LeadId) -> Report:
        in_force = await self.counter.models.read(self.connection)
        report = await self.counter.regroup(self.connection, in_force, start, rescore=True)
        if report.regrouped == "too_large":
            raise Invalid("too_large", "too many leads share an identifier with these to be grouped anew")
        return report

    async def _family(self, lead: LeadId) -> Mapping[LeadId, LeadId | None]:
        return await merges.families(self.connection, [lead])

    def _anonymous_events(
        self, device: Identifier, rows: Iterable[histories.Row]
    ) -> tuple[list[Event], set[LeadId]]:
        """Those of these events that came with this device and nobody's name, and the leads in their rows."""
        found = [
            row
            for row in rows
            if not (said := evidence(row.event, self.counter.rules)).strong and device in said.weak
        ]
        return [row.event for row in found], {row.lead for row in found}


def _of(held: Identities, lead: LeadId) -> frozenset[Identifier]:
    """The strong identifiers of a lead; its devices, if it has nothing else."""
    mine = [one for one, each in held.items() if each.lead == lead]
    strong = frozenset(one for one in mine if one.kind != "anonymous_id")
    return strong or frozenset(mine)
